"""What `capture stop` does to a capture that is already ending, or dead."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.fakes.capture_service import CaptureService
from videodb_cli.api.failures import KeyRefusedError, NoSuchThingError, RequestFailedError
from videodb_cli.app.capture import leftover
from videodb_cli.app.capture import stop as flow
from videodb_cli.capture import running, session_end
from videodb_cli.errors import (
    CredentialsError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    VideodbError,
)
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import capture_state, state
from videodb_cli.rundir.capture_state import CaptureState
from videodb_cli.rundir.lock import DirectoryLock
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, Secret


def write(run_dir: RunDir, fields: dict[str, object]) -> None:
    """Write the state file as it stands on the disk, whoever wrote it."""
    state.write(run_dir.capture_info, fields)


CREDENTIALS = Credentials(Secret("sk-test"), "http://127.0.0.1:9", "a test", "a test")


@pytest.mark.parametrize(("status", "signals"), [("active", 1), ("stopping", 0), ("stopped", 0)])
def test_a_second_stop_waits_for_the_export_and_does_not_give_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, signals: int
) -> None:
    run_dir = RunDir(tmp_path)
    write(run_dir, {"session_id": "cap-1", "status": status, "channels": []})
    sent: list[int] = []
    monkeypatch.setattr(running, "is_running", lambda _: True)
    monkeypatch.setattr(running, "runner", lambda _: (os.getpid(), current_start_token()))
    monkeypatch.setattr(os, "kill", lambda _pid, number: sent.append(number))
    with pytest.raises(TimedOutError):
        flow.stop_capture(run_dir, timeout_s=0.2, credentials=lambda: CREDENTIALS)
    assert len(sent) == signals


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        (RequestFailedError("no route"), UnreachableError),
        (KeyRefusedError("no"), CredentialsError),
        (RefusedError("no"), RefusedError),
    ],
)
def test_a_dead_capture_whose_session_cannot_be_stopped_says_why_and_keeps_no_listener(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: VideodbError, kind: type[VideodbError]
) -> None:
    run_dir = RunDir(tmp_path)
    died = {"code": "capture_died", "message": "killed"}
    fields = {"session_id": "cap-1", "status": "failed", "error": died, "channels": []}
    write(run_dir, {**fields, "listener_started": True, "listener_pid": 77})
    ended: list[object] = []

    async def refuse(*_: object) -> VideodbError:
        return why

    monkeypatch.setattr(session_end, "stop_at_service", refuse)
    monkeypatch.setattr(flow, "stop_own_listener", lambda _, pid: ended.append(pid))
    with pytest.raises(kind, match="did not stop the session"):
        flow.stop_capture(run_dir, timeout_s=5, credentials=lambda: CREDENTIALS)
    assert ended == [77]
    found = capture_state.read(run_dir)
    assert found is not None
    assert found.has_died, "the next stop tries again"


def test_a_session_that_the_service_does_not_know_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = RunDir(tmp_path)
    died = {"code": "capture_died", "message": "killed"}
    write(run_dir, {"session_id": "cap-1", "status": "failed", "error": died, "channels": []})

    async def unknown(*_: object) -> VideodbError:
        return NoSuchThingError("no such session")

    monkeypatch.setattr(session_end, "stop_at_service", unknown)
    found = flow.stop_capture(run_dir, timeout_s=5, credentials=lambda: CREDENTIALS)
    assert found is not None
    assert not found.has_died


def test_an_embedded_service_that_is_gone_took_the_session_along(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    died = {"code": "capture_died", "message": "killed"}
    write(run_dir, {"session_id": "cap-1", "status": "failed", "error": died, "channels": []})

    def none() -> Credentials:
        raise NotFoundError("the embedded service does not run")

    found = flow.stop_capture(run_dir, timeout_s=5, credentials=none)
    assert found is not None
    assert found.status == "failed"
    assert not found.has_died
    assert flow.stop_capture(run_dir, timeout_s=5, credentials=none) is None


# ---- a capture that failed and lived to say so -----------------------------------------------------------------------


def left(run_dir: RunDir, what: str) -> None:
    write(
        run_dir,
        {
            "session_id": "cap-1",
            "status": "failed",
            "error": {"code": "lost", "message": "every channel is lost"},
            "channels": [{"channel_id": "mic:default", "store": True}],
            "left_at_service": what,
        },
    )


def test_a_service_that_does_not_answer_keeps_nobody_who_ends_a_failed_capture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = RunDir(tmp_path)
    left(run_dir, "export")
    monkeypatch.setattr(leftover, "_REACH_S", 0.5)
    notes: list[str] = []
    with CaptureService() as service:
        service.hangs = "/collection/default/capture/session/cap-1"
        key = Credentials(Secret("sk-test"), service.url, "a test", "a test")
        began = time.monotonic()
        found = flow.stop_capture(run_dir, timeout_s=60, credentials=lambda: key, note=notes.append)
    assert time.monotonic() - began < 10
    assert found is not None
    assert found.status == "failed"
    assert notes == ["what was recorded is not fetched: the service did not answer within 0.5 s · videodb capture stop"]
    assert found.unsettled == "export", "the next stop asks again"


def test_a_capture_that_is_failing_when_it_is_stopped_is_no_failure_of_the_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = RunDir(tmp_path)
    left(run_dir, "export")
    failed = (capture_state.read(run_dir) or CaptureState("none")).to_fields()
    write(run_dir, {**failed, "status": "stopping", "left_at_service": None})
    looks = iter([(os.getpid(), current_start_token())] * 2)

    def runner(_: RunDir) -> tuple[int, str] | None:
        found = next(looks, None)
        if found is None:
            write(run_dir, failed)
            monkeypatch.setattr(running, "is_running", lambda _: False)
        return found

    monkeypatch.setattr(running, "is_running", lambda _: True)
    monkeypatch.setattr(running, "runner", runner)
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("it ends already"))
    with CaptureService() as service:
        service.export = {"export_status": "exported", "video_id": "m-1", "stream_url": "s", "player_url": "p"}
        key = Credentials(Secret("sk-test"), service.url, "a test", "a test")
        found = flow.stop_capture(run_dir, timeout_s=60, credentials=lambda: key)
    assert found is not None
    assert (found.status, found.exported_video_id) == ("failed", "m-1")


# ---- a capture that is being started, or was replaced by another -----------------------------------------------------


def test_a_stop_waits_for_a_start_that_has_no_process_yet(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    starting = DirectoryLock(run_dir.capture_start_lock)
    starting.acquire(current_start_token())
    with pytest.raises(TimedOutError, match="still being started"):
        flow.stop_capture(run_dir, timeout_s=0.2, credentials=lambda: CREDENTIALS)
    looked = threading.Event()
    with ThreadPoolExecutor() as pool, pytest.MonkeyPatch.context() as patch:
        patch.setattr("time.sleep", lambda _: looked.set())
        stop = pool.submit(flow.stop_capture, run_dir, timeout_s=20, credentials=lambda: CREDENTIALS)
        assert looked.wait(10)
        assert not stop.done()
        starting.release()
        assert stop.result(10) is None


def test_a_capture_that_somebody_starts_meanwhile_is_neither_told_nor_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = RunDir(tmp_path)
    ours = {"pid": os.getpid(), "session_id": "cap-1", "status": "active", "channels": []}
    write(run_dir, ours)
    looks = iter([(os.getpid(), current_start_token())] * 2)

    def runner(_: RunDir) -> tuple[int, str] | None:
        found = next(looks, None)
        if found is None:
            write(run_dir, {**ours, "pid": 1, "session_id": "cap-2", "listener_started": True})
        return found

    monkeypatch.setattr(running, "is_running", lambda _: True)
    monkeypatch.setattr(running, "runner", runner)
    monkeypatch.setattr(os, "kill", lambda *_: None)
    monkeypatch.setattr(flow, "stop_own_listener", lambda *_: pytest.fail("it is the other's"))
    found = flow.stop_capture(run_dir, timeout_s=5, credentials=lambda: CREDENTIALS)
    assert found is not None
    assert found.session_id == "cap-1"
