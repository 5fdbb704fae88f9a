"""A line without an end does not fill the memory, and what stands before it is read."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from videodb_cli.eventlog.read import sequential
from videodb_cli.eventlog.read.blocks import iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.sources import LogSource


@pytest.mark.parametrize("before", [b"", b'{"a":1}\n'])
def test_a_line_without_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes) -> None:
    monkeypatch.setattr(sequential, "_LONGEST_LINE", 1 << 20)
    path = tmp_path / "log.gz"
    path.write_bytes(gzip.compress(before + bytes(16 << 20)))
    broken = BrokenLines()
    blocks = list(iter_blocks(LogSource(path), broken=broken))
    assert b"".join(block.data for block in blocks) == before
    assert ["more than 1 MiB" in error.message for error in broken.take_damage()] == [True]


def test_long_lines_that_end_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequential, "_LONGEST_LINE", 1 << 20)
    content = (b'"' + b"x" * 900_000 + b'"\n') * 5
    (tmp_path / "log.gz").write_bytes(gzip.compress(content))
    assert b"".join(block.data for block in iter_blocks(LogSource(tmp_path / "log.gz"))) == content


def test_a_device_that_never_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/zero").exists():
        pytest.skip("no /dev/zero here")
    monkeypatch.setattr(sequential, "_LONGEST_LINE", 1 << 20)
    broken = BrokenLines()
    assert list(iter_blocks(LogSource(Path("/dev/zero")), broken=broken)) == []
    assert broken.damaged == 1
