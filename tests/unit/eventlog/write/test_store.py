"""The one writer: order, wholeness, and what it does when disk, clock or somebody else gets in its way."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.write import store as store_module
from videodb_cli.eventlog.write.store import LogBack, LogStore, LogTrouble


class Clock:
    """A clock that stands until it is set."""

    def __init__(self) -> None:
        self.now = 1772446530.0

    def __call__(self) -> float:
        return self.now


class Disk:
    """What `os.write` of the store does: everything, or the next answers of a script (a count, or an error number)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.script: list[int | OSError] = []
        self.real = os.write
        monkeypatch.setattr(os, "write", self.write)

    def write(self, fd: int, data: Any) -> int:
        if threading.current_thread().name != "log-writer" or not self.script:
            return self.real(fd, data)
        answer = self.script.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return self.real(fd, data[:answer])


FULL = OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_RETRY_S", 0.01)
    monkeypatch.setattr(store_module, "_LOOK_S", 0.01)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "videodb_events.jsonl"


@pytest.fixture
def told() -> list[LogTrouble | LogBack]:
    return []


@pytest.fixture
def store(log: Path, clock: Clock, told: list[LogTrouble | LogBack]) -> Iterator[LogStore]:
    store = LogStore(log, clock=clock, on_trouble=told.append)
    yield store
    store.close()


def lines(path: Path) -> list[dict[str, Any]]:
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line) for line in content.splitlines()]


def texts(path: Path) -> list[Any]:
    return [line.get("n", line.get("event", line.get("raw"))) for line in lines(path)]


def eventually(condition: Callable[[], Any], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.002)


def put(store: LogStore, *numbers: int) -> None:
    for number in numbers:
        store.receive(b'{"n":%d}' % number)


def test_lines_are_written_in_order_and_counted(store: LogStore, log: Path) -> None:
    store.open()
    line, event = store.receive(b'{"n":1}')
    assert event == {"n": 1}
    own = store.record("listener.connected", "connected", {"connection_id": "ws-1"})
    assert store.receive(b"null")[1] is None
    assert store.flush(5)
    assert log.read_bytes().startswith(line + own)
    assert texts(log) == [1, "listener.connected", "null"]
    assert (store.lines, store.size, store.pending_bytes) == (3, log.stat().st_size, 0)
    assert log.stat().st_mode & 0o777 == 0o600
    assert store.close() == 0
    assert store.close() == 0


def test_what_waits_for_the_opening_is_written_after_the_clearing(store: LogStore, log: Path) -> None:
    log.write_text('{"ts":"x","unix_ts":1,"n":"old"}\n')
    for name in (".1", ".7.gz", ".torn-1", ".index"):
        log.with_name(log.name + name).touch()
    keep = log.with_name("videodb_events.jsonl.mine")
    keep.touch()
    put(store, 1)
    assert store.pending_bytes > 0
    assert log.read_text() != ""
    store.open(clear=True)
    put(store, 2)
    assert store.flush(5)
    assert texts(log) == [1, 2]
    assert sorted(path.name for path in log.parent.iterdir()) == [log.name, keep.name]


def test_flood_from_one_thread_is_complete_and_in_order(store: LogStore, log: Path) -> None:
    store.open()
    put(store, *range(50_000))
    assert store.close() == 0
    assert texts(log) == list(range(50_000))


def test_a_short_write_is_taken_back(
    store: LogStore, log: Path, monkeypatch: pytest.MonkeyPatch, told: list[LogTrouble | LogBack]
) -> None:
    disk = Disk(monkeypatch)
    store.open()
    put(store, 1)
    assert store.flush(5)
    length = log.stat().st_size
    disk.script = [length + 20, FULL, FULL, 5, FULL, 0, 3]
    put(store, 2, 3, 4)
    assert store.flush(5)
    assert texts(log) == [1, 2, 3, 4]
    eventually(lambda: isinstance(told[-1], LogBack))
    assert told[0] == LogTrouble("No space left on device")
    assert not store.is_troubled


def test_trouble_keeps_lines_in_memory_and_whole_lines_in_the_file(
    store: LogStore, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    store.open()
    disk.script = [10, *[FULL] * 10_000]
    put(store, 1, 2)
    eventually(lambda: store.is_troubled)
    assert log.read_bytes() == b""
    assert store.pending_bytes == len(b'{"ts":"2026-03-02T10:15:30.000Z","unix_ts":1772446530.000,"n":1}\n') * 2
    assert not store.flush(0.02)
    disk.script = []
    assert store.flush(5)
    assert texts(log) == [1, 2]


def test_taking_back_that_fails_is_done_before_anything_else(
    store: LogStore, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(monkeypatch)
    store.open()
    real, failures = os.ftruncate, [FULL]

    def ftruncate(fd: int, length: int) -> None:
        if failures:
            raise failures.pop()
        real(fd, length)

    monkeypatch.setattr(os, "ftruncate", ftruncate)
    disk.script = [10, FULL]
    put(store, 1, 2)
    assert store.flush(5)
    assert texts(log) == [1, 2]
    assert not failures


def test_closing_on_a_full_disk_says_what_is_lost(store: LogStore, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = Disk(monkeypatch)
    store.open()
    disk.script = [FULL] * 100_000
    line, _ = store.receive(b'{"n":1}')
    assert store.close(0.05) == len(line)
    disk.script = []
    assert store.close() == 0
    assert texts(log) == [1]


def test_closing_waits_for_a_disk_that_is_only_slow(
    store: LogStore, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is queued is not given up while it grows less, however long that takes in all."""
    real = os.write
    monkeypatch.setattr(store_module, "_MAX_BATCH_BYTES", 1)

    def write(fd: int, data: Any) -> int:
        if threading.current_thread().name == "log-writer":
            time.sleep(0.05)
        return real(fd, data)

    monkeypatch.setattr(store_module.os, "write", write)
    put(store, *range(30))
    store.open()
    assert store.close(0.5) == 0
    assert texts(log) == list(range(30))


@pytest.mark.parametrize("how", ["renamed", "removed", "truncated", "replaced"])
def test_somebody_else_rotates(store: LogStore, log: Path, how: str) -> None:
    store.open()
    put(store, 1)
    assert store.flush(5)
    if how == "renamed":
        log.rename(log.with_name("elsewhere"))
    elif how == "removed":
        log.unlink()
    elif how == "truncated":
        os.truncate(log, 0)
    else:
        log.with_name("other").write_text('{"n":0}\n')
        log.with_name("other").replace(log)
    if how in {"renamed", "removed"}:
        eventually(log.exists)
    put(store, 2)
    assert store.flush(5)
    assert texts(log) == ([0, 2] if how == "replaced" else [2])
    if how == "renamed":
        assert texts(log.with_name("elsewhere")) == [1]


def test_the_directory_goes_and_comes_back(tmp_path: Path, clock: Clock) -> None:
    directory = tmp_path / "d"
    directory.mkdir()
    store = LogStore(directory / "log", clock=clock)
    store.open()
    (directory / "log").unlink()
    directory.rmdir()
    put(store, 1)
    eventually(lambda: store.is_troubled)
    directory.mkdir()
    assert store.flush(5)
    store.close()
    assert texts(directory / "log") == [1]


def test_a_link_in_the_place_of_the_log_is_never_followed(store: LogStore, log: Path, tmp_path: Path) -> None:
    store.open()
    log.unlink()
    log.symlink_to(tmp_path / "victim")
    put(store, 1)
    eventually(lambda: store.is_troubled or log.is_file())
    if log.is_symlink():  # it was there before the store looked
        log.unlink()
        assert store.flush(5)
        assert texts(log) == [1]
    assert not (tmp_path / "victim").exists()


def test_what_cannot_be_opened_is_refused(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "target")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "directory").mkdir()
    for name in ("link", "fifo", "directory", "missing/log"):
        with pytest.raises(RefusedError, match=name):
            LogStore(tmp_path / name, clock=clock).open()
    assert not (tmp_path / "target").exists()


def test_a_torn_tail_is_set_aside_and_told(store: LogStore, log: Path) -> None:
    log.write_bytes(b'{"ts":"a","unix_ts":1,"n":1}\n{"ts":"b","uni')
    store.open()
    put(store, 2)
    assert store.flush(5)
    found = lines(log)
    assert texts(log) == [1, "log.torn", 2]
    aside = log.with_name(found[1]["data"]["file"])
    assert aside.read_bytes() == b'{"ts":"b","uni'
    assert found[1]["data"]["bytes"] == 14


def test_a_torn_tail_of_a_file_that_came_later_is_told_before_the_next_line(store: LogStore, log: Path) -> None:
    store.open()
    other = log.with_name("other")
    other.write_text("torn")
    other.replace(log)
    eventually(lambda: log.read_bytes() == b"")
    put(store, 1, 2)
    assert store.flush(5)
    found = lines(log)
    assert texts(log) == ["log.torn", 1, 2]
    assert found[0]["unix_ts"] <= found[1]["unix_ts"]


def test_stamps_go_on_from_the_last_line(store: LogStore, log: Path, clock: Clock) -> None:
    log.write_text('{"ts":"2026-03-02T10:15:31.500Z","unix_ts":1772446531.500}\n')
    store.open()
    put(store, 1)
    clock.now = 1772446531.6
    put(store, 2)
    assert store.flush(5)
    assert [line["unix_ts"] for line in lines(log)] == [1772446531.5, 1772446531.5, 1772446531.6]


def test_a_clock_that_falls_begins_a_new_file(store: LogStore, log: Path, clock: Clock) -> None:
    store.open()
    put(store, 1)
    clock.now -= 59
    put(store, 2)
    clock.now -= 3600
    put(store, 3)
    clock.now += 1
    put(store, 4)
    assert store.flush(5)
    assert [line["unix_ts"] for line in lines(log.with_name(log.name + ".1"))] == [1772446530.0] * 2
    rotated, *rest = lines(log)
    assert (rotated["event"], rotated["data"]["reason"]) == ("log.rotated", "clock")
    assert rotated["unix_ts"] == 1772446530.0 - 3659
    assert [line["n"] for line in rest] == [3, 4]
    assert rest[0]["unix_ts"] <= rest[1]["unix_ts"]


def test_a_log_from_the_future_gives_way_at_the_first_line(store: LogStore, log: Path) -> None:
    log.write_text('{"ts":"2099-01-01T00:00:00.000Z","unix_ts":4070908800.000,"n":0}\n')
    store.open()
    put(store, 1)
    assert store.flush(5)
    assert texts(log.with_name(log.name + ".1")) == [0]
    assert texts(log) == ["log.rotated", 1]


def test_rotation_of_a_log_that_is_gone_goes_on(
    store: LogStore, log: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.open()
    put(store, 1)
    assert store.flush(5)
    monkeypatch.setattr(store_module, "_LOOK_S", 60)
    log.unlink()
    clock.now -= 3600
    put(store, 2)
    assert store.flush(5)
    assert texts(log) == ["log.rotated", 2]


def test_rotation_keeps_the_lines_apart(store: LogStore, log: Path, clock: Clock) -> None:
    store.open()
    put(store, 1)
    clock.now -= 3600
    put(store, 2)
    assert store.flush(5)
    assert texts(log.with_name(log.name + ".1")) == [1]
    assert texts(log) == ["log.rotated", 2]
