"""Commands that read the state file of a capture, whatever stands in it: fields or a sentence, never a traceback."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from videodb_cli import settings
from videodb_cli.main import main

OVER = {"v": 1, "session_id": "cap-1", "status": "exported"}
FAILED = {"v": 1, "session_id": "cap-1", "status": "failed", "error": {"code": "lost", "message": "no microphone"}}
STATES = {
    "older": OVER,
    "newer": {**OVER, "colour": "red", "channels": [{"channel_id": "mic:file", "loudness": 3}]},
    "wrong types": {**FAILED, "pid": "x", "channels": [7, {"channel_id": 5, "bytes": "x"}], "pipelines": {}},
    "wrong error": {**FAILED, "error": {"code": 5, "message": ["x"]}, "control": 1, "listener_started": "yes"},
    "no error": {**FAILED, "error": "no microphone"},
    "beyond all numbers": {**OVER, "pid": 2**63, "started_at": 1e300, "written_at": -1e300, "uptime_s": "x"},
    "of a newer version": {**OVER, "v": 99},
    "no session": {**OVER, "session_id": None},
}
COMMANDS = {
    "capture status": (4, 6),
    "capture status --json": (4, 6),
    "capture stop": (0, 6),
    "capture stop --json": (0, 6),
    "capture pause": (4, 6),
    "status": (4, 6),
    "status --json": (4, 6),
    "stop": (0,),
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("name", STATES)
def test_any_state_is_answered(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    settings.forget()
    (tmp_path / "videodb_capture_info.json").write_text(json.dumps(STATES[name]))
    status = main([*command.split(), "--dir", str(tmp_path)])
    out, err = capsys.readouterr()
    assert status in COMMANDS[command], err
    assert "Traceback" not in out + err
    if "--json" in command:
        assert isinstance(json.loads(out), dict)
    else:
        assert (out + err).strip()


def test_what_can_be_believed_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "videodb_capture_info.json").write_text(json.dumps(STATES["wrong types"]))
    assert main(["capture", "status", "--json", "--dir", str(tmp_path)]) == 6
    found = json.loads(capsys.readouterr().out)
    assert (found["running"], found["status"]) == (False, "failed")
    assert found["error"] == {"code": "lost", "message": "no microphone"}
    assert [channel["channel_id"] for channel in found["channels"]] == ["unknown"]
