"""What `capture stop` does to a capture that is already ending, or dead."""

import os
from pathlib import Path

import pytest

from videodb_cli.api.failures import KeyRefusedError, NoSuchThingError, RequestFailedError
from videodb_cli.capture import info as capture_info
from videodb_cli.errors import (
    CredentialsError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    VideodbError,
)
from videodb_cli.flows import stop_capture as flow
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, Secret

CREDENTIALS = Credentials(Secret("sk-test"), "http://127.0.0.1:9", "a test", "a test")


@pytest.mark.parametrize(("status", "signals"), [("active", 1), ("stopping", 0), ("stopped", 0)])
def test_a_second_stop_waits_for_the_export_and_does_not_give_it_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: str, signals: int
) -> None:
    run_dir = RunDir(tmp_path)
    capture_info.write(run_dir, {"session_id": "cap-1", "status": status, "channels": []})
    sent: list[int] = []
    monkeypatch.setattr(capture_info, "is_running", lambda _: True)
    monkeypatch.setattr(capture_info, "runner", lambda _: (os.getpid(), current_start_token()))
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
    capture_info.write(run_dir, {**fields, "listener_started": True, "listener_pid": 77})
    ended: list[object] = []

    async def refuse(*_: object) -> VideodbError:
        return why

    monkeypatch.setattr(flow, "stop_at_service", refuse)
    monkeypatch.setattr(flow, "stop_own_listener", lambda _, pid: ended.append(pid))
    with pytest.raises(kind, match="did not stop the session"):
        flow.stop_capture(run_dir, timeout_s=5, credentials=lambda: CREDENTIALS)
    assert ended == [77]
    assert capture_info.has_died(capture_info.read(run_dir) or {}), "the next stop tries again"


def test_a_session_that_the_service_does_not_know_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = RunDir(tmp_path)
    died = {"code": "capture_died", "message": "killed"}
    capture_info.write(run_dir, {"session_id": "cap-1", "status": "failed", "error": died, "channels": []})

    async def unknown(*_: object) -> VideodbError:
        return NoSuchThingError("no such session")

    monkeypatch.setattr(flow, "stop_at_service", unknown)
    fields = flow.stop_capture(run_dir, timeout_s=5, credentials=lambda: CREDENTIALS)
    assert fields is not None
    assert not capture_info.has_died(fields)


def test_an_embedded_service_that_is_gone_took_the_session_along(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    died = {"code": "capture_died", "message": "killed"}
    capture_info.write(run_dir, {"session_id": "cap-1", "status": "failed", "error": died, "channels": []})

    def none() -> Credentials:
        raise NotFoundError("the embedded service does not run")

    for _ in range(2):
        fields = flow.stop_capture(run_dir, timeout_s=5, credentials=none)
        assert fields is not None
        assert fields["status"] == "failed"
        assert not capture_info.has_died(fields)
