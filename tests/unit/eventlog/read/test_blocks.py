"""Blocks hold whole lines only, with true offsets, forwards and backwards, whatever the block size."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from videodb_cli.eventlog.read.block import iter_lines
from videodb_cli.eventlog.read.blocks import count_lines, iter_blocks, iter_blocks_backwards, iter_views
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.compression import kind_of
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.eventlog.read.sources import BOM, LogSource
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir.lock import DirectoryLock

lines = st.sampled_from(
    [b"", b" ", b"one", b"12", b'{"a":1}', b'{"a":"\xc3\xa9"}', b'{"a":', b"\xef\xbb\xbf{}", b"\0\0"]
)
contents = st.one_of(
    st.binary(max_size=400).map(lambda raw: raw.replace(b"\x00", b"\n").replace(b"\x01", b"\n")),
    st.builds(lambda mark, whole, last: mark + b"".join(line + b"\n" for line in whole) + last,
              st.sampled_from([b"", BOM]), st.lists(lines, max_size=6), lines),
)  # fmt: skip


def _file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> LogSource:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(content)
    return LogSource(path)


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line.decode())
    except ValueError:
        return False
    return True


def _is_foreign(content: bytes) -> bool:
    """Whether a file is taken for something else than UTF-8 text."""
    return kind_of(content) is not None or content.startswith((b"\xff\xfe", b"\xfe\xff"))


def _lines_of(content: bytes) -> tuple[bytes, int, list[int]]:
    """What a reader gives, where it begins, and where a torn line stands: the contract, spelt out anew."""
    begin = 3 if content.startswith(BOM) else 0
    cut = max(content.rfind(b"\n") + 1, begin)
    last = content[cut:]
    if not last.strip():
        return content[begin:cut], begin, []
    return (content[begin:cut] + last + b"\n", begin, []) if _is_json(last) else (content[begin:cut], begin, [cut])


@given(content=contents, size=st.integers(1, 50))
def test_every_way_of_reading_gives_the_same_lines(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, size: int
) -> None:
    assume(not _is_foreign(content))
    source = _file(tmp_path_factory, content)
    expected, begin, torn = _lines_of(content)
    for way in _ways(source, len(content), size, tmp_path_factory):
        broken = BrokenLines()
        blocks = way(broken)
        assert b"".join(data for _, data in blocks) == expected
        assert [place.offset for place in broken.take_places()] == torn
        at = begin
        for offset, data in blocks:
            assert offset == at
            assert data.endswith(b"\n")
            at += len(data)


def _blocks_of(source: LogSource, size: int, broken: BrokenLines) -> Sequence[tuple[int, bytes]]:
    return list(iter_blocks(source, size=size, broken=broken))


def _ways(
    source: LogSource, end: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[BrokenLines], Sequence[tuple[int, bytes]]]]:
    assert source.path is not None
    content = source.path.read_bytes()
    yield lambda broken: list(iter_blocks(source, size=size, broken=broken))
    yield lambda broken: list(iter_blocks(source, 0, end, size, broken=broken))
    yield lambda broken: list(iter_blocks_backwards(source, size=size, broken=broken))[::-1]
    yield lambda broken: [(v.offset, bytes(v.data)) for v in iter_views(source, 0, end, size, broken=broken)]
    for compress in (gzip.compress, bz2.compress, lzma.compress):
        packed = source.path.with_name("packed")
        packed.write_bytes(compress(content))
        yield partial(_blocks_of, LogSource(packed), size)


@given(content=contents, size=st.integers(1, 50))
def test_a_stream_gives_its_last_line_whatever_it_is(content: bytes, size: int) -> None:
    assume(not _is_foreign(content) and len(content) < 60_000)
    read_end, write_end = os.pipe()
    try:
        os.write(write_end, content)
        os.close(write_end)
        blocks = list(iter_blocks(LogSource(Path(f"/dev/fd/{read_end}")), size=size, broken=BrokenLines()))
    finally:
        os.close(read_end)
    text = content.removeprefix(BOM)
    expected = text if text.endswith(b"\n") or not text else text + b"\n"
    assert b"".join(data for _, data in blocks) == expected


def test_backwards_over_many_blocks(tmp_path: Path) -> None:
    content = b"".join(b"%d " % n + b"x" * (n % 3000) + b"\n" for n in range(2000))
    path = tmp_path / "log"
    path.write_bytes(content + b"torn")
    assert b"".join(block.data for block in reversed(list(iter_blocks_backwards(LogSource(path))))) == content
    path.write_bytes(content + b"[12]")
    whole = b"".join(block.data for block in reversed(list(iter_blocks_backwards(LogSource(path)))))
    assert whole == content + b"[12]\n"


def test_a_part_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\ntwo\nthree\n")
    assert list(iter_blocks(LogSource(path), 4, 8)) == [(4, b"two\n")]


def test_lines_know_their_offsets_and_blank_ones_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"one\n\ntwo\n")
    (block,) = iter_blocks(LogSource(path))
    assert list(iter_lines(block)) == [(0, b"one"), (5, b"two")]
    assert count_lines(LogSource(path), 0, 5) == 2


def test_gzip_is_read_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "log.1.gz"
    path.write_bytes(gzip.compress(b"one\ntwo\n"))
    assert [block.data for block in iter_blocks(LogSource(path))] == [b"one\ntwo\n"]


def test_gzip_cut_off_is_named_after_what_could_be_read(tmp_path: Path) -> None:
    path = tmp_path / "log.1.gz"
    first = os.urandom(300_000).hex().encode() + b"\n"
    path.write_bytes(gzip.compress(first + os.urandom(300_000).hex().encode())[:-20])
    read = iter_blocks(LogSource(path))
    assert next(read).data == first
    with pytest.raises(DamagedError, match=r"log\.1\.gz is cut off"):
        list(read)
    broken = BrokenLines()
    assert [data for _, data in iter_blocks(LogSource(path), broken=broken)] == [first]
    assert (broken.count, [str(error) for error in broken.take_damage()]) == (0, [
        f"{path} is cut off: its gzip data has no end; all whole lines were read"
    ])  # fmt: skip


def test_the_log_that_a_listener_writes_ends_at_its_last_newline(tmp_path: Path) -> None:
    path = tmp_path / "videodb_events.jsonl"
    path.write_bytes(b'{"a":1}\n{"a":2}')
    link = tmp_path / "link"
    link.symlink_to(path)
    with DirectoryLock(tmp_path / "videodb.lock") as lock:
        lock.release()
        lock.acquire(current_start_token())
        for source in (LogSource(path), LogSource(path, private=True), LogSource(link)):
            broken = BrokenLines()
            for end in (b'{"a":2}', b'{"a":'):
                path.write_bytes(b'{"a":1}\n' + end)
                assert [data for _, data in iter_blocks(source, broken=broken)] == [b'{"a":1}\n']
                assert [data for _, data in iter_blocks_backwards(source, broken=broken)] == [b'{"a":1}\n']
            assert broken.count == 0
    path.write_bytes(b'{"a":1}\n{"a":2}')
    assert b"".join(data for _, data in iter_blocks(LogSource(path))) == b'{"a":1}\n{"a":2}\n'


def test_a_line_that_somebody_goes_on_writing_is_not_torn(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b'{"a":1}\n{"a":2')
    end = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"}\n")
    broken = BrokenLines()
    assert [data for _, data in iter_blocks(LogSource(path), 0, end, broken=broken)] == [b'{"a":1}\n']
    assert broken.count == 0


def test_a_pipe_ends_its_last_line_itself() -> None:
    read_end, write_end = os.pipe()
    os.write(write_end, b"one\ntwo")
    os.close(write_end)
    fifo = LogSource(Path(f"/dev/fd/{read_end}"))
    assert [block.data for block in iter_blocks(fifo)] == [b"one\n", b"two\n"]
    os.close(read_end)
