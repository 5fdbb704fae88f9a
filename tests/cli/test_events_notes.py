"""`videodb events transcript --format md --front-matter -o DIR`: one note for each session."""

from __future__ import annotations

import json
from pathlib import Path

import yaml

from videodb_cli.main import main


def test_notes_are_written_once_and_never_over_a_strangers_file(tmp_path: Path) -> None:
    run_dir, vault = tmp_path / "events", tmp_path / "vault"
    run_dir.mkdir(mode=0o700)
    active = {"rtstreams": [{"rtstream_id": "rts-1"}]}
    evil = 'x: "y"\n---\n# ../人'
    lines = [
        {"unix_ts": 1772446530.0, "event": "capture_session.active", "capture_session_id": evil, "data": active},
        {"unix_ts": 1772446531.0, "channel": "transcript", "rtstream_id": "rts-1", "rtstream_name": "mic: # '",
         "data": {"text": "hello", "is_final": True, "start": 1772446529.0, "end": 1772446531.0}},
        {"unix_ts": 1772446533.0, "event": "capture_session.exported", "capture_session_id": evil,
         "data": {"player_url": "https://x/#'\"&"}},
        {"unix_ts": 1772446540.0, "channel": "transcript", "capture_session_id": "cap-2",
         "data": {"text": "other", "is_final": True}},
    ]  # fmt: skip
    (run_dir / "videodb_events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ["events", "transcript", "--dir", str(run_dir), "--format", "md", "--front-matter", "-o", str(vault)]
    assert main(command) == 0
    notes = sorted(vault.iterdir())
    assert notes[0].name == "videodb-cap-2.md"
    assert len(notes) == 2
    found = yaml.safe_load(notes[1].read_text().split("---\n")[1])
    assert (found["videodb_session"], found["streams"], found["url"]) == (evil, ["mic: # '"], "https://x/#'\"&")
    assert found["duration_s"] == 2
    before = [(note.read_bytes(), note.stat().st_ino) for note in notes]
    assert main(command) == 0
    assert [(note.read_bytes(), note.stat().st_ino) for note in notes] == before
    notes[0].write_text("my own words\n")
    assert main(command) == 9
    assert notes[0].read_text() == "my own words\n"
    assert main([*command[:-2], "--json"]) == 2
    assert main([*command, "-"]) == 2
