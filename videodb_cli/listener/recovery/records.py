"""Turns answers of the service into the events that would have arrived. Pure; no field of an answer is trusted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle
from videodb_cli.model.event import Event

TRANSCRIPT = "transcript"
INDEX_CHANNELS = ("visual_index", "audio_index")
# The channel of an index: `time` and `shot` look at the picture, `transcript` at the sound.
_CHANNEL_OF_EXTRACTION = {"time": "visual_index", "shot": "visual_index", "transcript": "audio_index"}
# Later times do not fit, as milliseconds, into a number that every JSON reader accepts.
_END_OF_TIME_S = 1e11


@dataclass(frozen=True, slots=True)
class Record:
    """A record of a transcription or an index. Unix seconds by the service's clock."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Index:
    """One scene index of a stream."""

    index_id: str
    channel: str


def record_of(item: object) -> Record | None:
    """Read a record with a ``text`` or a ``description``; None if it makes no sense."""
    if not isinstance(item, dict):
        return None
    text = item.get("text")
    if not isinstance(text, str) or not text:
        text = item.get("description")
    start, end = ev.seconds(item.get("start")), ev.seconds(item.get("end"))
    if not isinstance(text, str) or not text or start is None or not 0 <= start < _END_OF_TIME_S:
        return None
    return Record(text, start, end if end is not None and start <= end < _END_OF_TIME_S else start)


def index_of(item: object) -> Index | None:
    """Read an entry of ``scene_indexes``; None if it has no id."""
    if not isinstance(item, dict):
        return None
    index_id = item.get("rtstream_index_id") or item.get("scene_index_id") or item.get("id")
    if not isinstance(index_id, str) or not index_id:
        return None
    kind = item.get("extraction_type")
    return Index(index_id, _CHANNEL_OF_EXTRACTION.get(kind if isinstance(kind, str) else "", "visual_index"))


def live_event(channel: str, stream: str, name: str | None, record: Record) -> Event:
    """Return the event that would have arrived for a record, marked as recovered."""
    data: dict[str, Any] = {"text": record.text}
    if channel == TRANSCRIPT:
        data["is_final"] = True
    data |= {"start": round(record.start * 1000), "end": round(record.end * 1000)}
    return {"channel": channel, "rtstream_id": stream, "rtstream_name": name, "data": data, "recovered": True}


def lifecycle_events(session_id: str, session: Mapping[str, Any], last_seen: str | None) -> list[Event]:
    """Return the life-cycle events that are missing, if ``last_seen`` is the last status in the log."""
    status = session.get("status")
    events: list[Event] = []
    if isinstance(status, str) and is_news(status, last_seen):
        events.append(_lifecycle(session_id, status, _lifecycle_data(status, session)))
    # A session may stay `stopped` after its export has finished.
    if session.get("export_status") == "exported" and status == "stopped" and last_seen != "exported":
        events.append(_lifecycle(session_id, "exported", _lifecycle_data("exported", session)))
    return events


def is_beginning(event: Event) -> bool:
    """Tell whether a life-cycle event comes before the events of the session's streams."""
    return event["status"] in {"starting", "active"}


def is_news(status: str, last_seen: str | None) -> bool:
    """Tell whether the log lacks a status. An earlier one than the last comes from an outdated answer."""
    if status in {last_seen, "", "created"} or last_seen in lifecycle.FINAL:
        return False
    return status not in lifecycle.STATUSES or lifecycle.is_later(status, last_seen)


def _lifecycle(session_id: str, status: str, data: dict[str, Any]) -> Event:
    return {
        "channel": lifecycle.CHANNEL,
        "event": lifecycle.event_name(status),
        "capture_session_id": session_id,
        "status": status,
        "data": data,
        "recovered": True,
    }


def _lifecycle_data(status: str, session: Mapping[str, Any]) -> dict[str, Any]:
    if status == "active":
        members = session.get("rtstreams")
        return {
            "rtstreams": [
                {
                    "rtstream_id": item.get("rtstream_id", item.get("id")),
                    "name": item.get("name"),
                    "media_types": item.get("media_types"),
                }
                for item in (members if isinstance(members, list) else [])
                if isinstance(item, dict)
            ]
        }
    if status == "exported":
        video = session.get("exported_video_id") or session.get("video_id")
        data = {"exported_video_id": video}
        for name in ("stream_url", "player_url"):
            if isinstance(session.get(name), str):
                data[name] = session[name]
        return data
    if status == "failed" and isinstance(session.get("error"), dict):
        return {"error": session["error"]}
    return {}
