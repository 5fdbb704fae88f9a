"""Asks about sessions that have ended and whose export, or failure, did not come over the socket.

There is no gap then, so no backfill asks: the connection stands, and the service is silent on it (docs/decisions/0014).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from videodb_cli.api.streams import StreamCalls
from videodb_cli.listener.recovery.client import FAILED, NoAnswer, RecoveryClient
from videodb_cli.listener.recovery.gap import RecoveryPolicy
from videodb_cli.listener.recovery.known_capture import KnownCapture, read_known_capture
from videodb_cli.listener.recovery.records import lifecycle_events
from videodb_cli.listener.recovery.targets import SessionTarget
from videodb_cli.listener.recovery.writer import RecoveredWriter, RecoveryContext
from videodb_cli.listener.updates import CouldNot
from videodb_cli.model import lifecycle

_log = logging.getLogger(__name__)
_LOOK_S: Final = 1.0
_ENDING: Final = lifecycle.CLOSED - lifecycle.FINAL
# A session is asked about for so long after it has ended.
_FOR_S: Final = 1800.0
# The pause grows with each answer, to so many times the first one: less while an export runs.
_GROWTH: Final = 1.3
_LONGEST: Final = 12.0
_LONGEST_EXPORTING: Final = 3.0


@dataclass(slots=True)
class _Ended:
    """A session that has ended. Times are uptime seconds."""

    target: SessionTarget
    since: float
    pause_s: float
    due_at: float


class SessionEnds:
    """Polls sessions that have ended until the log has their last event. Use it in the event loop's thread.

    ``connection_id`` returns the id of the youngest open connection.
    """

    def __init__(
        self,
        calls: StreamCalls,
        context: RecoveryContext,
        writer: RecoveredWriter,
        policy: RecoveryPolicy,
        connection_id: Callable[[], str | None],
    ) -> None:
        self._context = context
        self._clock = context.clock
        self._writer = writer
        self._policy = policy
        self._connection_id = connection_id
        self._client = RecoveryClient(
            calls, lambda what, why: context.on_update(CouldNot(what, why)), policy.poll_s, context.clock.uptime
        )
        self._ended: dict[str, _Ended] = {}
        # Sessions that are not asked about any more: unknown to the service, or ended too long ago.
        self._given_up: set[str] = set()
        # The capture of this directory, once it was seen running: an older one is no news.
        self._capture: str | None = None
        self._is_export_known = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="session ends")

    async def stop(self) -> None:
        """End it. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(min(_LOOK_S, self._policy.poll_s))
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - a bug here must not end the listener
                self._client.note_error("sessions that ended", error)

    async def look(self) -> None:
        """Find the sessions that have ended, and ask about those whose turn it is."""
        info: KnownCapture = await self._context.in_thread(read_known_capture, self._context.run_dir)
        self._find(info)
        now = self._clock.uptime()
        due = [one for one in self._ended.values() if now >= max(one.due_at, self._client.not_before)]
        await asyncio.gather(*map(self._ask, due))

    def _find(self, info: KnownCapture) -> None:
        statuses = self._context.history.session_statuses()
        now, oldest = self._clock.uptime(), self._clock.unix() - _FOR_S
        for session, (status, received_at) in statuses.items():
            if status in _ENDING and received_at >= oldest:
                self._add(session, "", now)
        if info.status in lifecycle.RUNNING:
            self._capture, self._is_export_known = info.session_id, False
        if self._capture is not None and info.session_id == self._capture:
            if info.status in lifecycle.CLOSED:
                self._add(self._capture, info.collection_id or "", now)
            # The process that captures asks too, and may know already.
            own = self._ended.get(self._capture)
            if own is not None and info.session_status in lifecycle.FINAL and not self._is_export_known:
                self._is_export_known, own.due_at = True, now
        for session, one in list(self._ended.items()):
            is_final = statuses.get(session, ("", 0.0))[0] in lifecycle.FINAL
            if is_final or one.target.is_gone or now - one.since > _FOR_S:
                del self._ended[session]
                self._given_up.add(session)

    def _add(self, session: str, collection: str, now: float) -> None:
        if session in self._given_up:
            return
        one = self._ended.get(session)
        if one is None:
            target = SessionTarget(session, self._context.collection, None)
            pause_s = self._policy.poll_s
            one = self._ended[session] = _Ended(target, now, pause_s, now + pause_s)
            _log.debug("session %s has ended: asking until its last event is in the log", session)
        if collection:
            one.target.collection = collection

    async def _ask(self, one: _Ended) -> None:
        target = one.target
        one.due_at = math.inf  # until it is answered
        found = await self._client.session(target.collection, target.session, self._connection_id() or "")
        now = self._clock.uptime()
        one.due_at = now + one.pause_s
        if isinstance(found, NoAnswer):
            target.is_gone = found is not FAILED
            return
        known = self._context.history.session_statuses().get(target.session)
        missing = lifecycle_events(target.session, found, None if known is None else known[0])
        # Its live event may be under way, and says more.
        hold_s = self._policy.hold_dead_s
        due = target.take_due([event for event in missing if lifecycle.is_over(event["status"])], now, hold_s)
        await self._writer.write(due, lambda event: _log.debug("%s came by REST alone", event["event"]))
        if target.is_holding:
            one.due_at = now + hold_s
        else:
            one.pause_s = self._longer(one.pause_s, found)
            one.due_at = now + one.pause_s

    def _longer(self, pause_s: float, found: dict[str, Any]) -> float:
        times = _LONGEST_EXPORTING if found.get("export_status") == "exporting" else _LONGEST
        return min(pause_s * _GROWTH, self._policy.poll_s * times)
