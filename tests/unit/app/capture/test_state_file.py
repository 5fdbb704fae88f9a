"""The truth about a capture: its times are true also if the clock was set since it began."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.clock import TO_NOW, Time
from videodb_cli.app.capture.state_file import StateFile
from videodb_cli.app.capture.status import capture_status
from videodb_cli.capture import running
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.capture.session import SessionState
from videodb_cli.process import clock as clock_module
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials, Secret


@pytest.mark.parametrize("step_s", [0.0, TO_NOW, 3600.0, -3600.0])
async def test_times_move_with_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    time = Time()
    monkeypatch.setattr(clock_module, "uptime_s", lambda: time.uptime)
    monkeypatch.setattr("time.time", lambda: time.wall)
    monkeypatch.setattr(running, "is_running", lambda _: True)
    channel = Channel("mic:file", "mic", "a file")
    run_dir = RunDir(tmp_path)
    request = CaptureRequest(channels=(channel,), recorder="file")
    opened = OpenedSession("cap-1", "default", None, Credentials(Secret("st-1"), "http://127.0.0.1:9", "", ""))
    file = StateFile(run_dir, request, opened, SessionState("cap-1"), print, time.clock())
    time.passes(60.0)
    time.is_set(step_s)
    flowing = channel.new_state()
    flowing.state = "flowing"
    flowing.note_media(time.uptime - 2.0)
    recorder: Any = SimpleNamespace(health=lambda: {"mic:file": flowing})
    file.recorder = recorder
    await file.publish()
    time.passes(3.0)
    time.is_set(-step_s)
    found = capture_status(run_dir)
    assert found is not None
    assert found.state is not None
    assert found.why is None
    assert found.now - (found.state.started_at or 0) == pytest.approx(63.0, abs=0.01)
    shown = found.state.channels[0]
    assert found.now - (shown.last_progress_at or 0) == pytest.approx(5.0, abs=0.01)
    assert found.media_age_s(shown) == pytest.approx(5.0, abs=0.01)
    assert found.channel_words(shown) == ["flowing", "last sound 5 s ago"]
    found.state.status = "active"
    assert found.for_users()["channels"][0]["stalled"] is False
    time.passes(60.0)
    found = capture_status(run_dir)
    assert found is not None
    assert found.why == "its process has said nothing for 63 s"
    assert found.state is not None
    found.state.status = "active"
    assert found.channel_words(found.state.channels[0]) == ["stalled", "last sound 1 min ago"]
    members = found.for_users()["channels"][0]
    assert (members["stalled"], members["last_media_age_s"]) == (True, pytest.approx(65.0, abs=0.01))
