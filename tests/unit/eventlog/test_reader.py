"""Blocks hold whole lines only, with true offsets, forwards and backwards, whatever the block size."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.reader import count_lines, iter_blocks, iter_blocks_backwards, iter_lines, iter_views
from videodb_cli.eventlog.sources import Source

contents = st.binary(max_size=400).map(lambda raw: raw.replace(b"\x00", b"\n").replace(b"\x01", b"\n"))


def _file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> Source:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(content)
    return Source(path)


def _whole(content: bytes) -> bytes:
    return content[: content.rfind(b"\n") + 1]


@given(content=contents, size=st.integers(1, 50), end=st.integers(0, 400))
def test_views_are_the_same_lines_as_blocks(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int, end: int
) -> None:
    source = _file(tmp_path_factory, content)
    read = [(view.offset, bytes(view.data)) for view in iter_views(source, 0, end, size)]
    assert b"".join(data for _, data in read) == _whole(content[:end])
    assert all(content[offset : offset + len(data)] == data and data.endswith(b"\n") for offset, data in read)


@given(content=contents, size=st.integers(1, 50))
def test_forwards_yields_every_whole_line_once(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int
) -> None:
    source = _file(tmp_path_factory, content)
    blocks = list(iter_blocks(source, size=size))
    assert b"".join(block.data for block in blocks) == _whole(content)
    for block in blocks:
        assert block.data.endswith(b"\n")
        assert content[block.offset : block.offset + len(block.data)] == block.data


@given(content=contents, size=st.integers(1, 50))
def test_backwards_yields_the_same_from_the_end(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int
) -> None:
    source = _file(tmp_path_factory, content)
    blocks = list(iter_blocks_backwards(source, size=size))
    assert b"".join(block.data for block in reversed(blocks)) == _whole(content)
    for block in blocks:
        assert content[block.offset : block.offset + len(block.data)] == block.data


def test_backwards_over_many_blocks(tmp_path: Path) -> None:
    content = b"".join(b"%d " % n + b"x" * (n % 3000) + b"\n" for n in range(2000))
    path = tmp_path / "log"
    path.write_bytes(content + b"torn")
    assert b"".join(block.data for block in reversed(list(iter_blocks_backwards(Source(path))))) == content


def test_a_part_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    assert list(iter_blocks(Source(path), 4, 8)) == [(4, b"two\n")]


def test_lines_know_their_offsets_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n\ntwo\n")
    (block,) = iter_blocks(Source(path))
    assert list(iter_lines(block)) == [(0, b"one"), (5, b"two")]
    assert count_lines(Source(path), 0, 5) == 2


def test_gzip_is_read_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "log.1.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert [block.data for block in iter_blocks(Source(path))] == [b"one\ntwo\n"]


def test_gzip_cut_off_is_refused_by_name_after_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "log.1.gz"
    path.write_bytes(
        gzip.compress(os.urandom(300_000).hex().encode() + b"\n" + os.urandom(300_000).hex().encode())[:-20]
    )
    read = iter_blocks(Source(path))
    assert next(read).data.endswith(b"\n")
    with pytest.raises(RefusedError, match=r"log\.1\.gz"):
        list(read)


def test_a_pipe_ends_its_last_line_itself() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"one\ntwo")
    os.close(write_end)
    fifo = Source(Path(f"/dev/fd/{read_end}"))
    assert [block.data for block in iter_blocks(fifo)] == [b"one\n", b"two\n"]
    os.close(read_end)
