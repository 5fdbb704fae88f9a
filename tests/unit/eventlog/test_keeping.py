"""How the log is kept: rotation by size, and bringing it to the disk."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.eventlog.write import store as store_module
from videodb_cli.eventlog.write import sync as syncing
from videodb_cli.eventlog.write.store import Keeping, LogStore, LogTrouble
from videodb_cli.eventlog.write.sync import GroupCommit


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "videodb_events.jsonl"


def contents(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def numbers(path: Path) -> list[int]:
    return [line["n"] for line in contents(path) if "n" in line]


def eventually(condition: Callable[[], bool], timeout_s: float = 10.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.002)


def test_rotation_by_size_loses_nothing_and_keeps_so_many(log: Path) -> None:
    store = LogStore(log, keeping=Keeping(max_size=2000, keep=3))
    store.open()
    for number in range(400):
        store.receive(b'{"n":%d}' % number)
    assert store.close() == 0
    files = [log.with_name(f"{log.name}.{number}") for number in (3, 2, 1)] + [log]
    assert all(path.stat().st_size <= 2000 for path in files)
    assert not log.with_name(f"{log.name}.4").exists()
    kept = [number for path in files for number in numbers(path)]
    assert kept == list(range(kept[0], 400))
    for path in files:
        first = contents(path)[0]
        assert (first["event"], first["data"]["reason"]) == ("log.rotated", "size")
        stamps = [line["unix_ts"] for line in contents(path)]
        assert stamps == sorted(stamps)


def test_a_line_larger_than_a_file_has_a_file_of_its_own(log: Path) -> None:
    store = LogStore(log, keeping=Keeping(max_size=500, keep=9))
    store.open()
    for number in (1, 2, 3):
        store.receive(b'{"n":%d,"text":"%s"}' % (number, b"x" * 2000))
    assert store.close() == 0
    files = [log.with_name(f"{log.name}.2"), log.with_name(f"{log.name}.1"), log]
    assert [numbers(path) for path in files] == [[1], [2], [3]]


def test_a_log_cut_in_the_middle_of_a_line_joins_nothing(log: Path) -> None:
    store = LogStore(log)
    store.open()
    store.receive(b'{"n":1}')
    store.receive(b'{"n":2}')
    assert store.flush(5)
    os.truncate(log, log.stat().st_size - 3)
    store.receive(b'{"n":3}')
    assert store.close() == 0
    assert [line.get("n", line.get("event")) for line in contents(log)] == [1, "log.torn", 3]


@pytest.mark.parametrize("mode", syncing.MODES)
def test_when_it_is_synced(log: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []

    def sync(fd: int) -> None:
        synced.append(os.fstat(fd).st_size)

    monkeypatch.setattr(syncing, "sync", sync)
    monkeypatch.setattr(store_module, "INTERVAL_S", 3600.0)
    store = LogStore(log, keeping=Keeping(sync=mode))
    store.open()
    store.receive(b'{"n":1}')
    assert store.flush(5)
    if mode == "always":
        eventually(lambda: synced[-1:] == [log.stat().st_size])
    elif mode == "interval":
        assert synced[-1:] != [log.stat().st_size], "it waits for more"
    assert store.close() == 0
    assert (synced[-1:] == [log.stat().st_size]) == (mode != "none")


@pytest.mark.parametrize("mode", ["interval", "always"])
def test_no_line_waits_in_memory_for_a_sync(log: Path, mode: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, let_go = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        stuck.set()
        assert let_go.wait(30)

    monkeypatch.setattr(syncing, "sync", sync)
    store = LogStore(log, keeping=Keeping(sync=mode))
    store.open()
    store.receive(b'{"n":1}')
    assert stuck.wait(10)
    store.receive(b'{"n":2}')
    assert store.flush(10)
    assert numbers(log) == [1, 2]
    let_go.set()
    assert store.close() == 0
    assert store.is_confirmed


def test_commits_are_grouped_and_failures_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[OSError] = []
    calls = threading.Semaphore(0)

    def sync(fd: int) -> None:
        calls.release()
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(syncing, "sync", sync)
    fd = os.open(log, os.O_CREAT | os.O_WRONLY)
    commit = GroupCommit(failures.append, interval_s=0.01)
    commit.follow(fd)
    for _ in range(1000):
        commit.wrote()
    assert calls.acquire(timeout=5)
    commit.close()
    os.close(fd)
    assert 1 <= len(failures) < 1000


def test_a_failed_sync_is_trouble(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []

    def sync(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(syncing, "sync", sync)
    store = LogStore(log, on_trouble=told.append)
    store.open()
    store.receive(b'{"n":1}')
    assert store.close() == 0
    assert LogTrouble("Input/output error") in told
    assert numbers(log) == [1]


class Gate:
    """A lock that says when somebody is about to take it, and lets nobody in before `opened`."""

    def __init__(self, lock: Any) -> None:
        self._lock = lock
        self.reached, self.opened = threading.Event(), threading.Event()

    def __enter__(self) -> None:
        self.reached.set()
        assert self.opened.wait(10)
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def test_an_end_that_comes_while_a_sync_begins_is_not_slept_through(log: Path) -> None:
    """A stop would wait for ever: it did, once in some thousand times, on a busy machine."""
    log.touch()
    commit = GroupCommit(lambda _: None, interval_s=0.001)
    with log.open("rb") as file:
        commit.follow(file.fileno())
        gate = Gate(commit._lock)
        commit._lock = gate  # type: ignore[assignment]
        commit.wrote()
        assert gate.reached.wait(10)
        ended: list[bool] = []
        closer = threading.Thread(target=lambda: ended.append(commit.close(10)), daemon=True)
        closer.start()
        assert commit._end.wait(10)
        while not commit._dirty.is_set():
            assert closer.is_alive()
        gate.opened.set()
        closer.join(15)
        assert ended == [True]


def test_a_stop_does_not_wait_for_a_stuck_disk(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, let_go = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        stuck.set()
        assert let_go.wait(30)

    monkeypatch.setattr(syncing, "sync", sync)
    store = LogStore(log)
    store.open()
    store.receive(b'{"n":1}')
    assert stuck.wait(10)
    assert store.close(timeout_s=0.3) == 0, "it is with the system, which brings it to the disk"
    assert not store.is_confirmed
    assert numbers(log) == [1]
    let_go.set()
