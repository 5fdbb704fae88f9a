"""Reads back what a gap lost, binds transcriptions again, and polls pipelines that send their events elsewhere.

It runs beside the receiver. Live events are written at once, whatever happens here. No failed call ends the listener.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import Iterator
from typing import Any

from videodb_cli.api.streams import StreamCalls
from videodb_cli.listener.recovery.backfill import Backfill
from videodb_cli.listener.recovery.client import RecoveryClient
from videodb_cli.listener.recovery.gap import Gap, GapReport, RecoveryPolicy
from videodb_cli.listener.recovery.known_capture import KnownCapture, read_known_capture
from videodb_cli.listener.recovery.session_ends import SessionEnds
from videodb_cli.listener.recovery.writer import RecoveredWriter, RecoveryContext
from videodb_cli.listener.updates import CouldNot, Recovered
from videodb_cli.model.lifecycle import is_over

_log = logging.getLogger(__name__)
# Streams without a session are asked whether they are over in every sixth round.
_QUERY_STREAMS_EVERY = 6


class Recoverer:
    """Mends the gaps of one listener, one after another, in a task of its own.

    `begin` starts with a gap. Rounds follow: each one queries what is not done, writes what is missing, and binds
    transcriptions to the youngest connection. The task ends when nothing more is expected.
    """

    def __init__(self, calls: StreamCalls, context: RecoveryContext, policy: RecoveryPolicy) -> None:
        self._context = context
        self._policy = policy
        self._clock = context.clock
        self._client = RecoveryClient(
            calls, lambda what, why: context.on_update(CouldNot(what, why)), policy.poll_s, context.clock.uptime
        )
        self._backfill = Backfill(self._client, context, policy)
        self._writer = RecoveredWriter(context, self._backfill.known)
        self._session_ends = SessionEnds(calls, context, self._writer, policy, lambda: self._backfill.youngest)
        self._report: GapReport | None = None
        self._rounds = 0
        self._fresh_gaps: list[Gap] = []
        self._discover_again = False
        self._has_read_log = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._adopting: asyncio.Task[None] | None = None

    # ---- called by the listener ----------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to ask about sessions that have ended without their last event. `stop` ends that."""
        self._session_ends.start()

    def forget_older(self, floor: float) -> None:
        """Read back nothing older than this (Unix seconds), because `--clear` has removed it."""
        self._backfill.targets.floor = floor

    def begin(self, gap: Gap) -> None:
        """Mend a gap. Call this before the first message of the new connection is taken."""
        self._context.watch_with(self._backfill.on_live_event)
        if gap.old_id is not None:
            self.lost(gap.old_id)
        self._backfill.targets.on_gap(gap, self._clock.uptime())
        self._fresh_gaps.append(gap)
        _log.debug("recovery: a gap of %.3f s, from %s to %s", gap.ended - gap.started, gap.old_id, gap.new_id)
        self.bind(gap.new_id)

    def adopt(self, connection_id: str) -> None:
        """Take over a running capture when the log has no gap: after `--clear`, or in a new log.

        Its pipelines send their events to a closed connection, and nothing else would notice.
        """
        self._backfill.opened.add(connection_id)

        async def look() -> None:
            info = await self._read_known_capture()
            is_open = connection_id in self._backfill.opened
            if is_open and not is_over(info.status) and info.connections - {connection_id}:
                now = self._clock.unix()
                self.begin(Gap(now, now, None, connection_id, is_fresh=False))

        self._adopting = asyncio.create_task(look(), name="capture")

    def bind(self, connection_id: str) -> None:
        """Bind the running transcriptions to a new connection, as soon as possible."""
        self._backfill.opened.add(connection_id)
        self._backfill.youngest = connection_id
        self._discover_again = True
        self._wake.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="recovery")

    def lost(self, connection_id: str) -> None:
        """Take note that a connection is closed, or that its id was replaced."""
        self._backfill.on_connection_closed(connection_id)

    def on_clock_set(self, step_s: float) -> None:
        """Our clock was set by so many seconds: what is kept in Unix seconds moves with it."""
        self._fresh_gaps = [gap.after_step(step_s) for gap in self._fresh_gaps]
        if self._report is not None:
            self._report.gap = self._report.gap.after_step(step_s)
        self._backfill.on_clock_set(step_s)

    def dead_pipelines(self) -> list[dict[str, Any]]:
        """Return the pipelines that may send their events to a closed connection, for `status`."""
        return self._backfill.targets.dead_pipelines()

    async def stop(self) -> None:
        """Stop, and write the last report. Idempotent."""
        await self._session_ends.stop()
        for task in (self._adopting, self._task):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
        self._task = None
        self._write_report()

    # ---- rounds --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        quiet = 0
        while True:
            self._wake.clear()
            began = self._clock.uptime()
            is_new = False
            try:
                with _short_switch_interval():
                    is_new = await self._round()
            except Exception as error:  # noqa: BLE001 - a bug must end neither the recovery nor the listener
                self._client.note_error("reading back", error)
            quiet = 0 if is_new else quiet + 1
            _log.debug("recovery: round %d took %.3f s", self._rounds, self._clock.uptime() - began)
            is_idle = not self._fresh_gaps and not self._client.failures and self._backfill.is_bound
            if is_idle and (self._report is None or self._backfill.is_done):
                self._finish()
                return
            await self._rest(next_pause_s(self._policy.poll_s, quiet, self._clock.uptime() - began))

    async def _round(self) -> bool:
        """Take up new gaps, query, write, bind, report. Returns whether the queries returned anything new."""
        self._client.failures.pop("reading back", None)
        if self._fresh_gaps:
            report = self._begin_report(self._next_gap())
            try:
                await self._prepare(report)
            except Exception:
                self._fresh_gaps.insert(0, report.gap)
                raise
        if self._discover_again:
            self._discover_again = False
            info = await self._read_known_capture()
            now = self._clock.unix()
            self._backfill.discover(info, Gap(now, now, None, ""))
        is_new = await self._query(self._report) if self._report is not None else False
        await self._backfill.bind_streams()
        if self._report is not None:
            self._write_due_report(self._report)
        self._rounds += 1
        return is_new

    async def _query(self, report: GapReport) -> bool:
        events = await self._backfill.query(report, is_first_pass=self._rounds == 0)
        await self._writer.write(events, lambda event: report.counts.update([event["channel"]]))
        if self._rounds % _QUERY_STREAMS_EVERY == 0:
            await self._backfill.query_streams()
        self._backfill.forget_old()
        return bool(events)

    async def _rest(self, pause_s: float) -> None:
        if self._backfill.is_holding:
            pause_s = min(pause_s, self._policy.hold_dead_s)
        pause_s = max(pause_s, self._client.not_before - self._clock.uptime())
        # Not `wait_for`: in Python 3.11 it swallows a cancellation that comes at the same time as the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._wake.wait()

    def _finish(self) -> None:
        self._write_report()
        _log.debug("recovery: done after %d rounds", self._rounds)
        self._context.watch_with(None)
        self._backfill.clear()
        self._client.forget_failures()
        self._report = None

    # ---- gaps ----------------------------------------------------------------------------------------------------

    def _next_gap(self) -> Gap:
        """Merge the gaps since the last round, and an older one that is not mended yet."""
        gaps, self._fresh_gaps = self._fresh_gaps, []
        unmended = list(gaps)
        if self._report is not None and (self._client.failures or not self._report.is_asked):
            unmended.append(self._report.gap)
        return Gap(
            min(gap.started for gap in unmended),
            gaps[-1].ended,
            gaps[0].old_id,
            gaps[-1].new_id,
            gaps[-1].is_fresh,
            gaps[0].lost_at,
            is_vague=any(gap.is_vague for gap in unmended),
            is_of_boot=all(gap.is_of_boot for gap in unmended),
        )

    def _begin_report(self, gap: Gap) -> GapReport:
        self._write_report()
        self._rounds = 0
        self._client.forget_failures()
        self._report = GapReport(gap, self._policy.window_s)
        return self._report

    async def _prepare(self, report: GapReport) -> None:
        """Learn from the log and the state file what to query, and what the log holds.

        The gap is looked up after each wait: our clock may have been set meanwhile.
        """
        window_s = self._policy.window_s
        floor = self._backfill.targets.floor
        known_since = max(report.gap.known_since(window_s), floor or 0.0)
        # During a backfill every live event is watched, so that the log need not be read again.
        if self._backfill.known_since is None or known_since < self._backfill.known_since:
            is_seen = self._has_read_log or floor is not None
            recovered = await self._backfill.read_log(
                report.gap.ended if is_seen else report.gap.seen_since(window_s), known_since
            )
            if not self._has_read_log:
                # What this run writes later is expected already.
                self._writer.expect_live(recovered)
            self._has_read_log = True
        self._discover_again = False
        info = await self._read_known_capture()
        self._backfill.discover(info, report.gap)

    async def _read_known_capture(self) -> KnownCapture:
        info: KnownCapture = await self._context.in_thread(read_known_capture, self._context.run_dir)
        return info

    # ---- reports -------------------------------------------------------------------------------------------------

    def _write_due_report(self, report: GapReport) -> None:
        """Report after the first round, when a failure lasts, and when the last reported failure is over."""
        report.is_asked = True
        reported, lasting = report.reported_failures, self._client.lasting_failures(self._policy.settle_s)
        # If this process dies, the next one must know what could not be queried for long.
        if self._rounds == 0 or lasting - reported or (reported and not self._client.failures):
            self._write_report()

    def _write_report(self) -> None:
        """Write what came back for the gap, unless the last report says the same."""
        report = self._report
        if report is None:
            return
        report.update(self._client.failures, self._client.unknown)
        if not report.is_current:
            polled = self.dead_pipelines()
            self._context.journal.recovered(*report.make(polled))
            self._context.on_update(Recovered(report.total, len(report.failures), len(report.unknown), len(polled)))


def next_pause_s(poll_s: float, quiet_rounds: int, round_took_s: float) -> float:
    """Return the seconds until the next round: more when nothing new comes, and when calls are slow."""
    # The exponent is bounded, because the power overflows after a night of quiet rounds.
    return max(poll_s * min(6.0, 1.5 ** min(max(0, quiet_rounds - 6), 8)), 4 * round_took_s)


@contextlib.contextmanager
def _short_switch_interval() -> Iterator[None]:
    """Let threads hand over the interpreter ten times as often.

    Otherwise a thread that reads gigabytes of log keeps the writer waiting 5 ms for each of its system calls.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(before / 10)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
