"""A capture's failure is told once, whether its process says it or dies without a word."""

import os
from pathlib import Path

import pytest

from videodb_cli.listener.capture_watch import CaptureWatch
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import state

ALIVE = {"pid": os.getpid(), "start_token": current_start_token()}


@pytest.fixture
def told() -> list[tuple[str, str, str]]:
    return []


def watch(path: Path, told: list[tuple[str, str, str]]) -> CaptureWatch:
    return CaptureWatch(path, lambda *failure: told.append(failure))


def write(path: Path, watched: CaptureWatch, **fields: object) -> None:
    state.write(path, {"session_id": "cap-1", "started_at": 1.5, **fields})
    watched._read()
    watched.look()


def test_a_failure_is_told_once_and_a_new_capture_counts_anew(tmp_path: Path, told: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "info.json"
    watched = watch(path, told)
    write(path, watched, status="active", **ALIVE)
    assert told == []
    error = {"code": "display_gone", "message": "the X server is gone"}
    write(path, watched, status="failed", error=error)
    write(path, watched, status="failed", error=error, exported_video_id="v")
    assert told == [("cap-1", "display_gone", "the X server is gone")]
    write(path, watched, status="failed", started_at=2.5)
    assert told[1:] == [("cap-1", "failed", "the capture failed")]


def test_a_process_that_died_is_a_failure(tmp_path: Path, told: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "info.json"
    watched = watch(path, told)
    write(path, watched, status="active", pid=os.getpid(), start_token="another boot")
    assert [code for _, code, _ in told] == ["capture_died"]
    write(path, watched, status="failed", error={"code": "capture_died", "message": "…"})
    assert len(told) == 1


@pytest.mark.parametrize("status", ["exported", "stopped"])
def test_a_capture_that_ended_in_order_is_none(tmp_path: Path, told: list[tuple[str, str, str]], status: str) -> None:
    path = tmp_path / "info.json"
    watched = watch(path, told)
    write(path, watched, status=status, pid=1, start_token="gone")
    path.write_text("not json")
    watched._read()
    watched.look()
    path.unlink()
    watched._read()
    watched.look()
    assert told == []


def test_what_failed_before_we_listened_is_no_news(tmp_path: Path, told: list[tuple[str, str, str]]) -> None:
    path = tmp_path / "info.json"
    state.write(path, {"session_id": "cap-0", "status": "failed"})
    watched = watch(path, told)
    watched.look()
    assert told == []
