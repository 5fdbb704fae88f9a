"""What is queried after a gap: sessions, streams, and the pipelines of each stream. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from videodb_cli.listener.recovery.gap import KNOWN_BEFORE_S, Gap, QueryStarts, RecoveryPolicy
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.listener.recovery.known_capture import KnownCapture
from videodb_cli.listener.recovery.pipeline import Pipeline, State
from videodb_cli.listener.recovery.records import TRANSCRIPT
from videodb_cli.model import lifecycle
from videodb_cli.model.event import Event
from videodb_cli.process.clock import Clock

# A connection may have been dead for this long before its loss is noticed.
_NOTICED_LATE_S = 180.0


@dataclass(slots=True)
class StreamTarget:
    """A stream that may have produced events. Times are uptime seconds.

    Attributes:
        listed_at: When the last call that listed its indexes began.
        list_since: Its indexes must be listed by a call that begins later than this.
        bound_to: The connection for which its transcription was bound, or found not to run.
    """

    stream: str
    name: str | None = None
    session: str | None = None
    listed_at: float = -math.inf
    list_since: float = 0.0
    bound_to: str | None = None

    @property
    def is_listed(self) -> bool:
        """Whether its indexes are known."""
        return self.listed_at > self.list_since


@dataclass(slots=True)
class SessionTarget:
    """A session whose status may have changed. Times are uptime seconds.

    Attributes:
        last_seen: Its status, if the log has no event of it.
        is_holding: A change waits for its live event.
        first_met: When each missing status was returned first.
    """

    session: str
    collection: str
    last_seen: str | None
    status: str | None = None
    is_gone: bool = False
    is_holding: bool = False
    asked_at: float = -math.inf
    changed_at: float = -math.inf
    first_met: dict[str, float] = field(default_factory=dict)

    def on_gap(self, now: float) -> None:
        """Query it again, because an event of it may be lost."""
        self.asked_at, self.changed_at, self.is_gone = -math.inf, now, False

    def on_answer(self, status: str | None, *, is_exporting: bool, asked_at: float, now: float) -> None:
        """The service told its status."""
        self.asked_at = asked_at
        if status != self.status or is_exporting:
            self.status, self.changed_at = status, now

    def take_due(self, missing: list[Event], now: float, hold_s: float) -> list[Event]:
        """Return the missing events that are to be written. One whose live event may be under way is held back."""
        due = [event for event in missing if now - self.first_met.setdefault(event["status"], now) >= hold_s]
        self.is_holding = len(due) < len(missing)
        return due

    def is_done(self, settle_s: float) -> bool:
        """Tell whether no more event of it is expected."""
        is_ended = self.status in lifecycle.FINAL or (
            lifecycle.is_over(self.status) and self.asked_at - self.changed_at >= settle_s
        )
        return self.is_gone or (is_ended and not self.is_holding)


class Targets:
    """The sessions, streams and pipelines that are queried.

    ``offset_s`` is always the number of seconds by which the service's clock is ahead, as its answers tell.
    """

    def __init__(self, history: StreamHistory, collection: str, policy: RecoveryPolicy) -> None:
        self._history = history
        self._collection = collection
        self._policy = policy
        self._index_connections: Mapping[str, str] = {}
        self._of_channel: dict[tuple[str, str], list[Pipeline]] = {}
        self.streams: dict[str, StreamTarget] = {}
        self.sessions: dict[str, SessionTarget] = {}
        # By stream and index id; the index id of a transcription is empty.
        self.pipelines: dict[tuple[str, str], Pipeline] = {}
        # Nothing older is read back (Unix seconds), because `--clear` has removed it.
        self.floor: float | None = None

    def clear(self) -> None:
        """Drop everything."""
        self.streams.clear()
        self.sessions.clear()
        self.pipelines.clear()
        self._of_channel.clear()

    def discover(self, info: KnownCapture, *, started: float, oldest: float) -> None:
        """Add the sessions and streams that may have produced events in a gap.

        Args:
            info: The capture of the directory.
            started: When the gap began (Unix seconds).
            oldest: Streams and sessions whose last event is older are left out (Unix seconds).
        """
        self._index_connections = info.index_connections
        statuses = self._history.session_statuses()
        for session, (status, received_at) in statuses.items():
            if status not in lifecycle.FINAL and received_at >= oldest:
                self.sessions.setdefault(session, SessionTarget(session, self._collection, status))
        if info.session_id is not None and statuses.get(info.session_id, ("", 0.0))[0] not in lifecycle.FINAL:
            new = SessionTarget(info.session_id, self._collection, info.status)
            self.sessions.setdefault(info.session_id, new).collection = info.collection_id or self._collection
        owners = self._history.session_streams()
        for last in self._history.last_events().values():
            owner = owners.get(last.stream)
            status_now, ended_at = statuses.get(owner or "", (None, 0.0))
            was_over = lifecycle.is_over(status_now) and ended_at < started - KNOWN_BEFORE_S
            if last.received_at is not None and last.received_at >= oldest and not was_over:
                self.add_stream(last.stream, last.name, owner)
        for stream, name in info.streams.items():
            self.add_stream(stream, name, info.session_id)
        # A session that has just ended is not asked any more, but its streams may have spoken until then.
        ended = {
            session
            for session, (status, received_at) in statuses.items()
            if lifecycle.is_over(status) and received_at >= started - KNOWN_BEFORE_S
        }
        for session in [*self.sessions, *sorted(ended - self.sessions.keys())]:
            for stream, name in self._history.members(session).items():
                self.add_stream(stream, name, session)

    def add_stream(self, stream: str, name: str | None, session: str | None) -> None:
        """Add a stream, or what is new about one."""
        known = self.streams.setdefault(stream, StreamTarget(stream))
        known.name = known.name or name
        known.session = known.session or session

    def on_gap(self, gap: Gap, now: float) -> None:
        """Query everything again. ``now`` is in uptime seconds."""
        over = self._streams_that_are_over()
        for pipeline in self.pipelines.values():
            pipeline.on_gap(gap, now, has_stopped=pipeline.stream in over)
        for stream in self.streams.values():
            stream.list_since = now
        for session in self.sessions.values():
            session.on_gap(now)

    def on_clock_set(self, step_s: float) -> None:
        """Our clock was set by so many seconds."""
        if self.floor is not None:
            self.floor += step_s
        for pipeline in self.pipelines.values():
            pipeline.on_clock_set(step_s)

    def add_pipelines(
        self,
        gap: Gap,
        indexes: Mapping[str, Mapping[str, str]],
        *,
        clock: Clock,
        offset_s: float,
        open_connections: Collection[str],
        is_first_pass: bool,
    ) -> list[Pipeline]:
        """Add the transcriptions and indexes that are new.

        Args:
            gap: The gap that is mended.
            indexes: The indexes of each stream that was listed, id to channel.
            clock: The clock.
            offset_s: How far the service's clock is ahead.
            open_connections: The ids of the open connections.
            is_first_pass: Nothing was queried since the gap ended.

        Returns:
            The pipelines that were added.
        """
        found: list[tuple[str, str, str | None]] = [(stream, TRANSCRIPT, None) for stream in self.streams]
        found += [(stream, channel, index_id) for stream, of in indexes.items() for index_id, channel in of.items()]
        found = [one for one in found if (one[0], one[2] or "") not in self.pipelines]
        if not found:
            return []
        added = []
        over = self._streams_that_are_over()
        starts = self._query_starts(gap, offset_s)
        last_events = self._history.last_events()
        for stream, channel, index_id in found:
            last = last_events.get((stream, channel))
            spelling = last.spelling if last is not None else channel
            since, now = starts.of(stream, channel), clock.uptime()
            pipeline = Pipeline(stream, channel, spelling, index_id, since, now, self._policy, starts.ahead_s(stream))
            pipeline.has_stopped = stream in over
            if index_id is not None and is_first_pass and gap.is_fresh:
                pipeline.state = State.STALE
            bound_to = self.streams[stream].bound_to if index_id is None else self._index_connections.get(index_id)
            if bound_to is not None and bound_to in open_connections:
                pipeline.on_rebound(bound_to, now, clock.unix())
            self.pipelines[stream, index_id or ""] = pipeline
            self._of_channel.setdefault((stream, channel), []).append(pipeline)
            added.append(pipeline)
        return added

    def of(self, stream: str, channel: str) -> list[Pipeline]:
        """Return the pipelines of one channel of one stream."""
        return self._of_channel.get((stream, channel), [])

    def is_mentioned(self, stream: str, *channels: str) -> bool:
        """Tell whether the log has an event of one of these channels of a stream."""
        last_events = self._history.last_events()
        return any((stream, channel) in last_events for channel in channels)

    def end_session(self, session: str, now: float) -> None:
        """Stop the pipelines of a session. ``now`` is in uptime seconds."""
        for stream in self.streams.values():
            if stream.session == session:
                self.end_stream(stream.stream, now)

    def end_stream(self, stream: str, now: float) -> None:
        """Stop the pipelines of a stream. ``now`` is in uptime seconds."""
        for pipeline in self.pipelines.values():
            if pipeline.stream == stream:
                pipeline.on_stopped(now)

    def streams_without_session(self) -> Iterator[StreamTarget]:
        """Return the polled streams about which no session tells anything, so that they are queried themselves."""
        polled = {p.stream for p in self.pipelines.values() if p.state is not State.LIVE and not p.has_stopped}
        known = {name for name, session in self.sessions.items() if not session.is_gone}
        return (s for s in list(self.streams.values()) if s.stream in polled and s.session not in known)

    def dead_pipelines(self) -> list[dict[str, Any]]:
        """Return the dead pipelines in the form of the state file and of `listener.recovered`."""
        return [
            {
                "channel": pipeline.channel,
                "rtstream_id": pipeline.stream,
                "rtstream_name": self.streams[pipeline.stream].name,
                "rtstream_index_id": pipeline.index_id,
            }
            for pipeline in self.pipelines.values()
            if pipeline.is_dead
        ]

    def _streams_that_are_over(self) -> set[str]:
        statuses = self._history.session_statuses()
        return {
            stream.stream
            for stream in self.streams.values()
            if lifecycle.is_over(statuses.get(stream.session or "", (None, 0.0))[0])
        }

    # ---- query starts --------------------------------------------------------------------------------------------

    def advance_done(self, lost_at: float, offset_s: float) -> Callable[[str, str], float]:
        """Move the query start of every done pipeline to where a gap that begins now would put it.

        Args:
            lost_at: Now, or when the youngest connection was lost (Unix seconds).
            offset_s: How far the service's clock is ahead.

        Returns:
            A function of stream and channel: no query returns anything that ended before its value.
        """
        starts = self._query_starts(Gap(lost_at - _NOTICED_LATE_S, lost_at, None, ""), offset_s)
        for pipeline in self.pipelines.values():
            if pipeline.is_done:
                pipeline.since = max(pipeline.since, starts.of(pipeline.stream, pipeline.channel))
        return lambda stream, channel: min(
            [starts.of(stream, channel), *(pipeline.since for pipeline in self.of(stream, channel))]
        )

    def _query_starts(self, gap: Gap, offset_s: float) -> QueryStarts:
        return QueryStarts(gap, self._history.last_events(), self._policy, self.floor, offset_s)
