"""What there is to look at after a gap: sessions, streams, and the pipelines of each. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from videodb_cli.listener.recovery.logscan import CaptureInfo
from videodb_cli.listener.recovery.pipeline import HEARD_BEFORE_S, Gap, Limits, Pipeline, first_moment
from videodb_cli.listener.recovery.records import TRANSCRIPT
from videodb_cli.listener.recovery.seen import Seen, Trace
from videodb_cli.model import lifecycle
from videodb_cli.model.lifecycle import is_over

_DATE_PRECISION_S = 2.5


@dataclass(slots=True)
class StreamTarget:
    """A stream that may have spoken. ``is_bound``: its transcription goes to the connection that is open now."""

    stream: str
    name: str | None = None
    session: str | None = None
    is_listed: bool = False
    is_gone: bool = False
    is_bound: bool = False


@dataclass(slots=True)
class SessionTarget:
    """A session that may have changed; ``last_seen`` is its status when no event of it is in the log."""

    session: str
    collection: str
    last_seen: str | None
    status: str | None = None
    was_asked: bool = False
    is_gone: bool = False
    last_change: float = 0.0
    # A change that may be on its way as a live event waits here for a moment.
    is_holding: bool = False
    first_met: dict[str, float] = field(default_factory=dict)

    def is_done(self, now: float, settle_s: float) -> bool:
        """Whether nothing more is to be expected of it. Monotonic seconds."""
        settled = self.was_asked and now - self.last_change >= settle_s
        is_ended = self.status in lifecycle.FINAL or (is_over(self.status) and settled)
        return self.is_gone or (is_ended and not self.is_holding)


class Targets:
    """Everything that is asked, and what it belongs to."""

    def __init__(self, seen: Seen, collection: str) -> None:
        self._seen = seen
        self._collection = collection
        self._index_connections: dict[str, str] = {}
        self.streams: dict[str, StreamTarget] = {}
        self.sessions: dict[str, SessionTarget] = {}
        self.pipelines: dict[tuple[str, str], Pipeline] = {}
        # Seconds by which the service's clock is ahead of ours, by its answers.
        self.clock_offset_s: float | None = None

    def clear(self) -> None:
        """Forget everything."""
        self.streams.clear()
        self.sessions.clear()
        self.pipelines.clear()

    def look_around(self, info: CaptureInfo, *, started: float, oldest: float) -> None:
        """Gather what may have spoken since ``started`` and was seen since ``oldest`` (Unix seconds)."""
        self._index_connections = dict(info.index_connections or {})
        statuses = self._seen.session_statuses()
        for session, (status, received_at) in statuses.items():
            if status not in lifecycle.FINAL and received_at >= oldest:
                self.sessions.setdefault(session, SessionTarget(session, self._collection, status))
        if info.session_id is not None and statuses.get(info.session_id, ("", 0.0))[0] not in lifecycle.FINAL:
            new = SessionTarget(info.session_id, self._collection, info.status)
            self.sessions.setdefault(info.session_id, new).collection = info.collection_id or self._collection
        owners = self._seen.session_streams()
        for trace in self._seen.traces():
            owner = owners.get(trace.stream)
            last_status, ended_at = statuses.get(owner or "", (None, 0.0))
            was_over = is_over(last_status) and ended_at < started - HEARD_BEFORE_S
            if trace.received_at is not None and trace.received_at >= oldest and not was_over:
                self.add_stream(trace.stream, trace.name, owner)
        for stream, name in (info.streams or {}).items():
            self.add_stream(stream, name, info.session_id)
        for session in list(self.sessions):
            for stream, name in self._seen.members(session).items():
                self.add_stream(stream, name, session)

    def add_stream(self, stream: str, name: str | None, session: str | None) -> None:
        """Take note of a stream, of whose session and name this much is known."""
        known = self.streams.setdefault(stream, StreamTarget(stream))
        known.name = known.name or name
        known.session = known.session or session

    def add_pipelines(
        self, gap: Gap, limits: Limits, now: float, indexes: dict[str, dict[str, str]], *, is_first: bool = False
    ) -> None:
        """Make a pipeline of every transcription, and of every index (by stream: id to channel), that has none yet.

        ``is_first``: in the first pass after a gap.
        """
        wanted = [(stream, TRANSCRIPT, None) for stream in self.streams]
        found: list[tuple[str, str, str | None]] = [*wanted]
        found += [(stream, channel, index_id) for stream, of in indexes.items() for index_id, channel in of.items()]
        statuses = self._seen.session_statuses()
        for stream, channel, index_id in found:
            key = (stream, index_id or "")
            if key in self.pipelines:
                continue
            trace = self._trace_of(stream, channel)
            since = first_moment(gap, limits, trace, self.ahead_s(stream))
            pipeline = Pipeline(stream, channel, trace.spelling if trace else channel, index_id, since, now)
            pipeline.overlap_s = limits.overlap_s
            pipeline.dead = index_id is None or self._index_connections.get(index_id) != gap.new_id
            pipeline.certainly_dead = pipeline.dead and index_id is not None and is_first and gap.is_fresh
            pipeline.over = is_over(statuses.get(self.streams[stream].session or "", (None, 0.0))[0])
            self.pipelines[key] = pipeline

    def of(self, stream: str, channel: str) -> list[Pipeline]:
        """Return the pipelines of one channel of one stream."""
        return [p for p in self.pipelines.values() if p.stream == stream and p.channel == channel]

    def has_spoken(self, stream: str, *channels: str) -> bool:
        """Tell whether the log has an event of one of these channels of a stream."""
        return any(self._trace_of(stream, channel) is not None for channel in channels)

    def end_session(self, session: str) -> None:
        """Its streams make nothing more."""
        for stream in self.streams.values():
            if stream.session == session:
                self.end_stream(stream.stream)

    def end_stream(self, stream: str) -> None:
        """It makes nothing more."""
        for pipeline in self.pipelines.values():
            if pipeline.stream == stream:
                pipeline.over = True

    def streams_of_no_session(self) -> Iterator[StreamTarget]:
        """Streams that are polled and that no session says anything about: they are asked themselves."""
        asked = {pipeline.stream for pipeline in self.pipelines.values() if pipeline.dead and not pipeline.over}
        return (s for s in list(self.streams.values()) if s.stream in asked and s.session not in self.sessions)

    def dead_pipelines(self) -> list[dict[str, Any]]:
        """Return the pipelines that still point at a connection that is gone.

        A transcription that was started again is polled until it speaks, but it does not point elsewhere.
        """
        return [
            {
                "channel": pipeline.channel,
                "rtstream_id": pipeline.stream,
                "rtstream_name": self.streams[pipeline.stream].name,
                "rtstream_index_id": pipeline.index_id,
            }
            for pipeline in self.pipelines.values()
            if pipeline.dead
            and not pipeline.over
            and not (pipeline.index_id is None and self.streams[pipeline.stream].is_bound)
        ]

    def ahead_s(self, stream: str) -> float:
        """How far the service's clock is ahead: as the stream's events say, else as its answers do."""
        for trace in self._seen.traces():
            if trace.stream == stream and trace.ahead_s is not None:
                return trace.ahead_s
        offset_s = self.clock_offset_s or 0.0
        # The date of an answer is cut to the second, and servers make it once a second: less than that is no offset.
        return offset_s if abs(offset_s) > _DATE_PRECISION_S else 0.0

    def _trace_of(self, stream: str, channel: str) -> Trace | None:
        return next((t for t in self._seen.traces() if (t.stream, t.channel) == (stream, channel)), None)
