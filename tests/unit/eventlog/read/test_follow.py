"""A follower hands out every whole line once, in order, whatever is done to the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.read.follow import Change, Follower, iter_follow


def _poll(follower: Follower) -> list[bytes | Change]:
    return [item.data if isinstance(item, Block) else item for item in follower.poll()]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "videodb_events.jsonl"


def _append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_growth_and_a_line_in_two_pieces(log: Path) -> None:
    log.write_bytes(b"one\ntw")
    follower = Follower(log)
    assert _poll(follower) == [b"one\n"]
    assert _poll(follower) == []
    _append(log, b"o\nthree\n")
    assert _poll(follower) == [b"two\nthree\n"]
    follower.close()


def test_from_the_end_begins_behind_the_last_newline(log: Path) -> None:
    log.write_bytes(b"one\ntw")
    follower = Follower(log, from_end=True)
    assert _poll(follower) == []
    _append(log, b"o\n")
    assert _poll(follower) == [b"two\n"]
    follower.close()


def test_a_log_that_is_not_there_yet(log: Path) -> None:
    follower = Follower(log, from_end=True)
    assert _poll(follower) == []
    log.write_bytes(b"one\n")
    assert _poll(follower) == [Change.APPEARED, b"one\n"]
    follower.close()


def test_rotation_by_rename_loses_nothing(log: Path) -> None:
    log.write_bytes(b"one\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\n"]
    _append(log, b"two\n")
    log.rename(log.with_name(log.name + ".1"))
    log.write_bytes(b"three\n")
    assert _poll(follower) == [b"two\n", Change.ROTATED, b"three\n"]
    follower.close()


def test_two_rotations_between_two_looks(log: Path) -> None:
    log.write_bytes(b"one\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\n"]
    log.rename(log.with_name(log.name + ".2"))
    log.with_name(log.name + ".1").write_bytes(b"two\n")
    log.write_bytes(b"three\n")
    assert _poll(follower) == [Change.ROTATED, b"two\n", b"three\n"]
    follower.close()


def test_truncation(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\ntwo\n"]
    os.truncate(log, 0)
    assert _poll(follower) == [Change.TRUNCATED]
    _append(log, b"new\n")
    assert _poll(follower) == [b"new\n"]
    follower.close()


def test_truncated_and_grown_beyond_where_we_were(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\ntwo\n"]
    log.write_bytes(b"other one\nother two\n")
    assert _poll(follower) == [Change.TRUNCATED, b"other one\nother two\n"]
    follower.close()


def test_same_first_line_and_another_second_one(log: Path) -> None:
    log.write_bytes(b"one\ntwo\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\ntwo\n"]
    log.write_bytes(b"one\nTWO\nthree\n")
    assert _poll(follower) == [Change.TRUNCATED, b"one\nTWO\nthree\n"]
    follower.close()


def test_copytruncate_hands_out_what_only_the_copy_holds(log: Path) -> None:
    log.write_bytes(b"one\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\n"]
    _append(log, b"two\n")
    log.with_name(log.name + ".1").write_bytes(log.read_bytes())
    log.write_bytes(b"")
    assert _poll(follower) == [b"two\n", Change.TRUNCATED]
    follower.close()


def test_deletion_and_a_new_file_even_with_the_same_inode(log: Path) -> None:
    log.write_bytes(b"one\n")
    follower = Follower(log)
    assert _poll(follower) == [b"one\n"]
    log.unlink()
    assert _poll(follower) == [Change.REMOVED]
    assert _poll(follower) == []
    log.write_bytes(b"two\n")
    assert _poll(follower) == [Change.ROTATED, b"two\n"]
    follower.close()


def test_a_line_longer_than_a_block(log: Path) -> None:
    line = b"x" * 700_000
    log.write_bytes(line)
    follower = Follower(log)
    assert _poll(follower) == []
    _append(log, b"\nnext\n")
    assert b"".join(item for item in _poll(follower) if isinstance(item, bytes)) == line + b"\nnext\n"
    follower.close()


def test_iter_follow_rests_between_empty_looks(log: Path) -> None:
    log.write_bytes(b"one\n")
    slept: list[float] = []
    follower = Follower(log)
    items = iter_follow([follower], sleep=slept.append)
    first = next(items)
    assert first is not None
    assert first[1] == Block(0, b"one\n")
    assert [next(items), next(items)] == [None, None]
    assert slept == [0.04]
    follower.close()


class FollowedLog(RuleBasedStateMachine):
    """Random writers and rotations against a follower that looks at random moments."""

    number = 0

    @initialize()
    def start(self) -> None:
        import tempfile

        self.directory = tempfile.TemporaryDirectory()
        self.log = Path(self.directory.name) / "videodb_events.jsonl"
        self.log.write_bytes(b"")
        self.written: list[bytes] = []
        self.seen: list[bytes] = []
        self.partial = b""
        self.follower = Follower(self.log)

    @rule(size=st.integers(1, 3))
    def write(self, size: int) -> None:
        lines = []
        for _ in range(size):
            self.number += 1
            lines.append(b"line %d\n" % self.number)
        _append(self.log, self.partial + b"".join(lines))
        self.written += lines
        if self.partial:
            self.written[-size] = self.partial + self.written[-size]
            self.partial = b""

    @rule()
    def look(self) -> None:
        for item in self.follower.poll():
            if isinstance(item, Block):
                self.seen += item.data.splitlines(keepends=True)

    @rule()
    def rotate(self) -> None:
        for number in range(60, 0, -1):
            old = self.log.with_name(f"{self.log.name}.{number}")
            if old.exists():
                old.rename(self.log.with_name(f"{self.log.name}.{number + 1}"))
        self.log.rename(self.log.with_name(f"{self.log.name}.1"))
        self.log.write_bytes(b"")

    def teardown(self) -> None:
        if not hasattr(self, "follower"):
            return
        self.look()
        self.look()
        self.follower.close()
        self.directory.cleanup()
        assert self.seen == self.written


TestFollowedLog = FollowedLog.TestCase
TestFollowedLog.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
