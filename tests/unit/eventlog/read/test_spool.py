"""A stream that was copied can be read again and again, and what was broken in it is known."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.read.blocks import iter_blocks, line_numbers
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.read.spool import Spool


def fifo_with(path: Path, content: bytes) -> LogSource:
    os.mkfifo(path)
    threading.Thread(target=path.write_bytes, args=(content,), daemon=True).start()
    return LogSource(path)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_copy_is_read_twice_and_counts_lines(tmp_path: Path, pack: object) -> None:
    assert callable(pack)
    content = b'{"a":1}\nbroken\n{"b":2}'
    stream, broken = fifo_with(tmp_path / "pipe", pack(content)), BrokenLines()
    file = LogSource(tmp_path / "file")
    (tmp_path / "file").write_bytes(content)
    with Spool() as spool:
        kept, copy = spool.seekable([file, stream], broken)
        assert kept is file
        assert copy.is_seekable
        assert copy.name == str(tmp_path / "pipe")
        for _ in range(2):
            assert b"".join(block.data for block in iter_blocks(copy)) == content + b"\n"
        broken.add(copy, content.index(b"broken"))
        assert list(line_numbers(broken.take_places())) == [(copy.name, 2)]


def test_a_damaged_stream_is_noted(tmp_path: Path) -> None:
    stream, broken = fifo_with(tmp_path / "pipe", gzip.compress(b'{"a":1}\n' * 9000)[:-20]), BrokenLines()
    with Spool() as spool:
        spool.seekable([stream], broken)
    assert broken.damaged == 1


def test_no_room_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with Spool() as spool, pytest.raises(RefusedError, match="no room"):
        spool.seekable([fifo_with(tmp_path / "pipe", b"{}")], BrokenLines())
