"""How long a line may wait for a writing thread that gets no turn, and that the receiver never waits for a disk."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.eventlog.write import store as store_module
from videodb_cli.eventlog.write import sync as syncing
from videodb_cli.eventlog.write import watchdog
from videodb_cli.eventlog.write.store import Keeping, LogStore
from videodb_cli.eventlog.write.watchdog import HELP_S, LATE_S, SLOW_S, WriteWatchdog

PATIENCE_S = 10.0


class Loop:
    """Stands in for the event loop: time passes when a test says so, and what is due is called."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.calls = 0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> None:
        self._due.append((self.now + delay_s, callback))

    def pass_time(self, seconds: float) -> None:
        """Let time pass, in steps from one callback to the next."""
        end = self.now + seconds
        while due := [item for item in self._due if item[0] <= end + 1e-9]:
            first = min(due, key=lambda item: item[0])
            self._due.remove(first)
            self.now = max(self.now, first[0])
            self.calls += 1
            first[1]()
        self.now = end

    def turn(self) -> None:
        """End one turn: what was to be called at once is called."""
        self.pass_time(0.0)


class Writes:
    """Who wrote how often; `hold` stops the writing thread inside its system call, as a stuck disk does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.by_thread = 0
        self.by_receiver = 0
        self.before_receiver: Callable[[], None] = lambda: None
        self.hold = False
        self.held, self.let_go = threading.Event(), threading.Event()
        self._real = os.write
        monkeypatch.setattr(store_module.os, "write", self._write)

    def _write(self, fd: int, data: Any) -> int:
        if threading.current_thread().name == "log-writer":
            self.by_thread += 1
            if self.hold:
                self.held.set()
                assert self.let_go.wait(PATIENCE_S)
        elif threading.current_thread() is threading.main_thread():
            self.by_receiver += 1
            self.before_receiver()
        return self._real(fd, data)


class Starved:
    """Keeps the writing thread of every store from getting a turn until `feed`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._fed = threading.Event()
        real = LogStore._write_until_closed

        def wait_for_turn(store: LogStore) -> None:
            assert self._fed.wait(PATIENCE_S)
            real(store)

        monkeypatch.setattr(LogStore, "_write_until_closed", wait_for_turn)

    def feed(self) -> None:
        self._fed.set()


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "videodb_events.jsonl"


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Writes:
    return Writes(monkeypatch)


@pytest.fixture
def starved(monkeypatch: pytest.MonkeyPatch) -> Iterator[Starved]:
    thread = Starved(monkeypatch)
    yield thread
    thread.feed()


def watched(log: Path, loop: Loop, **keeping: Any) -> LogStore:
    store = LogStore(log, keeping=Keeping(**{"sync": "none", **keeping}))
    store.open()
    WriteWatchdog(store, loop.call_later, lambda: loop.now).start()
    return store


def put(store: LogStore, *numbers: int) -> None:
    for number in numbers:
        store.receive(b'{"n":%d}' % number)


def numbers(path: Path) -> list[Any]:
    content = path.read_bytes()
    assert content == b"" or content.endswith(b"\n")
    return [json.loads(line).get("n", "own") for line in content.splitlines()]


def test_a_line_waits_no_longer_than_the_bound(log: Path, loop: Loop, starved: Starved, writes: Writes) -> None:
    store = watched(log, loop)
    put(store, 1)
    loop.pass_time(LATE_S * 0.9)
    assert numbers(log) == [], "it is the thread's first"
    put(store, 2)
    loop.pass_time(LATE_S * 0.2)
    assert numbers(log) == [1, 2]
    assert (writes.by_receiver, writes.by_thread) == (1, 0)
    # From now on nothing waits longer than to the end of the turn in which it came.
    for number in range(3, 30, 3):
        put(store, number, number + 1, number + 2)
        loop.turn()
        assert numbers(log) == list(range(1, number + 3))
        loop.pass_time(0.004)
    assert writes.by_receiver == 10
    starved.feed()
    assert store.close() == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_bound_holds_at_whatever_times_lines_come(
    log: Path, loop: Loop, starved: Starved, writes: Writes, seed: int
) -> None:
    store = watched(log, loop)
    dice = random.Random(seed)
    came: list[float] = []
    for number in range(400):
        put(store, number)
        came.append(loop.now)
        for _ in range(dice.randint(0, 3)):
            loop.pass_time(dice.choice((0.0005, 0.003, LATE_S, HELP_S / 7)) * dice.random())
            for at in came[len(numbers(log)) :]:
                assert loop.now - at <= 2 * LATE_S
    assert writes.by_thread == 0
    starved.feed()
    assert store.close() == 0
    assert numbers(log) == list(range(400))


def test_a_thread_that_writes_in_time_is_left_alone(log: Path, loop: Loop, writes: Writes) -> None:
    store = watched(log, loop)
    for number in range(100):
        put(store, number)
        assert store.flush(PATIENCE_S)
        loop.pass_time(LATE_S * 1.1)
    assert writes.by_receiver == 0
    before = loop.calls
    loop.pass_time(60.0)
    assert loop.calls == before, "nothing wakes the loop while nothing waits"
    store.close()


def test_the_thread_gets_its_work_back(log: Path, loop: Loop, starved: Starved, writes: Writes) -> None:
    store = watched(log, loop)
    put(store, 1)
    loop.pass_time(LATE_S)
    starved.feed()
    loop.pass_time(HELP_S)
    put(store, 2)
    assert store.flush(PATIENCE_S)
    assert (writes.by_receiver, writes.by_thread) == (1, 1)
    store.close()


def test_what_came_before_it_looked_is_looked_after(log: Path, loop: Loop, starved: Starved) -> None:
    store = LogStore(log, keeping=Keeping(sync="none"))
    put(store, 1)
    store.open()
    WriteWatchdog(store, loop.call_later, lambda: loop.now).start()
    loop.pass_time(LATE_S)
    assert numbers(log) == [1]
    starved.feed()
    store.close()


def test_the_receiver_never_waits_for_a_stuck_disk(log: Path, loop: Loop, writes: Writes) -> None:
    store = watched(log, loop)
    writes.hold = True
    put(store, 1)
    assert writes.held.wait(PATIENCE_S)
    for number in range(2, 50):
        put(store, number)
        loop.pass_time(LATE_S)
    assert writes.by_receiver == 0
    assert loop.calls < 200, "and does not ask without end"
    writes.let_go.set()
    assert store.flush(PATIENCE_S)
    assert numbers(log) == list(range(1, 50))
    store.close()


def test_a_disk_that_gets_stuck_while_the_receiver_helps_is_left_to_the_thread(
    log: Path, loop: Loop, starved: Starved, writes: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its sync comes first: every line that was written asks for one within the interval."""
    let_go, stuck = threading.Event(), threading.Event()

    def sync(_: int) -> None:
        if threading.current_thread().name == "log-sync":
            stuck.set()
            assert let_go.wait(PATIENCE_S)

    monkeypatch.setattr(syncing, "sync", sync)
    monkeypatch.setattr(syncing, "SLOW_S", 0.0)
    store = watched(log, loop, sync="interval")
    put(store, 1)
    loop.pass_time(LATE_S)
    assert writes.by_receiver == 1
    assert stuck.wait(PATIENCE_S)
    put(store, 2, 3)
    loop.pass_time(10 * LATE_S)
    assert writes.by_receiver == 1
    assert loop.calls < 30
    let_go.set()
    starved.feed()
    assert store.flush(PATIENCE_S)
    assert numbers(log) == [1, 2, 3]
    store.close()


def test_after_one_slow_write_it_is_the_threads_again(log: Path, loop: Loop, starved: Starved, writes: Writes) -> None:
    store = watched(log, loop)

    def take_long() -> None:
        loop.now += SLOW_S * 1.1

    writes.before_receiver = take_long
    put(store, 1)
    loop.pass_time(LATE_S)
    put(store, 2)
    loop.pass_time(HELP_S * 0.9)
    assert numbers(log) == [1]
    loop.pass_time(HELP_S * 0.2)
    assert numbers(log) == [1, 2], "a disk is not slow for ever"
    starved.feed()
    store.close()


@pytest.mark.parametrize("what", ["rotation", "size", "moved", "removed", "trouble"])
def test_what_is_more_than_an_append_is_the_threads(
    log: Path, loop: Loop, starved: Starved, writes: Writes, what: str
) -> None:
    store = watched(log, loop, max_size=200 if what == "size" else None)
    put(store, 1)
    loop.pass_time(LATE_S)
    assert numbers(log) == [1]
    if what == "rotation":
        store._put_rotation()
    elif what == "moved":
        log.rename(log.with_name("elsewhere"))
    elif what == "removed":
        log.unlink()
    elif what == "trouble":
        store._note_trouble(OSError(28, "No space left on device"))
    put(store, 2, 3, 4)
    loop.pass_time(5 * LATE_S)
    assert writes.by_receiver == 1
    assert loop.calls < 20
    starved.feed()
    assert store.flush(PATIENCE_S)
    assert [n for n in numbers(log) if n != "own"][-1:] == [4]
    assert store.close() == 0


def test_a_failure_of_the_receiver_is_the_logs_trouble(log: Path, loop: Loop, starved: Starved, writes: Writes) -> None:
    told: list[Any] = []
    store = LogStore(log, keeping=Keeping(sync="none"), on_trouble=told.append)
    store.open()
    WriteWatchdog(store, loop.call_later, lambda: loop.now).start()

    def fail() -> None:
        raise OSError(28, "No space left on device")

    writes.before_receiver = fail
    put(store, 1)
    loop.pass_time(LATE_S)
    assert store.trouble == "No space left on device"
    assert len(told) == 1
    put(store, 2)
    starved.feed()
    assert store.flush(PATIENCE_S)
    assert numbers(log) == [1, 2]
    store.close()


def test_two_writers_keep_the_order(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread and the receiver take turns as they come; every line is there once, in order."""
    monkeypatch.setattr(watchdog, "LATE_S", 0.0)
    loop = Loop()
    store = watched(log, loop)
    for number in range(20_000):
        put(store, number)
        if number % 7 == 0:
            loop.pass_time(0.001)
        if number % 1000 == 0:
            # The thread has its part.
            store.wake_writer()
    assert store.close() == 0
    assert numbers(log) == list(range(20_000))
