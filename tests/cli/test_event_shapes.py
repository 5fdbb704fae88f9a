"""Every command that reads finds events in whatever shape their senders write; the log keeps them as they came."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

FLAT: dict[str, Any] = {
    "type": "transcript",
    "rtstreamId": "rts-9",
    "text": "the invoice is late",
    "is_final": True,
    "start": 1772446530.1,
    "end": 1772446532.4,
}
SUMMARY: dict[str, Any] = {
    "channel": "spoken_index",
    "rtstream_name": "mic:default",
    "data": {"summary": "They talk about an invoice."},
}
ALERT: dict[str, Any] = {
    "event_type": "alert",
    "label": "pager",
    "explanation": "The invoice page is open",
    "confidence": 0.9,
}
ACTIVE: dict[str, Any] = {
    "type": "capture_session.active",
    "captureSessionId": "cap-7",
    "data": {"rtstreams": [{"rtstreamId": "rts-9", "mediaTypes": ["audio"]}]},
}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    stamps = [{"ts": f"2026-03-02T10:15:3{n}.000Z", "unix_ts": 1772446530.0 + n} for n in range(4)]
    lines = [{**stamp, **event} for stamp, event in zip(stamps, (ACTIVE, FLAT, SUMMARY, ALERT), strict=True)]
    path.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines))
    return path


def events(log: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "videodb_cli", "events", *arguments, "--dir", str(log.parent)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def lines(log: Path, *numbers: int) -> str:
    every = log.read_text().splitlines(keepends=True)
    return "".join(every[number] for number in numbers)


@pytest.mark.parametrize(
    ("arguments", "numbers"),
    [
        (("--channel", "transcript"), (1,)),
        (("--channel", "transcript", "--final"), (1,)),
        (("--channel", "audio_index"), (2,)),
        (("--channel", "alert"), (3,)),
        (("--not-channel", "alert"), (0, 1, 2)),
        (("--event", "active"), (0,)),
        (("--stream", "rts-9"), (1,)),
        (("--session", "cap-7"), (0, 1)),
        (("--session", "last"), (0, 1)),
        (("--grep", "invoice"), (1, 2)),
        (("--grep", "pager"), (3,)),
    ],
)
def test_selected_and_unchanged(log: Path, arguments: tuple[str, ...], numbers: tuple[int, ...]) -> None:
    assert events(log, "filter", *arguments) == lines(log, *numbers)


def test_searched_counted_and_transcribed(log: Path) -> None:
    hits = events(log, "search", "invoice", "--json")
    assert "the invoice is late" in hits
    assert "They talk about an invoice." in hits
    counts: dict[str, Any] = json.loads(events(log, "stats", "--json"))
    groups = {group["name"]: group["count"] for group in counts["groups"]}
    assert groups == {"capture_session": 1, "transcript": 1, "audio_index": 1, "alert": 1}
    assert "the invoice is late" in events(log, "transcript")
