"""Writes recovered events, so that no event is written twice: once live and once recovered.

A live event is never delayed. An event that arrived live after its query began is not written as recovered. A live
event whose record was written before becomes a `listener.late` line with the original message.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from videodb_cli.listener.counters import Counters
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.recovery.evidence import KnownRecords, Span, event_fingerprint, is_same_span
from videodb_cli.listener.recovery.history import MAX_PENDING, StreamHistory
from videodb_cli.listener.recovery.records import is_news
from videodb_cli.listener.updates import ListenerUpdate
from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle
from videodb_cli.model.event import Event
from videodb_cli.process.clock import Clock
from videodb_cli.rundir.paths import RunDir

# A duplicate that arrives more than an hour later is not recognised.
KEPT_S = 3600.0
_CHUNK = 200


@dataclass(frozen=True, slots=True)
class RecoveryContext:
    """The parts of a listener that its recovery uses.

    Attributes:
        watch_with: Registers who sees every live event, with the id of its connection (None if it came before the id).
        absorb_with: Registers who may take a live event that the log already holds as recovered.
        flush: Waits until everything received is in the log. Call it in a thread.
        has_room: Tells whether the log can take more at the moment.
        in_thread: Runs a function that takes long.
    """

    run_dir: RunDir
    collection: str
    history: StreamHistory
    journal: Journal
    counters: Counters
    on_update: Callable[[ListenerUpdate], None]
    watch_with: Callable[[Callable[[Event, str | None], None] | None], None]
    absorb_with: Callable[[Callable[[Event, bytes], bool]], None]
    flush: Callable[[float], bool]
    has_room: Callable[[], bool]
    clock: Clock
    in_thread: Callable[..., Awaitable[Any]] = asyncio.to_thread


@dataclass(frozen=True, slots=True)
class _Pending:
    """An event that may arrive again. ``members``: those of the ``data`` of a life-cycle event."""

    span: Span
    at: float
    members: frozenset[str] | None

    def is_same(self, span: Span | None, event: Event) -> bool:
        """Tell whether an event with the same key is this one. A life-cycle event that says more is not."""
        if span is not None:
            return is_same_span(span, self.span)
        # The status in `data` repeats the one that the events have in common.
        return self.members is not None and self.members >= ev.data_of(event).keys() - {"status"}


class PendingDuplicates:
    """Events of the log that may arrive a second time within an hour; the youngest ``limit`` of them. Uptime seconds.

    Each of them matches one event only: of a word that was said twice within a second, the second is no duplicate.
    """

    def __init__(self, limit: int = MAX_PENDING) -> None:
        self._limit = limit
        self._pending: dict[int, list[_Pending]] = {}
        self._order: deque[tuple[float, int]] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._pending.values()))

    def add(self, event: Event, at: float) -> None:
        """Expect a duplicate of an event that was written at this time. An event that has no identity is ignored."""
        found = _identity(event)
        if found is None:
            return
        key, span = found
        members = frozenset(ev.data_of(event)) if span is None else None
        self._pending.setdefault(key, []).append(_Pending(span or (0.0, 0.0), at, members))
        self._order.append((at, key))
        if len(self._order) > self._limit:
            self._drop_oldest()

    def take(self, event: Event, now: float) -> float | None:
        """Return how many seconds ago the event was written, and expect it no more; None if it is no duplicate."""
        while self._order and self._order[0][0] < now - KEPT_S:
            self._drop_oldest()
        if not self._pending or (found := _identity(event)) is None:
            return None
        key, span = found
        pending = self._pending.get(key, [])
        for number, one in enumerate(pending):
            if one.is_same(span, event):
                del pending[number]
                if not pending:
                    del self._pending[key]
                return max(now - one.at, 0.0)
        return None

    def _drop_oldest(self) -> None:
        at, key = self._order.popleft()
        pending = self._pending.get(key)
        # An event that was matched has left its entry in the order behind.
        if pending and pending[0].at <= at:
            del pending[0]
            if not pending:
                del self._pending[key]


def _identity(event: Event) -> tuple[int, Span | None] | None:
    """Return a hash that identifies an event, and its span. A life-cycle event has no span."""
    fingerprint = event_fingerprint(event)
    if fingerprint is not None:
        return hash(fingerprint.key), fingerprint.span
    session = ev.session_of(event)
    if session is not None and lifecycle.is_about_session(event):
        status = lifecycle.status_of(event)
        return None if status is None else (hash((session, status)), None)
    return None


class RecoveredWriter:
    """Writes recovered events, and takes live ones that come after them. Use it in the event loop's thread.

    ``known`` holds the fingerprints of what the log contains.
    """

    def __init__(self, context: RecoveryContext, known: KnownRecords) -> None:
        self._context = context
        self._known = known
        self._pending = PendingDuplicates()

    def expect_live(self, earlier: Iterable[tuple[Event, float]]) -> None:
        """Take over what earlier runs have written as recovered, and when (Unix seconds), oldest first.

        Call it before anything is written.
        """
        for event, written_at in earlier:
            self._pending.add(event, self._context.clock.uptime_of(written_at))
        if len(self._pending):
            self._context.absorb_with(self._absorb)

    async def write(self, events: Iterable[Event], written: Callable[[Event], None]) -> None:
        """Write events in this order, and call ``written`` for each one that the log lacked."""
        for number, event in enumerate(events, 1):
            while not self._context.has_room():  # noqa: ASYNC110 - a thread makes room
                await asyncio.sleep(0.2)
            if self._is_missing(event):
                self._write(event)
                written(event)
            if number % _CHUNK == 0:
                # Live events must not wait behind thousands of recovered ones.
                await asyncio.sleep(0)

    def _is_missing(self, event: Event) -> bool:
        """Tell whether the log lacks an event. It may have arrived live since the query began."""
        fingerprint = event_fingerprint(event)
        if fingerprint is not None:
            return fingerprint not in self._known
        last_seen = self._context.history.session_statuses().get(event["capture_session_id"], (None, 0.0))[0]
        return is_news(event["status"], last_seen)

    def _write(self, event: Event) -> None:
        context = self._context
        try:
            line = context.journal.recovered_event(event)
        except TypeError:
            # The data is nested too deeply for JSON. The event itself matters more.
            event = {**event, "data": {}}
            line = context.journal.recovered_event(event)
        context.history.note(event, line)
        context.counters.recovered += 1
        self._known.add(event_fingerprint(event))
        self._pending.add(event, context.clock.uptime())
        context.absorb_with(self._absorb)

    def _absorb(self, event: Event, message: bytes) -> bool:
        """Write a live event as `listener.late` if it was recovered before. Returns whether it was."""
        after_s = self._pending.take(event, self._context.clock.uptime())
        if after_s is None:
            return False
        self._context.journal.late(_name(event), after_s, message)
        return True


def _name(event: Event) -> str:
    """Return how a `listener.late` line names an event."""
    session = ev.session_of(event)
    if session is not None:
        return f"{ev.name_of(event)} of {session}"
    return f"{ev.channel_of(event)} of {ev.stream_of(event)}"
