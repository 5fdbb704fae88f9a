"""The truth about a listener, from its lock, its note and its state file."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import TO_NOW, Time
from videodb_cli.app import background_listener as ensuring
from videodb_cli.app import stop_listener as stopping
from videodb_cli.app.background_listener import ensure_listener
from videodb_cli.app.listen_options import ListenOptions
from videodb_cli.app.listener_status import already_running, listener_status
from videodb_cli.app.stop_listener import stop_listener
from videodb_cli.commands import status_rows
from videodb_cli.errors import ConflictError, RefusedError, TimedOutError, UsageError
from videodb_cli.process import background
from videodb_cli.process import clock as clock_module
from videodb_cli.process.background import BackgroundJob, NotReadyError, Started
from videodb_cli.process.clock import Clock
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import lock, state
from videodb_cli.rundir.listener_state import ListenerState, running_listener
from videodb_cli.rundir.lock import DirectoryLock
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, Secret

NOW = 1772446530.0
STANDING = {
    "pid": os.getpid(),
    "start_token": current_start_token(),
    "state": "connected",
    "written_at": NOW - 1,
    "connection_id": "ws-1",
    "connected_since": NOW - 1000,
    "last_message_at": None,
    "last_pong_at": NOW - 3,
    "ping_interval_s": 15.0,
    "ping_timeout_s": 15.0,
}


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


@pytest.fixture
def held(run_dir: RunDir) -> Iterator[DirectoryLock]:
    lock = DirectoryLock(run_dir.lock)
    lock.acquire(current_start_token())
    yield lock
    lock.release()


def test_nothing_runs(run_dir: RunDir) -> None:
    assert listener_status(None).state == "stopped"
    assert listener_status(run_dir).state == "stopped"
    assert running_listener(run_dir) is None


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        ({}, "listening", ""),
        ({"last_pong_at": NOW - 20}, "listening", ""),
        ({"last_pong_at": NOW - 22}, "deaf", "nothing came back for 22 s"),
        ({"last_pong_at": NOW - 22, "last_bytes_at": NOW - 3}, "listening", ""),
        ({"last_pong_at": NOW - 22, "written_at": NOW - 4}, "listening", ""),
        ({"last_pong_at": NOW - 60, "last_message_at": NOW - 2}, "listening", ""),
        ({"last_pong_at": None, "connected_since": NOW - 2}, "listening", ""),
        ({"last_pong_at": None}, "deaf", "nothing came back"),
        ({"written_at": NOW - 16}, "deaf", "it has said nothing about itself for 16 s"),
        ({"written_at": NOW + 500}, "listening", ""),
        ({"state": "connecting", "last_failure": "HTTP 503"}, "connecting", "HTTP 503"),
        ({"state": "connecting"}, "connecting", "no connection stands yet"),
        ({"written_at": None}, "connecting", "it is starting"),
        ({"start_token": "an earlier one"}, "connecting", "it is starting"),
    ],
)
@pytest.mark.usefixtures("held")
def test_states(run_dir: RunDir, change: dict[str, Any], expected: str, words: str) -> None:
    state.write(run_dir.listener_state, {**STANDING, **change})
    found = listener_status(run_dir, NOW)
    assert (found.state, words in found.why) == (expected, True)
    assert found.pid == os.getpid()
    assert found.connection_id == (None if expected == "connecting" else "ws-1")


@pytest.mark.usefixtures("held")
def test_one_that_hears_and_cannot_write_is_neither_deaf_nor_healthy(run_dir: RunDir) -> None:
    state.write(run_dir.listener_state, {**STANDING, "trouble": None})
    assert listener_status(run_dir, NOW).is_healthy
    state.write(run_dir.listener_state, {**STANDING, "trouble": "No space left on device"})
    found = listener_status(run_dir, NOW)
    assert (found.state, found.is_healthy, found.connection_id) == ("listening", False, "ws-1")
    assert found.why == "the log cannot be written: No space left on device"


@pytest.mark.usefixtures("held")
def test_a_file_system_that_became_read_only(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be told there, and that is what is said."""
    state.write(run_dir.listener_state, {**STANDING, "written_at": NOW - 60})

    class ReadOnly:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr(os, "statvfs", lambda _: ReadOnly)
    found = listener_status(run_dir, NOW)
    assert found.listener is not None
    assert (found.state, found.trouble, found.listener.log_writable) == ("deaf", "Read-only file system", False)
    assert found.why.startswith("its file system is read-only, so the log cannot be written; it has said nothing")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*ListenerState.__struct_fields__, "v"])
STATES = st.binary(max_size=60) | st.dictionaries(NAMES | st.text(max_size=5), JSON).map(
    lambda fields: json.dumps({**STANDING, **fields}).encode("utf-8", "surrogatepass")
)


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunDir]:
    """A directory whose lock is held, for all examples."""
    run_dir = RunDir(tmp_path_factory.mktemp("standing"))
    lock = DirectoryLock(run_dir.lock)
    lock.acquire(current_start_token())
    yield run_dir
    lock.release()


@given(content=STATES)
def test_no_state_file_breaks_status(standing: RunDir, content: bytes) -> None:
    """Whatever stands in the file, by whichever version or accident: an answer, or a refusal by name."""
    run_dir = standing
    run_dir.listener_state.write_bytes(content)
    with contextlib.redirect_stdout(io.StringIO()), pytest.MonkeyPatch.context() as patch:
        patch.setattr(state, "_LOOK_AGAIN_S", 0.0)
        try:
            found = listener_status(run_dir, NOW)
        except RefusedError:
            return
        assert found.state in {"listening", "connecting", "deaf"}
        status_rows._show(found, run_dir.log)
        json.dumps(status_rows.as_json_of(found))


@pytest.mark.usefixtures("held")
def test_starting_and_newer(run_dir: RunDir) -> None:
    assert listener_status(run_dir).why == "it is starting"
    assert "not connected at the moment" in str(already_running(run_dir))
    run_dir.listener_state.write_text('{"v":2}')
    with pytest.raises(RefusedError):
        listener_status(run_dir)


def test_died_is_told_once(run_dir: RunDir, held: DirectoryLock) -> None:
    state.write(run_dir.listener_state, STANDING)
    run_dir.pid.write_text("4127\n")
    held.release()
    found = listener_status(run_dir, NOW)
    assert (found.state, "pid 4127" in found.why) == ("died", True)
    assert listener_status(run_dir, NOW).state == "stopped"


def test_ages(run_dir: RunDir, held: DirectoryLock) -> None:
    del held
    state.write(run_dir.listener_state, STANDING)
    found = listener_status(run_dir, NOW)
    assert found.age("last_pong_at") == 3
    assert found.age("last_message_at") is None
    assert replace(found, now=NOW - 100).age("written_at") == 0


@pytest.mark.usefixtures("held")
@pytest.mark.parametrize("step_s", [0.0, TO_NOW, 3600.0, -3600.0, -TO_NOW])
def test_ages_are_true_also_if_the_clock_was_set_since(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    running = Time()
    monkeypatch.setattr(clock_module, "uptime_s", lambda: running.uptime)
    monkeypatch.setattr("time.time", lambda: running.wall)
    clock = Clock(wall=lambda: running.wall, uptime=lambda: running.uptime)
    noted = {"connected_since": clock.unix() - 100, "last_message_at": None, "last_pong_at": clock.unix() - 3}
    state.write(run_dir.listener_state, {**STANDING, "written_at": clock.unix(), **noted, **clock.marks()})
    running.passes(4.0)
    running.is_set(step_s)
    found = listener_status(run_dir)
    assert (found.state, found.why) == ("listening", "")
    assert found.age("last_pong_at") == pytest.approx(7.0, abs=0.01)
    assert found.age("connected_since") == pytest.approx(104.0, abs=0.01)
    running.passes(60.0)
    found = listener_status(run_dir)
    assert (found.state, found.why) == ("deaf", "it has said nothing about itself for 64 s")


# ---- stop ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("refuses", "sent"), [(0, ["TERM"]), (1, ["TERM", "TERM"]), (2, ["TERM", "TERM", "KILL"])])
def test_the_ladder(
    run_dir: RunDir, held: DirectoryLock, monkeypatch: pytest.MonkeyPatch, refuses: int, sent: list[str]
) -> None:
    signals: list[str] = []

    def kill(pid: int, number: Any) -> None:
        assert pid == os.getpid()
        signals.append(number.name.removeprefix("SIG"))
        if len(signals) > refuses:
            held.release()

    monkeypatch.setattr(stopping, "_LADDER", (("SIGTERM", 0.02), ("SIGTERM", 0.02), ("SIGKILL", 0.02)))
    monkeypatch.setattr(os, "kill", kill)
    monkeypatch.setattr(lock, "is_held", lambda _: held._fd is not None)
    assert stop_listener(run_dir, pause=lambda _: None) == os.getpid()
    assert signals == sent


@pytest.mark.parametrize(
    ("grows_until", "ends_at", "sent"),
    [(30.0, 35.0, ["TERM"]), (20.0, 32.0, ["TERM", "TERM"]), (1e9, 1e9, ["TERM", "TERM", "KILL"])],
)
def test_one_that_still_writes_is_not_hurried(
    run_dir: RunDir,
    held: DirectoryLock,
    monkeypatch: pytest.MonkeyPatch,
    grows_until: float,
    ends_at: float,
    sent: list[str],
) -> None:
    signals: list[str] = []
    now = 0.0
    run_dir.log.touch()

    def kill(_: int, number: Any) -> None:
        signals.append(number.name.removeprefix("SIG"))
        if number.name == "SIGKILL":
            held.release()

    def pause(seconds: float) -> None:
        nonlocal now
        now += seconds
        if now < grows_until:
            with run_dir.log.open("ab") as log:
                log.write(b"{}\n")
        if now > ends_at:
            held.release()

    class Clock:
        @staticmethod
        def monotonic() -> float:
            return now

    monkeypatch.setattr(stopping, "time", Clock)
    monkeypatch.setattr(stopping.os, "kill", kill)
    monkeypatch.setattr(stopping.lock, "is_held", lambda _: held._fd is not None)
    assert stop_listener(run_dir, pause=pause) == os.getpid()
    assert signals == sent
    assert now < 120


def test_one_that_does_not_end_or_is_not_ours(
    run_dir: RunDir, held: DirectoryLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    del held

    def deny(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(stopping, "_LADDER", (("SIGTERM", 0.01),))
    monkeypatch.setattr(lock, "is_held", lambda _: True)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    with pytest.raises(RefusedError, match="does not end"):
        stop_listener(run_dir, pause=lambda _: None)
    monkeypatch.setattr(os, "kill", deny)
    with pytest.raises(RefusedError, match="somebody else"):
        stop_listener(run_dir, pause=lambda _: None)


# ---- ensure ----------------------------------------------------------------------------------------------------------


Ensure = Callable[..., Any]


@pytest.fixture
def ensure(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> Ensure:
    credentials = Credentials(Secret("sk-1"), "https://api.example", "./.env", "./.env")

    def call(outcome: Started | Exception, *, clear: bool = False) -> Any:
        def start(job: BackgroundJob, **_: object) -> Started:
            assert "sk-1" not in json.dumps(job.request)
            assert job.environment is not None
            assert job.environment["VIDEO_DB_API_KEY"] == "sk-1"
            assert job.environment["VIDEO_DB_API"] == "https://api.example"
            assert ListenOptions.from_json(job.request).clear is clear
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        monkeypatch.setattr(background, "start", start)
        options = ListenOptions(clear=clear)
        return ensure_listener(run_dir, credentials=credentials, options=options, timeout_s=0.05, pause=lambda _: None)

    return call


NEVER = NotReadyError("listener", 77, 0.05)


def test_a_new_one(ensure: Ensure) -> None:
    found = ensure(Started(77, {"connection_id": "ws-1"}))
    assert (found.connection_id, found.pid, found.was_running) == ("ws-1", 77, False)


def test_one_that_is_not_connected_in_time(ensure: Ensure) -> None:
    with pytest.raises(TimedOutError, match="goes on trying as pid 77"):
        ensure(NEVER)


def test_what_ended_it_is_raised(ensure: Ensure) -> None:
    with pytest.raises(UsageError, match="m"):
        ensure(UsageError("m"))


CONFLICT = ConflictError("already")


def test_a_lost_race(ensure: Ensure, run_dir: RunDir, held: DirectoryLock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another one won between our look and our start: it is the listener, unless we were to clear the log."""
    del held
    state.write(run_dir.listener_state, STANDING)
    looks = iter([None])
    real = running_listener

    def look(found: RunDir) -> ListenerState | None:
        return next(looks, real(found))

    monkeypatch.setattr(ensuring, "running_listener", look)
    found = ensure(CONFLICT)
    assert (found.connection_id, found.pid, found.was_running) == ("ws-1", os.getpid(), True)
    looks = iter([None])
    with pytest.raises(ConflictError):
        ensure(CONFLICT, clear=True)


def test_one_that_runs(ensure: Ensure, run_dir: RunDir, held: DirectoryLock) -> None:
    with pytest.raises(TimedOutError, match=f"pid {os.getpid()}"):
        ensure(NEVER)
    state.write(run_dir.listener_state, STANDING)
    assert ensure(NEVER).was_running
    with pytest.raises(ConflictError, match="connected as ws-1"):
        ensure(NEVER, clear=True)
    held.release()
    run_dir.listener_state.unlink()
    with pytest.raises(TimedOutError):
        ensure(NEVER)
