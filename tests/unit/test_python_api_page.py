"""The examples of docs/python-api.md do what the page shows."""

from __future__ import annotations

import doctest
import json
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python-api.md"
EVENTS = [
    ("transcript", "mic:default", {"text": "Let's rotate the access keys.", "is_final": True}),
    ("transcript", "mic:default", {"text": "Let's rot", "is_final": False}),
    ("transcript", "system_audio:default", {"text": "The deployment failed.", "is_final": True}),
    ("alert", "mic:default", {"label": "pager", "confidence": 0.95}),
]


def test_the_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recordings").mkdir()
    stamp = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.123}
    events = [{**stamp, "channel": channel, "rtstream_name": name, "data": data} for channel, name, data in EVENTS]
    exported = {"exported_video_id": "m-77", "player_url": "https://example.com/play/m-77"}
    events.append({**stamp, "event": "capture_session.exported", "capture_session_id": "cap-1", "data": exported})
    lines = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    (tmp_path / "recordings" / "videodb_events.jsonl").write_text(lines)
    done = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert done.attempted >= 6
    assert done.failed == 0
