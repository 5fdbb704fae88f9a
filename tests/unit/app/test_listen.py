"""The second stop signal: at once, and still nothing that was received is lost while the disk works."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from videodb_cli.app import listen
from videodb_cli.app.listen import force_end
from videodb_cli.eventlog.write.store import LogStore


class Turns:
    """Lets the writing thread wait for a turn until `give`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._given = threading.Event()
        real = LogStore._write_until_closed

        def wait_for_turn(store: LogStore) -> None:
            assert self._given.wait(20)
            real(store)

        monkeypatch.setattr(LogStore, "_write_until_closed", wait_for_turn)

    def give(self) -> None:
        self._given.set()


def test_what_was_received_is_written_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(monkeypatch)
    monkeypatch.setattr(listen, "_LAST_WRITES_S", 20.0)
    log = tmp_path / "log"
    store = LogStore(log)
    store.open()
    line, _ = store.receive(b'{"n":1}')
    timer = threading.Timer(0.05, turns.give)
    timer.start()
    at_the_end: list[bytes] = []
    force_end(store, lambda: at_the_end.append(log.read_bytes()))
    assert at_the_end == [line]
    timer.join()
    store.close()


def test_a_stuck_disk_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    turns = Turns(monkeypatch)
    monkeypatch.setattr(listen, "_LAST_WRITES_S", 0.05)
    store = LogStore(tmp_path / "log")
    store.open()
    store.receive(b'{"n":1}')
    ended: list[float] = []
    began = time.monotonic()
    force_end(store, lambda: ended.append(time.monotonic() - began))
    assert 0.05 <= ended[0] < 10
    turns.give()
    assert store.close() == 0


def test_a_log_that_was_never_opened(tmp_path: Path) -> None:
    store = LogStore(tmp_path / "log")
    store.receive(b'{"n":1}')
    ended: list[bool] = []
    force_end(store, lambda: ended.append(True))
    assert ended
