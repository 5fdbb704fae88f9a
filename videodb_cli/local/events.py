"""Well-formed events of every kind that the socket carries. Pure: fields in, envelopes out.

``start`` and ``end`` are integer milliseconds on the socket; the REST records of the same things use float seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import orjson

from videodb_cli.local.state.moments import iso
from videodb_cli.local.state.records import SESSION_STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from videodb_cli.local.analysis.base import AnalysisRecord
    from videodb_cli.local.state.jobs import Alert, AnalysisJob, Index, Understanding
    from videodb_cli.local.state.records import CaptureSessionRecord, RTStream

Event = dict[str, object]

TRIGGER_KINDS: Final = (
    "transcript",
    "visual_index",
    "audio_index",
    "alert",
    *(f"capture_session.{status}" for status in SESSION_STATUSES),
)


def encode(event: Mapping[str, object]) -> str:
    """One text frame: compact JSON."""
    return orjson.dumps(event).decode()


def milliseconds(at: float) -> int:
    """Unix seconds as the integer milliseconds of the socket."""
    return round(at * 1000)


def transcript(stream: RTStream, record: AnalysisRecord) -> Event:
    """Speech of ``stream``, interim or final. ``model`` says honestly what recognised it."""
    return _stream_event(
        "transcript",
        stream,
        {
            "text": record.text,
            "is_final": record.is_final,
            "start": milliseconds(record.start),
            "end": milliseconds(record.end),
            "model": record.model,
            **record.detail,
        },
    )


def index_event(channel: str, stream: RTStream, index: AnalysisJob, record: AnalysisRecord) -> Event:
    """What an index found in ``stream``; ``channel`` is ``visual_index`` or ``audio_index``."""
    event = _stream_event(channel, stream, _found(record))
    event["rtstream_index_id"] = index.id
    return event


def understanding_event(stream: RTStream, understanding: Understanding, record: AnalysisRecord) -> Event:
    """What an understanding says of one window of ``stream``. No public document shows its channel."""
    event = _stream_event("visual_index", stream, _found(record))
    event["understanding_id"] = understanding.id
    event["output"] = understanding.output
    return event


@dataclass(frozen=True, slots=True)
class Judgement:
    """Why an alert is told. ``explanation`` None: the text that was matched; ``model``: who judged, if that is told."""

    confidence: float
    explanation: str | None = None
    model: str | None = None


def alert(stream: RTStream, index: Index, found: Alert, record: AnalysisRecord, *, why: Judgement, now: float) -> Event:
    """A rule was met by what an index found. ``now`` is unix seconds; ``data.text`` is what was matched.

    Public documents name some things twice (``label`` and ``event_label``), and public code reads either.
    """
    event = _stream_event(
        "alert",
        stream,
        {
            "label": found.rule.label,
            "event_label": found.rule.label,
            "triggered": True,
            "confidence": why.confidence,
            "explanation": why.explanation or record.text,
            "event_id": found.rule.id,
            "alert_id": found.id,
            "start": milliseconds(record.start),
            "end": milliseconds(record.end),
            "timestamp": milliseconds(now),
            "text": record.text,
            **({"model": why.model} if why.model is not None else {}),
        },
    )
    event["rtstream_index_id"] = index.id
    event["timestamp"] = now
    return event


def _found(record: AnalysisRecord) -> dict[str, object]:
    return {
        "text": record.text,
        "start": milliseconds(record.start),
        "end": milliseconds(record.end),
        "model": record.model,
        **record.detail,
    }


def webhook(
    event: str, session: CaptureSessionRecord | None, status: str, data: Mapping[str, object], now: float
) -> Event:
    """The body of a delivery to a callback URL. ``now`` is unix seconds."""
    return {
        "version": "2",
        "event": event,
        "timestamp": iso(now),
        "capture_session_id": session.id if session is not None else None,
        "end_user_id": session.end_user_id if session is not None else None,
        "status": status,
        "data": dict(data),
    }


def alert_webhook(
    event: Event, session: CaptureSessionRecord | None, addresses: tuple[str, str] | None, now: float
) -> Event:
    """The body that tells an alert: the envelope of every webhook, and beside it the flat fields of the documents.

    ``event`` is what the socket gets; ``addresses`` are those at which the moment plays, ``start_time`` and
    ``end_time`` its unix seconds.
    """
    data = event["data"]
    assert isinstance(data, dict)  # noqa: S101 - `alert` makes one
    about = {key: value for key, value in event.items() if key not in {"channel", "data", "timestamp"}}
    stream_url, player_url = addresses or (None, None)
    return {
        **webhook("alert", session, "triggered", {**about, **data}, now),
        **{name: data[name] for name in ("event_id", "label", "confidence", "explanation")},
        "start_time": data["start"] / 1000,
        "end_time": data["end"] / 1000,
        "stream_url": stream_url,
        "player_url": player_url,
    }


def transcript_webhook(session: CaptureSessionRecord, event: Event, now: float) -> Event:
    """The body that tells what was said in a session; public code reads ``type``, ``text`` and ``is_final``."""
    data = event["data"]
    assert isinstance(data, dict)  # noqa: S101 - `transcript` makes one
    about = {key: value for key, value in event.items() if key not in {"channel", "data"}}
    return {
        **webhook("transcript", session, session.status, {**about, **data}, now),
        "type": "transcript",
        "text": data["text"],
        "is_final": data["is_final"],
    }


def lifecycle(session_id: str, status: str, data: Mapping[str, object]) -> Event:
    """``capture_session.<status>``."""
    return {
        "channel": "capture_session",
        "event": f"capture_session.{status}",
        "capture_session_id": session_id,
        "status": status,
        "data": {"status": status, **data},
    }


def session_data(session: CaptureSessionRecord, streams: Mapping[str, RTStream]) -> dict[str, object]:
    """The ``data`` that goes with the present status of ``session``."""
    if session.status == "active":
        return {
            "rtstreams": [
                {
                    "rtstream_id": stream_id,
                    "name": streams[stream_id].name,
                    "media_types": list(streams[stream_id].media_types),
                }
                for stream_id in session.rtstream_ids
            ]
        }
    if session.status == "exported":
        return {
            "exported_video_id": session.exported_video_id,
            "stream_url": session.stream_url,
            "player_url": session.player_url,
        }
    if session.status == "failed":
        return {"error": dict(session.error or {"code": "UNKNOWN", "message": "The capture failed"})}
    return {}


@dataclass(frozen=True, slots=True)
class Trigger:
    """An event made up on demand: ``kind`` is one of `TRIGGER_KINDS`, ``total`` how many are sent in this run."""

    kind: str
    text: str | None = None
    total: int = 1
    base_url: str = "http://127.0.0.1"

    def event(self, number: int, now: float) -> Event:
        """The ``number``-th event (from 1) at ``now`` (unix seconds).

        In a run of several, ``data.sequence`` counts them, so that a receiver can prove that none is missing.
        """
        event = self._event(now)
        if self.total > 1:
            data = event["data"]
            assert isinstance(data, dict)  # noqa: S101 - every branch of _event makes one
            data["sequence"] = number
        return event

    def _event(self, now: float) -> Event:
        text = self.text
        if self.kind.startswith("capture_session."):
            return lifecycle("cap-trigger", self.kind.partition(".")[2], self._lifecycle_data())
        span: dict[str, object] = {"start": milliseconds(now - 2.0), "end": milliseconds(now)}
        if self.kind == "transcript":
            said = "This is a test transcript." if text is None else text
            return _triggered("transcript", "mic:default", {"text": said, "is_final": True, **span})
        if self.kind == "audio_index":
            heard = "Somebody speaks about a test." if text is None else text
            return _triggered("audio_index", "mic:default", {"text": heard, **span})
        if self.kind == "alert":
            alert = {"label": "test_alert", "triggered": True, "confidence": 0.95, "event_id": "event-trigger", **span}
            event = _triggered("alert", "display:1", alert if text is None else {"text": text, **alert})
            event["timestamp"] = now
            return event
        seen = "A test is on the screen." if text is None else text
        return _triggered("visual_index", "display:1", {"text": seen, **span})

    def _lifecycle_data(self) -> dict[str, object]:
        status = self.kind.partition(".")[2]
        if status == "active":
            members: Sequence[tuple[str, str]] = (("mic:default", "audio"), ("display:1", "video"))
            return {
                "rtstreams": [
                    {"rtstream_id": _trigger_stream_id(name), "name": name, "media_types": [media_type]}
                    for name, media_type in members
                ]
            }
        if status == "exported":
            return {
                "exported_video_id": "m-trigger",
                "stream_url": f"{self.base_url}/media/m-trigger/index.m3u8",
                "player_url": f"{self.base_url}/play/watch?v=m-trigger",
            }
        if status == "failed":
            message = "The capture failed because a test asked for it" if self.text is None else self.text
            return {"error": {"code": "TRIGGERED", "message": message}}
        return {} if self.text is None else {"text": self.text}


def _stream_event(channel: str, stream: RTStream, data: dict[str, object]) -> Event:
    return {"channel": channel, "rtstream_id": stream.id, "rtstream_name": stream.name, "data": data}


def _triggered(channel: str, stream_name: str, data: dict[str, object]) -> Event:
    return {
        "channel": channel,
        "rtstream_id": _trigger_stream_id(stream_name),
        "rtstream_name": stream_name,
        "data": data,
    }


def _trigger_stream_id(stream_name: str) -> str:
    return f"rts-trigger-{stream_name.partition(':')[0]}"
