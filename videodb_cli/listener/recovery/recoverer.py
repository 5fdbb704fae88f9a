"""Fetches what a gap lost, binds again what can be bound, and polls what still speaks to a connection that is gone.

It runs beside the receiver: live events are written at once, whatever happens here. No failure of a call ends the
listening.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from videodb_cli.api.streams import StreamCalls
from videodb_cli.listener.recovery import logscan
from videodb_cli.listener.recovery.asking import Asker
from videodb_cli.listener.recovery.attention import Attention
from videodb_cli.listener.recovery.backfill import Backfill
from videodb_cli.listener.recovery.pipeline import HEARD_BEFORE_S, OVERLAP_S, Gap, Limits, Pipeline, next_pause_s
from videodb_cli.listener.recovery.records import lifecycle_events, live_event, record_of
from videodb_cli.listener.recovery.surroundings import Surroundings
from videodb_cli.listener.recovery.tally import Tally
from videodb_cli.listener.recovery.targets import SessionTarget, Targets
from videodb_cli.listener.updates import CouldNot, Recovered
from videodb_cli.model.event import Event
from videodb_cli.model.lifecycle import is_over
from videodb_cli.model.rtstreams import read_streams

# A stream that belongs to no session is asked every so many passes whether it is over.
_LOOK_EVERY = 6
_BEGINNINGS = frozenset(("starting", "active"))


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Seconds. ``settle_s``: a span is asked for again until it has brought nothing new for so long."""

    window_s: float = 86400.0
    poll_s: float = 5.0
    settle_s: float = 60.0
    # A record may be on its way as a live event: on a pipeline that speaks to us, and on one that may.
    hold_s: float = 5.0
    hold_dead_s: float = 2.0
    overlap_s: float = OVERLAP_S


@contextlib.contextmanager
def _taking_short_turns() -> Iterator[None]:
    """Let threads of ours hand the interpreter on ten times as often.

    Whoever reads gigabytes of log here would otherwise keep the writer waiting 5 ms for each of its system calls.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


class Recoverer:
    """Goes through the gaps of one listener, one after another, in a task of its own."""

    def __init__(self, calls: StreamCalls, around: Surroundings, policy: RecoveryPolicy) -> None:
        self._around = around
        self._policy = policy
        # Nothing is recovered that is older (Unix seconds, see `clock_set`): `--clear` has removed it on purpose.
        self.floor: float | None = None
        self._targets = Targets(around.seen, around.collection)
        self._asker = Asker(
            calls, self._targets, lambda what, why: around.on_update(CouldNot(what, why)), policy.poll_s
        )
        self._backfill = Backfill(around)
        self._attention = Attention(self._targets)
        self._tally: Tally | None = None
        self._passes = 0
        self._fresh_gaps: list[Gap] = []
        self._bind_to = ""
        self._look_again = False
        self._knows_log = False
        self._heard_since: float | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._adopting: asyncio.Task[None] | None = None

    # ---- from outside --------------------------------------------------------------------------------------------

    def begin(self, gap: Gap) -> None:
        """Go through a gap. To be called before the first message of the new connection is taken."""
        self._around.watch_with(self._heard_event)
        self._attention.forget_evidence()
        for pipeline in self._targets.pipelines.values():
            pipeline.dead, pipeline.asked = True, False
            pipeline.certainly_dead = pipeline.index_id is not None and gap.is_fresh
            pipeline.born = time.monotonic()
        self._fresh_gaps.append(gap)
        self.bind(gap.new_id)

    def adopt(self, connection_id: str) -> None:
        """Take over a capture that runs already, where the log knows of no gap: after `--clear`, or in a new log.

        Its pipelines speak to a connection that is gone, and nobody would notice.
        """

        async def look() -> None:
            info = await asyncio.to_thread(logscan.read_capture_info, self._around.run_dir)
            if not is_over(info.status) and info.connections - {connection_id}:
                now = self._around.clock.unix()
                self.begin(Gap(now, now, None, connection_id, is_fresh=False))

        self._adopting = asyncio.create_task(look(), name="capture")

    def bind(self, connection_id: str) -> None:
        """Bind running transcriptions to a connection, as soon as can be."""
        self._bind_to = connection_id
        self._look_again = True
        for stream in self._targets.streams.values():
            stream.is_bound = False
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="recovery")

    def clock_set(self, step_s: float) -> None:
        """Go on by a clock that was set by so many seconds: what is kept in Unix seconds moves with it."""
        self._fresh_gaps = [gap.after_step(step_s) for gap in self._fresh_gaps]
        if self._tally is not None:
            self._tally.gap = self._tally.gap.after_step(step_s)
        if self.floor is not None:
            self.floor += step_s
        if self._heard_since is not None:
            self._heard_since += step_s

    def dead_pipelines(self) -> list[dict[str, Any]]:
        """Return the pipelines that still point at a connection that is gone, for `status`."""
        return self._targets.dead_pipelines()

    async def stop(self) -> None:
        """End, and write down what has not been told yet. Idempotent."""
        if self._adopting is not None:
            self._adopting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._adopting
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None
            self._tell()

    def _heard_event(self, event: Event) -> None:
        self._backfill.heard(event)
        self._attention.heard(event)

    # ---- the loop ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        quiet = 0
        while True:
            self._wake.clear()
            began = time.monotonic()
            brought = False
            try:
                brought = await self._round()
            except Exception as error:  # noqa: BLE001 - an answer that we did not think of must not end the mending
                self._asker.trouble("reading back", f"{type(error).__name__}: {error}"[:300])
            quiet = 0 if brought else quiet + 1
            now = time.monotonic()
            if not self._fresh_gaps and not self._asker.troubles and self._is_done(now):
                self._finish()
                return
            await self._rest(next_pause_s(self._policy.poll_s, quiet, now - began))

    async def _round(self) -> bool:
        """Take up a new gap, look, ask, bind, tell. Returns whether anything new came."""
        with _taking_short_turns():
            return await self._look_ask_and_bind()

    async def _look_ask_and_bind(self) -> bool:
        self._asker.troubles.pop("reading back", None)
        if self._fresh_gaps:
            gap = self._next_gap()
            try:
                await self._prepare(gap)
            except Exception:
                self._fresh_gaps.insert(0, gap)
                raise
        if self._look_again:
            now = self._around.clock.unix()
            await self._look_around(Gap(now, now, None, self._bind_to))
        brought = await self._pass() if self._tally is not None else False
        await self._bind()
        if self._tally is not None and self._passes == 0:
            # The gap is closed as soon as it has been gone through; what comes late is told at the end.
            self._tally.is_asked = True
            self._tell()
        self._passes += 1
        return brought

    async def _rest(self, pause_s: float) -> None:
        pipelines, sessions = self._targets.pipelines.values(), self._targets.sessions.values()
        if any(p.is_holding for p in pipelines) or any(s.is_holding for s in sessions):
            pause_s = min(pause_s, self._policy.hold_dead_s)
        pause_s = max(pause_s, self._asker.not_before - time.monotonic())
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), pause_s)

    def _is_done(self, now: float) -> bool:
        targets, settle_s = self._targets, self._policy.settle_s
        if not all(stream.is_bound or stream.is_gone for stream in targets.streams.values()):
            return False
        if self._tally is None:
            return True
        return (
            all(stream.is_listed or stream.is_gone for stream in targets.streams.values())
            and all(pipeline.is_done(now, settle_s) for pipeline in targets.pipelines.values())
            and all(session.is_done(now, settle_s) for session in targets.sessions.values())
        )

    def _finish(self) -> None:
        self._tell()
        self._around.watch_with(None)
        self._attention.forget_all()
        self._backfill.begin_pass()
        self._heard_since = None
        self._targets.clear()
        self._asker.forget_troubles()
        self._tally = None

    def _next_gap(self) -> Gap:
        """Return the gaps that came since the last pass as one, with an older one that is not mended yet."""
        gaps, self._fresh_gaps = self._fresh_gaps, []
        started = min(gap.started for gap in gaps)
        if self._tally is not None and (self._asker.troubles or not self._tally.is_asked):
            started = min(started, self._tally.gap.started)
        last = gaps[-1]
        is_vague = any(gap.is_vague for gap in gaps)
        return Gap(started, last.ended, gaps[0].old_id, last.new_id, last.is_fresh, gaps[0].lost_at, is_vague)

    async def _prepare(self, gap: Gap) -> None:
        """Learn from the log what it holds and what there is to look at."""
        self._tell()
        self._tally = Tally(gap, self._policy.window_s)
        self._passes = 0
        self._asker.forget_troubles()
        await self._read_log(gap)
        await self._look_around(gap)
        for stream in self._targets.streams.values():
            stream.is_listed = False

    async def _read_log(self, gap: Gap) -> None:
        """Learn what was seen before this run, once, and what was heard shortly before the gap."""
        window_s = self._policy.window_s
        asked_since = (
            min(gap.asked_since(window_s), gap.seen_since(window_s)) if gap.is_vague else gap.asked_since(window_s)
        )
        heard_since = max(asked_since - HEARD_BEFORE_S, self.floor or 0.0)
        if self._heard_since is not None and self._heard_since <= heard_since:
            # Another gap is being mended: from its beginning on every event was watched.
            return
        # What this run has seen is known; what earlier runs have seen stands in the log.
        seen_since = gap.ended if self._knows_log or self.floor is not None else gap.seen_since(window_s)
        await asyncio.to_thread(self._around.flush, 5.0)
        content = await asyncio.to_thread(
            logscan.scan, self._around.run_dir, seen_since=seen_since, heard_since=heard_since
        )
        if not self._knows_log:
            # Later the log says nothing of it that this run has not written itself.
            self._backfill.was_read_back(content.read_back)
        self._knows_log = True
        self._heard_since = heard_since
        self._around.seen.add_older(content.seen)
        self._attention.known.add_all(content.heard)

    async def _look_around(self, gap: Gap) -> None:
        self._look_again = False
        info = await asyncio.to_thread(logscan.read_capture_info, self._around.run_dir)
        self._targets.look_around(info, started=gap.started, oldest=gap.seen_since(self._policy.window_s))

    async def _bind(self) -> None:
        connection_id = self._bind_to
        waiting = [s for s in self._targets.streams.values() if not s.is_bound and not s.is_gone]
        await asyncio.gather(*(self._asker.bind(stream, connection_id) for stream in waiting))
        if connection_id != self._bind_to:
            # The connection changed while we asked: all of it again.
            for stream in waiting:
                stream.is_bound = False

    # ---- one pass ------------------------------------------------------------------------------------------------

    async def _pass(self) -> bool:
        """Ask everything once; returns whether anything new came."""
        assert self._tally is not None  # noqa: S101 - for the type checker; the caller has looked
        gap, targets = self._tally.gap, self._targets
        limits = Limits(self._policy.window_s, self.floor, self._policy.overlap_s)
        settle_s = self._policy.settle_s
        now = time.monotonic()
        self._backfill.begin_pass()
        sessions = [s for s in targets.sessions.values() if not s.is_done(now, settle_s)]
        changes = [event for events in await asyncio.gather(*map(self._ask_session, sessions)) for event in events]
        unlisted = [s for s in targets.streams.values() if not s.is_listed and not s.is_gone]
        listed = await asyncio.gather(*map(self._asker.indexes, unlisted))
        indexes = {stream.stream: found for stream, found in zip(unlisted, listed, strict=True)}
        targets.add_pipelines(gap, limits, now, indexes, is_first=self._passes == 0)
        self._attention.believe_single_speakers()
        asked = [p for p in targets.pipelines.values() if not p.is_done(now, settle_s)]
        found = await asyncio.gather(*map(self._ask, asked))
        records = sorted((event for events in found for event in events), key=lambda event: event["data"]["start"])
        early = [event for event in changes if event["status"] in _BEGINNINGS]
        late = [event for event in changes if event["status"] not in _BEGINNINGS]
        await self._backfill.write([*early, *records, *late], self._count)
        if self._passes % _LOOK_EVERY == 0:
            await asyncio.gather(*map(self._asker.whether_over, targets.streams_of_no_session()))
        self._attention.forget_old()
        return bool(changes or records)

    async def _ask_session(self, session: SessionTarget) -> list[Event]:
        found = await self._asker.session(session, self._bind_to)
        if found is None:
            return []
        now = time.monotonic()
        session.was_asked = True
        for stream in read_streams(found.get("rtstreams")):
            self._targets.add_stream(stream.id, stream.label, session.session)
        status = found.get("status") if isinstance(found.get("status"), str) else None
        if status != session.status or found.get("export_status") == "exporting":
            session.status, session.last_change = status, now
        if is_over(status):
            self._targets.end_session(session.session)
        known = self._around.seen.session_statuses().get(session.session)
        news = lifecycle_events(session.session, found, known[0] if known is not None else session.last_seen)
        # In the first pass nothing can speak to the new connection yet; later the event itself may be on its way.
        hold_s = self._policy.hold_dead_s if self._passes else 0.0
        ripe = [event for event in news if now - session.first_met.setdefault(event["status"], now) >= hold_s]
        session.is_holding = len(ripe) < len(news)
        return ripe

    async def _ask(self, pipeline: Pipeline) -> list[Event]:
        items = await self._asker.records(pipeline)
        # A day of records takes longer to compare than a live event should wait.
        return [] if items is None else await asyncio.to_thread(self._sift, pipeline, items)

    def _sift(self, pipeline: Pipeline, items: list[Any]) -> list[Event]:
        """Return the events that the log lacks. Runs in a thread; meanwhile the loop only adds to what was heard."""
        records = [record for record in map(record_of, items) if record is not None]
        self._attention.believe_records(pipeline, records)
        now = time.monotonic()
        new = pipeline.take_new(records, self._attention.known, now, self._hold_s(pipeline))
        pipeline.advance(now, self._policy.settle_s)
        name = self._targets.streams[pipeline.stream].name
        return [live_event(pipeline.spelling, pipeline.stream, name, record) for record in new]

    def _hold_s(self, pipeline: Pipeline) -> float:
        """How long a record of this pipeline waits for itself to come live."""
        is_bound = pipeline.index_id is None and self._targets.streams[pipeline.stream].is_bound
        if is_bound or not pipeline.dead:
            return self._policy.hold_s
        # In the first pass nothing but what was made for it can speak to the new connection.
        return self._policy.hold_dead_s if self._passes and not pipeline.certainly_dead else 0.0

    def _count(self, event: Event) -> None:
        if self._tally is not None:
            self._tally.counts[event["channel"]] += 1

    def _tell(self) -> None:
        """Write down what the gap has brought back, if that has not been told yet."""
        tally = self._tally
        if tally is None:
            return
        tally.take_troubles(self._asker.troubles, self._asker.unknown)
        if tally.is_told:
            return
        polled = self.dead_pipelines()
        text, data = tally.report(polled)
        self._around.journal.recovered(text, data)
        self._around.on_update(Recovered(tally.total, len(tally.troubles), len(tally.unknown), len(polled)))
