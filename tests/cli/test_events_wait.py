"""`videodb events wait`: success or failure, whichever comes first; nothing that came in between is missed."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from videodb_cli.main import main
from videodb_cli.rundir.lock import DirectoryLock

Run = Callable[..., tuple[int, str, str]]


def session(status: str, session_id: str = "cap-1", at: float = 1772446530.5, **more: object) -> str:
    event = {"unix_ts": at, "event": f"capture_session.{status}", "capture_session_id": session_id, **more}
    return json.dumps(event) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "videodb_events.jsonl"


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        status = main(["events", "wait", "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


@contextmanager
def _again_and_again(action: Callable[[], object]) -> Iterator[None]:
    """Do something until the block is left: what happened before the command began to look does not count for it."""
    over = threading.Event()

    def act() -> None:
        while not over.wait(0.1):
            action()

    thread = threading.Thread(target=act)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_what_was_there_does_not_count_and_what_comes_does(run: Run, log: Path) -> None:
    log.write_text(session("exported"))
    assert run("--event", "exported", "--timeout", "0.1")[0] == 124

    def write() -> None:
        with log.open("a") as file:
            file.write(session("stopped") + session("exported", "cap-2"))

    with _again_and_again(write):
        assert run("--event", "exported", "--timeout", "60")[:2] == (0, session("exported", "cap-2"))


def test_with_a_session_or_a_time_it_looks_back(run: Run, log: Path) -> None:
    log.write_text(session("exported") + session("exported", "cap-2") + session("failed", "cap-2"))
    assert run("--event", "exported", "--fail-on", "failed", "--session", "last")[:2] == (
        0,
        session("exported", "cap-2"),
    )
    assert run("--event", "stopped", "--fail-on", "failed", "--session", "cap-2")[:2] == (1, session("failed", "cap-2"))
    assert run("--event", "exported", "--since", "1772446530")[:2] == (0, session("exported"))
    assert len(run("--event", "exported", "--since", "1772446530", "--count", "2")[1].splitlines()) == 2


def test_a_log_that_is_not_there_yet(run: Run, log: Path) -> None:
    def write() -> None:
        with log.open("a") as file:
            file.write(session("active"))

    with _again_and_again(write):
        assert run("--event", "active", "--timeout", "60")[:2] == (0, session("active"))


def test_own_lines_count_only_when_named(run: Run, log: Path) -> None:
    own = json.dumps({"unix_ts": 1, "channel": "videodb_cli", "event": "listener.gap", "data": {}}) + "\n"
    log.write_text(own + session("active"))
    assert run("--since", "0")[:2] == (0, session("active"))
    assert run("--since", "0", "--event", "listener.gap")[:2] == (0, own)


def test_old_recovered_events_do_not_count(run: Run, log: Path) -> None:
    old = session("active", recovered=True, data={"start": (1772446530.5 - 61) * 1000})
    log.write_text(old + session("active"))
    assert run("--since", "0", "--event", "active")[:2] == (0, session("active"))
    assert run("--since", "0", "--event", "active", "--recovered")[:2] == (0, old)


def test_without_a_terminal_there_is_a_limit_and_it_is_said(run: Run, log: Path) -> None:
    log.write_text(session("active"))
    assert "300 s" in run("--since", "0")[2]


def test_the_end_of_the_listener_ends_it(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from videodb_cli.commands.events import wait as command

    monkeypatch.setattr(command, "_LOOK_S", 0.05)
    log.write_text("")
    lock = DirectoryLock(tmp_path / "videodb.lock")
    lock.acquire("token")
    ending = threading.Timer(2, lock.release)
    ending.start()
    status, out, err = run("--event", "active", "--timeout", "60")
    ending.join()
    assert (status, out) == (5, "")
    assert "listener ended" in err


@contextmanager
def _standard_input(*lines: str, stays_open: bool = False) -> Iterator[None]:
    """Make a pipe standard input, with these lines in it."""
    reader, writer = os.pipe()
    saved = os.dup(0)
    os.dup2(reader, 0)
    os.close(reader)
    os.write(writer, "".join(lines).encode())
    if not stays_open:
        os.close(writer)
    try:
        yield
    finally:
        os.dup2(saved, 0)
        os.close(saved)
        if stays_open:
            os.close(writer)


def test_standard_input_where_a_dash_is_named(run: Run) -> None:
    lines = session("active"), "broken\n", session("exported")
    with _standard_input(*lines, stays_open=True):
        status, out, err = run("--event", "exported", "--timeout", "10", "-")
        assert (status, out) == (0, lines[2])
        assert "standard input line 2" in err
    with _standard_input(*lines, stays_open=True):
        assert run("--event", "nothing", "--timeout", "0.3", "-")[0] == 124
    with _standard_input(*lines):
        status, out, err = run("--event", "nothing", "-q", "-")
        assert (status, out, "ended before" in err) == (1, "", True)
    with _standard_input(*lines):
        assert run("--event", "exported", "--fail-on", "active", "-")[0] == 1


def test_standard_input_that_is_not_named_is_hinted_at(run: Run, log: Path) -> None:
    log.write_text(session("active"))
    with _standard_input("data\n"):
        assert "name - to read it" in run("--event", "active", "--since", "2020-01-01")[2]
