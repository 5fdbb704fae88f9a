"""One backfill: what is queried, what is known, and how each answer is applied.

Calls and threads return values. Pipelines, streams and sessions change only in the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from functools import partial

from videodb_cli.listener.recovery.client import FAILED, GONE, NoAnswer, RecoveryClient
from videodb_cli.listener.recovery.evidence import (
    Comparison,
    KnownRecords,
    LiveEvidence,
    UnattributedEvent,
    compare,
    event_fingerprint,
    record_fingerprint,
)
from videodb_cli.listener.recovery.gap import OVERLAP_S, Gap, GapReport, RecoveryPolicy
from videodb_cli.listener.recovery.history import LogContent, scan
from videodb_cli.listener.recovery.known_capture import KnownCapture
from videodb_cli.listener.recovery.pipeline import Pipeline, State
from videodb_cli.listener.recovery.records import INDEX_CHANNELS, is_beginning, lifecycle_events, live_event
from videodb_cli.listener.recovery.targets import SessionTarget, StreamTarget, Targets
from videodb_cli.listener.recovery.writer import RecoveryContext
from videodb_cli.model import event as ev
from videodb_cli.model.event import Event
from videodb_cli.model.lifecycle import is_over
from videodb_cli.model.rtstreams import read_streams

# Events of a time are received up to this long before or after it.
_RECEIPT_MARGIN_S = 180.0
_NOT_TRANSCRIBED = frozenset(("stopped", "not_configured"))


class Backfill:
    """The targets of a backfill, the evidence about them, and the open connections.

    Attributes:
        known: The fingerprints of what the log holds.
        opened: The ids of the open connections.
        youngest: The id of the youngest one, to which transcriptions are bound.
        known_since: Every event received since then is known (Unix seconds), unless no query returns it any more.
    """

    def __init__(self, client: RecoveryClient, context: RecoveryContext, policy: RecoveryPolicy) -> None:
        self._client = client
        self._context = context
        self._clock = context.clock
        self._policy = policy
        self._evidence = LiveEvidence()
        self._is_first_pass = True
        # When the youngest connection was lost (Unix seconds).
        self._lost_at = 0.0
        self.targets = Targets(context.history, context.collection, policy)
        self.known = KnownRecords()
        self.opened: set[str] = set()
        self.youngest: str | None = None
        self.known_since: float | None = None
        # How far our clock was set back since the beginning, in all.
        self._set_back_s = 0.0

    @property
    def is_bound(self) -> bool:
        """Whether every transcription that runs is bound to the youngest connection."""
        return all(stream.bound_to == self.youngest for stream in self.targets.streams.values())

    @property
    def is_done(self) -> bool:
        """Whether nothing needs to be queried any more."""
        targets = self.targets
        return (
            all(stream.is_listed for stream in targets.streams.values())
            and all(pipeline.is_done for pipeline in targets.pipelines.values())
            and all(session.is_done(self._policy.settle_s) for session in targets.sessions.values())
        )

    @property
    def is_holding(self) -> bool:
        """Whether a record or a status waits for its live event."""
        pipelines, sessions = self.targets.pipelines.values(), self.targets.sessions.values()
        return any(p.is_holding for p in pipelines) or any(s.is_holding for s in sessions)

    def clear(self) -> None:
        """Drop everything except the connections."""
        self.targets.clear()
        self.known.clear()
        self.known_since = None
        self._evidence.clear()

    # ---- what happens --------------------------------------------------------------------------------------------

    def on_connection_closed(self, connection_id: str) -> None:
        """Drop every proof that names this connection."""
        self.opened.discard(connection_id)
        if self.youngest == connection_id:
            self.youngest, self._lost_at = None, self._clock.unix()
        self._evidence.on_connection_closed(connection_id)
        for pipeline in self.targets.pipelines.values():
            pipeline.on_connection_closed(connection_id, self._clock.uptime())

    def on_clock_set(self, step_s: float) -> None:
        """Our clock was set by so many seconds: what is kept in Unix seconds moves with it."""
        self._context.history.on_clock_set(step_s)
        self._set_back_s += min(step_s, 0.0)
        if self.known_since is not None:
            self.known_since += step_s
        self._lost_at += step_s
        self._evidence.on_clock_set(step_s)
        self.targets.on_clock_set(step_s)

    def on_live_event(self, event: Event, connection_id: str | None) -> None:
        """Take a live event, and the connection over which it arrived (None: before the connection had an id)."""
        fingerprint = event_fingerprint(event)
        self.known.add(fingerprint)
        stream, channel = ev.stream_id_of(event), ev.channel_of(event)
        # No pipeline can have been bound to a connection that had no id yet.
        if connection_id is None or stream is None or channel is None:
            return
        pipelines = self.targets.of(stream, channel)
        index_id = event.get("rtstream_index_id")
        now, wall = self._clock.uptime(), self._clock.unix()
        for pipeline in pipelines:
            if pipeline.index_id is None or pipeline.index_id == index_id:
                pipeline.on_live_event(connection_id, now, wall)
        is_proof = any(p.index_id is not None and p.state is not State.LIVE for p in pipelines)
        if is_proof and not isinstance(index_id, str):
            self._evidence.add(UnattributedEvent(stream, channel, fingerprint, connection_id, now, wall))
            self.targets.streams[stream].list_since = now

    # ---- files ---------------------------------------------------------------------------------------------------

    async def read_log(self, seen_since: float, known_since: float) -> list[tuple[Event, float]]:
        """Learn the streams, sessions and events of the log that were received since these times (Unix seconds).

        Returns:
            The recovered events that may still arrive live, and when they were written (Unix seconds).
        """
        context = self._context
        await context.in_thread(context.flush, 5.0)
        while True:
            set_back_s = self._set_back_s
            content: LogContent = await context.in_thread(
                scan, context.run_dir, seen_since=seen_since, known_since=known_since
            )
            if self._set_back_s == set_back_s:
                break
            # Our clock was set back meanwhile, and it may have read too little.
            seen_since += self._set_back_s - set_back_s
            known_since += self._set_back_s - set_back_s
        context.history.add_older(content.history)
        self.known.add_all(content.known)
        self.known_since = known_since if self.known_since is None else min(self.known_since, known_since)
        return content.recovered

    def discover(self, info: KnownCapture, gap: Gap) -> None:
        """Add the sessions and streams that may have produced events in a gap."""
        self.targets.discover(info, started=gap.started, oldest=gap.seen_since(self._policy.window_s))

    def forget_old(self) -> None:
        """Drop the fingerprints of events that no query returns any more."""
        now = self._clock.unix() if self.youngest is not None else self._lost_at
        self.known.drop_before(self.targets.advance_done(now, self._client.clock_offset_s))

    # ---- queries -------------------------------------------------------------------------------------------------

    async def query(self, report: GapReport, *, is_first_pass: bool) -> list[Event]:
        """Query everything that is not done, once. Returns the events that the log lacks, in the order to write.

        ``report`` has the gap, which changes when our clock is set.
        """
        self._is_first_pass = is_first_pass
        targets = self.targets
        sessions = [s for s in targets.sessions.values() if not s.is_done(self._policy.settle_s)]
        changes = await self._gather(map(self._query_session, sessions))
        await self._find_pipelines(report)
        # A done pipeline is queried as well while its records can show who made a live event.
        queried = [p for p in targets.pipelines.values() if not p.is_done or self._evidence.of(p)]
        records = await self._gather(map(self._query_pipeline, queried))
        records.sort(key=lambda event: event["data"]["start"])
        early = [event for event in changes if is_beginning(event)]
        late = [event for event in changes if not is_beginning(event)]
        return [*early, *records, *late]

    async def query_streams(self) -> None:
        """Ask whether streams are over about which no session tells anything."""

        async def query(stream: StreamTarget) -> None:
            if await self._client.is_over(stream.stream):
                self.targets.end_stream(stream.stream, self._clock.uptime())

        await asyncio.gather(*map(query, self.targets.streams_without_session()))

    async def bind_streams(self) -> None:
        """Bind the transcriptions that run to the youngest connection."""
        connection_id = self.youngest
        if connection_id is not None:
            unbound = [stream for stream in self.targets.streams.values() if stream.bound_to != connection_id]
            await asyncio.gather(*(self._bind(stream, connection_id) for stream in unbound))

    async def _gather(self, queries: Iterable[Awaitable[list[Event]]]) -> list[Event]:
        """Run queries side by side. An unexpected error in one of them must not discard the others' answers."""
        events: list[Event] = []
        for answer in await asyncio.gather(*queries, return_exceptions=True):
            if isinstance(answer, Exception):
                self._client.note_error("reading back", answer)
            elif not isinstance(answer, BaseException):
                events += answer
        return events

    async def _query_session(self, session: SessionTarget) -> list[Event]:
        asked_at = self._clock.uptime()
        found = await self._client.session(session.collection, session.session, self.youngest or "")
        if isinstance(found, NoAnswer):
            session.is_gone = found is GONE
            return []
        for stream in read_streams(found.get("rtstreams")):
            self.targets.add_stream(stream.id, stream.label, session.session)
        now = self._clock.uptime()
        status = found.get("status") if isinstance(found.get("status"), str) else None
        session.on_answer(status, is_exporting=found.get("export_status") == "exporting", asked_at=asked_at, now=now)
        if is_over(status):
            self.targets.end_session(session.session, now)
        known = self._context.history.session_statuses().get(session.session)
        missing = lifecycle_events(session.session, found, known[0] if known is not None else session.last_seen)
        # In the first pass no event can be under way to the new connection.
        return session.take_due(missing, now, 0.0 if self._is_first_pass else self._policy.hold_dead_s)

    async def _find_pipelines(self, report: GapReport) -> None:
        """List the indexes of streams where necessary, and add their pipelines."""
        indexes: dict[str, dict[str, str]] = {}

        async def list_indexes(stream: StreamTarget) -> None:
            asked_at = self._clock.uptime()
            is_mentioned = partial(self.targets.is_mentioned, stream.stream, *INDEX_CHANNELS)
            found = await self._client.indexes(stream.stream, is_mentioned)
            if not isinstance(found, NoAnswer):
                stream.listed_at, indexes[stream.stream] = asked_at, found

        await asyncio.gather(*(list_indexes(s) for s in self.targets.streams.values() if not s.is_listed))
        added = self.targets.add_pipelines(
            report.gap,
            indexes,
            clock=self._clock,
            offset_s=self._client.clock_offset_s,
            open_connections=self.opened,
            is_first_pass=self._is_first_pass,
        )
        # One that is found late, or after our clock was set, is queried for a time that may not be known any more.
        starts = [p.since - p.ahead_s for p in added if self.targets.is_mentioned(p.stream, p.channel)]
        since = max(min(starts, default=0.0) - _RECEIPT_MARGIN_S, self.targets.floor or 0.0)
        if starts and (not self._is_first_pass or self.known_since is None or since < self.known_since):
            await self.read_log(report.gap.ended, since)
        self._evidence.attribute(self._candidates)

    def _candidates(self, event: UnattributedEvent) -> list[Pipeline] | None:
        if self.targets.streams[event.stream].listed_at <= event.at:
            return None
        return self.targets.of(event.stream, event.channel)

    async def _query_pipeline(self, pipeline: Pipeline) -> list[Event]:
        asked_at = self._clock.uptime()
        # Our clock may have been set since the pipeline's events told the service's clock.
        ahead_s = max(pipeline.ahead_s, self._client.clock_offset_s, 0.0)
        until = max(self._clock.unix() + ahead_s, pipeline.newest) + OVERLAP_S
        is_mentioned = partial(self.targets.is_mentioned, pipeline.stream, pipeline.channel)
        items = await self._client.records(pipeline, until, is_mentioned)
        if items is GONE:
            pipeline.on_stopped(self._clock.uptime(), asked_at)
        if isinstance(items, NoAnswer):
            return []
        # In a thread, because comparing the records of a day takes longer than a live event may wait.
        events = self._evidence.of(pipeline)
        compared: Comparison = await self._context.in_thread(compare, pipeline, items, until, self.known, events)
        for event in compared.matched:
            event.held_by.add(pipeline.index_id)
        due = pipeline.on_records(
            compared.unknown,
            compared.newest,
            asked_at=asked_at,
            now=self._clock.uptime(),
            is_first_pass=self._is_first_pass,
            is_known=lambda record: record_fingerprint(pipeline, record) in self.known,
        )
        name = self.targets.streams[pipeline.stream].name
        return [live_event(pipeline.spelling, pipeline.stream, name, record) for record in due]

    async def _bind(self, stream: StreamTarget, connection_id: str) -> None:
        status = await self._client.bind(stream.stream, connection_id)
        # The connection may have been closed during the call.
        if status is FAILED or connection_id not in self.opened:
            return
        stream.bound_to = connection_id
        pipeline = self.targets.pipelines.get((stream.stream, ""))
        if pipeline is not None and status == "running":
            pipeline.on_rebound(connection_id, self._clock.uptime(), self._clock.unix())
        elif pipeline is not None and (status is GONE or status in _NOT_TRANSCRIBED):
            pipeline.on_stopped(self._clock.uptime())
