"""The state of a capture: its times are true also if the clock was set since it began."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes.clock import TO_NOW, Time
from videodb_cli.app.capture.status import capture_status
from videodb_cli.capture import info as capture_info
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.info import CaptureInfo
from videodb_cli.capture.recorders.base import Health
from videodb_cli.capture.session import SessionState
from videodb_cli.process import clock as clock_module
from videodb_cli.rundir.paths import RunDir


@pytest.mark.parametrize("step_s", [0.0, TO_NOW, 3600.0, -3600.0])
def test_times_move_with_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    time = Time()
    monkeypatch.setattr(clock_module, "uptime_s", lambda: time.uptime)
    monkeypatch.setattr("time.time", lambda: time.wall)
    monkeypatch.setattr("videodb_cli.capture.info.is_running", lambda _: True)
    channel = Channel("mic:file", "mic", "a file")
    info = CaptureInfo("cap-1", "default", None, "file", (channel,), started_at=time.uptime, clock=time.clock())
    time.passes(60.0)
    time.is_set(step_s)
    health = {"mic:file": Health(state="flowing", last_progress_at=time.uptime - 2.0)}
    run_dir = RunDir(tmp_path)
    capture_info.write(run_dir, info.as_json(SessionState("cap-1"), health))
    time.passes(3.0)
    time.is_set(-step_s)
    found = capture_status(run_dir)
    assert found is not None
    assert found.why is None
    assert found.now - found.fields["started_at"] == pytest.approx(63.0, abs=0.01)
    assert found.now - found.fields["channels"][0]["last_progress_at"] == pytest.approx(5.0, abs=0.01)
    time.passes(60.0)
    found = capture_status(run_dir)
    assert found is not None
    assert found.why == "its process has said nothing for 63 s"
