"""The end of a log after a crash: cut anywhere, it becomes whole lines again, and nothing is deleted."""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videodb_cli.eventlog.write.repair import last_line_start, last_stamp_ms, repair_tail

LINE = b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"data":{"text":"caf\xc3\xa9 {\\"a\\":1}"}}\n'


def repaired(path: Path, content: bytes) -> tuple[bytes, tuple[int, Path] | None]:
    path.write_bytes(content)
    fd = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        outcome = repair_tail(path, fd)
        assert repair_tail(path, fd) is None, "mended once, mended for good"
    finally:
        os.close(fd)
    return path.read_bytes(), outcome


@settings(max_examples=200, deadline=None)
@given(cut=st.integers(0, 2 * len(LINE)), padding=st.sampled_from([b"", b"\0" * 7, b"\n"]))
def test_cut_anywhere(cut: int, padding: bytes) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "log.jsonl"
        content = (LINE * 2)[:cut] + padding
        after, torn = repaired(path, content)
        assert after == b"" or after.endswith(b"\n")
        if torn is None:
            assert after in {content, content + b"\n"}
        else:
            count, aside = torn
            assert after + aside.read_bytes() == content
            assert count == len(aside.read_bytes())
            assert aside.stat().st_mode & 0o777 == 0o600
            assert aside.name.startswith("log.jsonl.torn-")


def test_a_whole_line_gets_its_newline(tmp_path: Path) -> None:
    assert repaired(tmp_path / "log", LINE + LINE[:-1]) == (LINE * 2, None)


def test_blocks_larger_than_one_read(tmp_path: Path) -> None:
    torn = b'{"raw":"' + b"x" * 200_000
    after, outcome = repaired(tmp_path / "log", LINE * 3000 + torn)
    assert after == LINE * 3000
    assert outcome is not None
    assert outcome[1].read_bytes() == torn


def test_two_torn_tails_in_one_second_keep_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "gmtime", lambda: (2026, 3, 2, 10, 15, 30, 0, 61, 0))
    outcomes = [repaired(tmp_path / "log", torn)[1] for torn in (b"one", b"two")]
    assert [outcome[1].read_bytes() for outcome in outcomes if outcome] == [b"one", b"two"]


def test_a_failure_to_set_aside_leaves_the_log_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    path = tmp_path / "log"
    with pytest.raises(OSError, match="No space left"):
        repaired(path, LINE + b"torn")
    assert path.read_bytes() == LINE + b"torn"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("content", "stamp"),
    [
        (b"", 0),
        (LINE, 1772446530123),
        (b"not json\n" + LINE, 1772446530123),
        (LINE + b"not json\n", 0),
        (b'{"unix_ts":1e400}\n', 0),
        (b'{"unix_ts":"12.5"}\n', 12500),
        (b'{"unix_ts":null}\n', 0),
        (b"[]\n", 0),
        (b'{"text":"stamps last","ts":"2026-03-02T10:15:30.123456+00:00","unix_ts": 1772446530.1231}\n', 1772446530124),
    ],
)
def test_last_stamp(tmp_path: Path, content: bytes, stamp: int) -> None:
    path = tmp_path / "log"
    path.write_bytes(content)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert last_stamp_ms(fd, len(content)) == stamp
        assert last_line_start(fd, 0) == 0
    finally:
        os.close(fd)
