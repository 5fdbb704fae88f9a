"""The module `videodb.jq`, run by the jq of the system, agrees with what the tool itself says of events."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from videodb_cli.main import main
from videodb_cli.model import event as ev

EVENTS: list[ev.Event] = [
    {"unix_ts": 1772446530.5, "channel": "transcript", "rtstream_name": "mic:default", "data": {"text": "hello 人"}},
    {"unix_ts": 1772446531, "channel": "alert", "rtstream_id": "rts-1", "data": {"text": "", "label": "door"}},
    {"unix_ts": 1772446532, "data": {"error": {"message": "no"}}, "rtstreamName": "Capture mic - cap-1"},
    {"unix_ts": 1772446533, "raw": "not JSON", "data": "x"},
    {"unix_ts": 1772446534, "recovered": True, "data": {"start": 1772446000500, "summary": "a door"}},
    {"unix_ts": 1772446535, "recovered": True, "data": {"start": 12, "text": 7}, "rtstream_name": "display:1"},
]


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_it_agrees_with_the_tool(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(event) + "\n" for event in EVENTS))
    assert main(["path", "jq"]) == 0
    library = capsys.readouterr().out.strip()
    program = 'import "videodb" as v; [v::text, v::speaker, v::when]'
    done = subprocess.run(
        ["jq", "-c", "-L", library, program, str(log)], capture_output=True, text=True, timeout=30, check=True
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == [[ev.text_of(e), ev.stream_label(e) or None, ev.happened_at(e)] for e in EVENTS]
