"""The capture sessions of a log: when they ran, how they ended, their streams, and how many events they have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from videodb_cli.eventlog.names.tally import SessionFacts, Tally, iter_owned
from videodb_cli.model import lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable

    from videodb_cli.rundir.capture_state import CaptureState

# What no longer records.
_ENDED = ("stopping", "stopped", "exported", lifecycle.FAILED)


@dataclass(slots=True)
class StreamSummary:
    """One rtstream of a session, and how many events of each channel came from it."""

    id: str
    name: str | None = None
    channels: dict[str, int] = field(default_factory=dict)

    @property
    def events(self) -> int:
        """How many events came from it."""
        return sum(self.channels.values())

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"rtstream_id": self.id, "name": self.name, "events": self.events, "channels": self.channels}


@dataclass(slots=True)
class SessionSummary:
    """One capture session. Times are Unix seconds.

    Attributes:
        status: The last status that is known, a word of `model.lifecycle` or of the service; None if none was told.
        is_running: Whether it is the capture that runs in this directory now.
        started_at: When it became active; before that, when it was first heard of.
        ended_at: When it stopped; None while it runs, and if nobody has told.
        last_event_at: When its last event was received.
        statuses: When each status was first told.
    """

    id: str
    status: str | None = None
    is_running: bool = False
    started_at: float | None = None
    ended_at: float | None = None
    last_event_at: float | None = None
    events: int = 0
    streams: list[StreamSummary] = field(default_factory=list)
    exported_video_id: str | None = None
    player_url: str | None = None
    stream_url: str | None = None
    error: str | None = None
    statuses: dict[str, float] = field(default_factory=dict)

    def duration_s(self, now: float) -> float | None:
        """Return how long it ran; for one whose end nobody has told, until its last event."""
        end = now if self.is_running else self.ended_at if self.ended_at is not None else self.last_event_at
        return None if end is None or self.started_at is None else max(0.0, end - self.started_at)

    def overlaps(self, since: float | None, until: float | None) -> bool:
        """Tell whether it has events, or still runs, in a span of time."""
        if since is not None and not self.is_running and (self.last_event_at is None or self.last_event_at < since):
            return False
        return until is None or (self.started_at is not None and self.started_at <= until)

    def as_json(self, now: float) -> dict[str, Any]:
        """Return it as JSON values; every key is always there."""
        duration_s = self.duration_s(now)
        return {
            "session_id": self.id,
            "status": self.status,
            "running": self.is_running,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "last_event_at": self.last_event_at,
            "duration_s": None if duration_s is None else round(duration_s, 3),
            "events": self.events,
            "streams": [stream.as_json() for stream in self.streams],
            "exported_video_id": self.exported_video_id,
            "player_url": self.player_url,
            "stream_url": self.stream_url,
            "error": self.error,
            "statuses": self.statuses,
        }


def sessions_of(names: Tally, capture: CaptureState | None = None, *, is_running: bool = False) -> list[SessionSummary]:
    """Return the sessions: the one that runs first, then the newest first.

    Args:
        names: The names of the log.
        capture: The state of the latest capture of the log's directory.
        is_running: Whether that capture runs now.
    """
    from videodb_cli.eventlog.names.choose import newest_first

    if capture is not None:
        # Its streams are known here before the log tells of them.
        streams = names.sessions.setdefault(capture.session_id, SessionFacts()).streams
        for channel in capture.channels:
            if channel.rtstream_id is not None:
                streams.setdefault(channel.rtstream_id, channel.name or channel.channel_id)
    found = [_summary(names, ident) for ident in newest_first(names, capture)]
    for one in found:
        if capture is not None and one.id == capture.session_id:
            _add_capture(one, capture, is_running=is_running)
    return sorted(found, key=lambda one: not one.is_running)


def _summary(names: Tally, ident: str) -> SessionSummary:
    facts = names.sessions.get(ident) or SessionFacts()
    made = SessionSummary(ident, facts.status, error=facts.error, statuses=_in_order(facts.statuses))
    made.exported_video_id = facts.export.get("exported_video_id")
    made.player_url, made.stream_url = facts.export.get("player_url"), facts.export.get("stream_url")
    streams = {stream_id: StreamSummary(stream_id, label or None) for stream_id, label in facts.streams.items()}
    firsts: list[float] = []
    lasts: list[float] = []
    for kind, seen in iter_owned(names, ident):
        made.events += seen.count
        firsts += [] if seen.first is None else [seen.first]
        lasts += [] if seen.last is None else [seen.last]
        if kind.stream_id is not None:
            stream = streams.setdefault(kind.stream_id, StreamSummary(kind.stream_id))
            stream.name = stream.name or kind.stream_name
            channel = kind.channel or "(none)"
            stream.channels[channel] = stream.channels.get(channel, 0) + seen.count
    made.streams = list(streams.values())
    made.last_event_at = max(lasts, default=None)
    made.started_at = facts.statuses.get("active", min(firsts, default=None))
    ends = [facts.statuses[name] for name in _ENDED if name in facts.statuses]
    made.ended_at = min((at for at in ends if at >= (made.started_at or 0.0)), default=None)
    return made


def _add_capture(session: SessionSummary, capture: CaptureState, *, is_running: bool) -> None:
    """Add what the state of the capture knows, which is more than the log if the listener missed something."""
    session.is_running = is_running
    if is_running or session.status is None or lifecycle.is_later(capture.status, session.status):
        session.status = capture.status
    session.started_at = session.started_at if session.started_at is not None else capture.started_at
    session.exported_video_id = session.exported_video_id or capture.exported_video_id
    session.player_url = session.player_url or capture.player_url
    session.stream_url = session.stream_url or capture.stream_url
    if capture.error is not None:
        session.error = session.error or capture.error.message


def _in_order(statuses: dict[str, float]) -> dict[str, float]:
    return dict(sorted(statuses.items(), key=lambda item: item[1]))


def in_span(sessions: Iterable[SessionSummary], since: float | None, until: float | None) -> list[SessionSummary]:
    """Return the sessions that have events, or run, in a span of time."""
    return [session for session in sessions if session.overlaps(since, until)]
