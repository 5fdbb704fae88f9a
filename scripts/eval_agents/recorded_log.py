"""The recorded log of the tasks: two sessions, transcripts, screens, alerts, a gap. The same bytes on every machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

MORNING = 1772442000.0  # 2026-03-02T09:00:00Z
AFTERNOON = MORNING + 5 * 3600
FAILED_AT = AFTERNOON + 1500

_TALK = (
    "Let us go through the release checklist",
    "The access keys for the production server have to be rotated",
    "I will rotate them before lunch",
    "The dashboard shows forty requests a second",
    "Then we deploy the new gateway",
    "Somebody should watch the error rate",
    "We moved the meeting to Thursday at ten",
    "The invoice for the storage came in",
)
_SCREENS = (
    "Slack, channel release: three unread messages",
    "Terminal: pytest, 214 passed",
    "Browser: Grafana dashboard, requests per second 40",
    "Editor: gateway.py, function handle_request",
)


def _line(at: float, **members: Any) -> str:
    moment = datetime.fromtimestamp(at, UTC)
    stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"
    return json.dumps({"ts": stamp, "unix_ts": round(at, 3), **members}, separators=(",", ":"))


def _said(at: float, ident: str, stream: str, text: str, *, final: bool = True) -> str:
    data = {"text": text, "is_final": final, "start": round(at * 1000) - 2000, "end": round(at * 1000)}
    return _line(
        at, channel="transcript", rtstream_id=f"{ident}-{stream}", rtstream_name=f"{stream}:default", data=data
    )


def _ident(at: float) -> str:
    return "cap-morning" if at < AFTERNOON else "cap-afternoon"


def _seen(at: float, text: str) -> str:
    data = {"text": text, "start": round(at * 1000) - 5000, "end": round(at * 1000)}
    return _line(at, channel="visual_index", rtstream_id=f"{_ident(at)}-display", rtstream_name="display:1", data=data)


def alert(at: float, label: str, text: str) -> str:
    """Return the line of an alert."""
    data = {"label": label, "text": text, "triggered": True, "confidence": 0.95}
    return _line(at, channel="alert", rtstream_id=f"{_ident(at)}-display", rtstream_name="display:1", data=data)


def life(at: float, ident: str, status: str, **data: Any) -> str:
    """Return the line of an event of a session's life."""
    return _line(at, event=f"capture_session.{status}", capture_session_id=ident, status=status, data=data)


def _session(begin: float, ident: str, minutes: int) -> Iterator[tuple[float, str]]:
    streams = [{"rtstream_id": f"{ident}-{name}", "name": f"{name}:default"} for name in ("mic", "system_audio")]
    streams.append({"rtstream_id": f"{ident}-display", "name": "display:1"})
    yield begin, life(begin, ident, "starting")
    yield begin + 2, life(begin + 2, ident, "active", rtstreams=streams)
    for number in range(minutes * 3):
        at = begin + 10 + number * 20
        stream = "mic" if number % 3 else "system_audio"
        text = f"{_TALK[number % len(_TALK)]}, point {number + 1}"
        yield at - 1, _said(at - 1, ident, stream, " ".join(text.split()[:3]), final=False)
        yield at, _said(at, ident, stream, text)
        if number % 2 == 0:
            yield at + 4, _seen(at + 4, f"{_SCREENS[number // 2 % len(_SCREENS)]}, view {number // 2 + 1}")
    end = begin + minutes * 60 + 20
    yield end, life(end, ident, "stopping")
    yield end + 3, life(end + 3, ident, "stopped")
    urls = {
        "exported_video_id": f"v-{ident}",
        "player_url": f"https://player.example/{ident}",
        "stream_url": f"https://stream.example/{ident}",
    }
    yield end + 15, life(end + 15, ident, "exported", **urls)


def lines() -> list[str]:
    """Return the lines, in the order of their times."""
    found = [*_session(MORNING, "cap-morning", 20), *_session(AFTERNOON, "cap-afternoon", 40)]
    found += [
        (at, alert(at, label, text))
        for at, label, text in (
            (MORNING + 300, "slack_opened", "The Slack window is in front"),
            (MORNING + 700, "pager", "Somebody mentions the pager"),
            (AFTERNOON + 400, "slack_opened", "The Slack window is in front"),
            (FAILED_AT, "deploy_failed", "The pipeline page shows a red cross: deploy failed"),
            (AFTERNOON + 1700, "slack_opened", "The Slack window is in front"),
        )
    ]
    error = "Terminal: error: connection refused by db-7, retrying"
    found += [(FAILED_AT - 25, _seen(FAILED_AT - 25, error))]
    found += [(MORNING + 500, _seen(MORNING + 500, "Browser: error 404, page not found"))]
    gap = {"text": "nothing was heard for 12.5 s", "seconds": 12.5, "recovered": 2}
    found += [(AFTERNOON + 900, _line(AFTERNOON + 900, channel="videodb_cli", event="listener.gap", data=gap))]
    return [line for _, line in sorted(found, key=lambda pair: pair[0])]


def write(directory: Path) -> Path:
    """Write the log into a directory and return its path."""
    log = directory / "videodb_events.jsonl"
    log.write_text("".join(f"{line}\n" for line in lines()), encoding="utf-8")
    log.chmod(0o600)
    return log
