"""A gap in what was heard: how far back it is searched, and what is reported about it. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from videodb_cli.listener.journal import iso

OVERLAP_S = 120.0
# A pipeline that was quiet for longer than this before the gap is queried from here on, not from its last event.
_QUIET_S = 600.0
# The log is read from this long before a gap, so that everything that a query can return is recognised.
KNOWN_BEFORE_S = OVERLAP_S + _QUIET_S + 180.0
# Streams and sessions that appeared this long before a gap may have produced events in it.
_SEEN_S = 86400.0
# Two clocks that are further apart tell nothing of each other.
_BELIEVABLE_S = 366 * 86400.0
# The date of an answer says no more than this about the clock of the service.
_DATE_PRECISION_S = 2.5
_NAMED = 3


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Settings of a recovery, all in seconds.

    Attributes:
        window_s: How far before its end a gap is searched.
        poll_s: The pause between two rounds.
        settle_s: How late a record may appear. A pipeline is queried until it has returned nothing new for this long.
        hold_s: How long a record waits for its live event, if the pipeline sends its events to an open connection.
        hold_dead_s: The same, if the pipeline may send them to a closed one.
        overlap_s: How much known time each query covers again, because records appear late and clocks differ.
    """

    window_s: float = 86400.0
    poll_s: float = 5.0
    settle_s: float = 60.0
    hold_s: float = 5.0
    hold_dead_s: float = 2.0
    overlap_s: float = OVERLAP_S


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which events could be lost. Unix seconds by our clock.

    Attributes:
        is_fresh: The new connection has just been opened, so no pipeline can have been started for it.
        lost_at: When the last event was received, if the gap begins with an older one that is not mended yet.
        is_vague: One of the clocks was wrong, so times before the gap cannot be compared with those after it.
        is_of_boot: It began in this boot, so its beginning is by the clock that its end is by.
    """

    started: float
    ended: float
    old_id: str | None
    new_id: str
    is_fresh: bool = True
    lost_at: float | None = None
    is_vague: bool = False
    is_of_boot: bool = True

    def after_step(self, step_s: float) -> Gap:
        """Return the gap by our clock as it is after it was set by so many seconds.

        A beginning in an earlier boot, whose clock may have been right, is never moved forward.
        """
        moved_s = step_s if self.is_of_boot else min(step_s, 0.0)
        lost_at = None if self.lost_at is None else self.lost_at + moved_s
        return replace(self, started=self.started + moved_s, ended=self.ended + step_s, lost_at=lost_at)

    def seen_since(self, window_s: float) -> float:
        """Return from when on the log is searched for streams and sessions.

        This counts from the last event before the gap. After a gap longer than the window, no line would be young
        enough if it counted from now.
        """
        return (self.started if self.lost_at is None else self.lost_at) - max(window_s, _SEEN_S)

    def asked_since(self, window_s: float) -> float:
        """Return from when on records are queried."""
        return max(self.started, self.ended - window_s)

    def known_since(self, window_s: float) -> float:
        """Return from when on the log is read, so that everything that a query can return is recognised."""
        since = self.asked_since(window_s)
        return (min(since, self.seen_since(window_s)) if self.is_vague else since) - KNOWN_BEFORE_S


@dataclass(frozen=True, slots=True)
class LastEvent:
    """The last event of one channel of one stream.

    Attributes:
        received_at: Unix seconds by our clock.
        end: Unix seconds by the service's clock; None if the event counts from the start of its stream.
    """

    stream: str
    channel: str
    spelling: str
    name: str | None
    received_at: float | None
    end: float | None
    is_recovered: bool = False

    @property
    def ahead_s(self) -> float | None:
        """Seconds by which the service's clock is ahead of ours. None if that cannot be told.

        A recovered event does not tell. Nor do two clocks that are years apart: one of them had not been set yet.
        """
        if self.end is None or self.received_at is None or self.is_recovered:
            return None
        ahead_s = self.end - self.received_at
        return ahead_s if abs(ahead_s) < _BELIEVABLE_S else None


def query_start(gap: Gap, policy: RecoveryPolicy, last: LastEvent | None, ahead_s: float, floor: float | None) -> float:
    """Return from when on a pipeline is queried after a gap, by the service's clock.

    Args:
        gap: The gap.
        policy: Gives the overlap and the window.
        last: The last event of the pipeline's channel and stream. It tells the service's clock best.
        ahead_s: Seconds by which the service's clock is ahead of ours, if ``last`` does not tell.
        floor: Nothing older is read back (Unix seconds), because `--clear` has removed it.
    """
    if last is not None and last.ahead_s is not None:
        ahead_s = last.ahead_s
    start = began = gap.started + ahead_s
    if last is not None and last.end is not None:
        # The last event may be younger than the gap: it must not hide what was lost before it.
        start = min(max(last.end, began - _QUIET_S), began)
    start = max(start - policy.overlap_s, gap.ended + ahead_s - policy.window_s)
    return start if floor is None else max(start, floor + ahead_s)


class QueryStarts:
    """The query starts of new pipelines after a gap."""

    def __init__(
        self,
        gap: Gap,
        last_events: Mapping[tuple[str, str], LastEvent],
        policy: RecoveryPolicy,
        floor: float | None,
        offset_s: float,
    ) -> None:
        self._gap, self._last_events, self._policy, self._floor = gap, last_events, policy, floor
        # Servers write the date of an answer once a second, and without a fraction: a small offset means nothing.
        self._offset_s = offset_s if abs(offset_s) > _DATE_PRECISION_S else 0.0
        self._ahead_s = {last.stream: last.ahead_s for last in last_events.values() if last.ahead_s is not None}

    def ahead_s(self, stream: str) -> float:
        """Return how far the service's clock is ahead: as the stream's events tell, else as its answers do."""
        return self._ahead_s.get(stream, self._offset_s)

    def of(self, stream: str, channel: str) -> float:
        """Return the query start of a pipeline, by the service's clock."""
        last = self._last_events.get((stream, channel))
        return query_start(self._gap, self._policy, last, self.ahead_s(stream), self._floor)


class GapReport:
    """Counts what came back for one gap, and names what could not be queried.

    Attributes:
        counts: Events read back, by channel.
        failures: Calls that fail, with the reason.
        unknown: Resources that the log mentions and the service does not know any more.
        is_asked: Every call has been tried once.
    """

    def __init__(self, gap: Gap, window_s: float = math.inf) -> None:
        self.gap = gap
        self.counts: Counter[str] = Counter()
        self.failures: dict[str, str] = {}
        self.unknown: frozenset[str] = frozenset()
        self.is_asked = False
        self._window_s = window_s
        self._reported: tuple[int, frozenset[str], frozenset[str]] | None = None

    @property
    def _asked_since(self) -> float:
        return self.gap.asked_since(self._window_s)

    @property
    def total(self) -> int:
        """The number of events read back."""
        return sum(self.counts.values())

    @property
    def is_current(self) -> bool:
        """Whether the last report still says everything."""
        return self._reported == (self.total, frozenset(self.failures), self.unknown)

    @property
    def reported_failures(self) -> frozenset[str]:
        """The calls that the last report names as failing."""
        return frozenset() if self._reported is None else self._reported[1]

    def update(self, failures: Mapping[str, str], unknown: Iterable[str] = ()) -> None:
        """Take over the calls that fail now, and the resources that the service does not know."""
        self.failures = dict(failures)
        self.unknown = frozenset(unknown)
        if not self.is_asked:
            self.failures["reading back"] = "not everything was asked before the listener ended, or the next gap began"

    def make(self, polled: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Return the sentence and the data of a `listener.recovered` line. ``polled``: pipelines that are dead."""
        self._reported = (self.total, frozenset(self.failures), self.unknown)
        gap = self.gap
        data: dict[str, Any] = {
            "from": iso(gap.started),
            "to": iso(gap.ended),
            "old_connection_id": gap.old_id,
            "new_connection_id": gap.new_id,
            "recovered": self.total,
            "counts": dict(sorted(self.counts.items())),
            "complete": not self.failures,
            "unrecoverable": ["alert"],
        }
        if self.failures:
            data["incomplete"] = [{"what": what, "why": why} for what, why in sorted(self.failures.items())]
        if self.unknown:
            data["unknown"] = sorted(self.unknown)
        if self._asked_since > gap.started:
            data["asked_since"] = iso(self._asked_since)
        if polled:
            data["polled"] = polled
        return self._sentence(bool(polled)), data

    def _sentence(self, is_polling: bool) -> str:
        parts = ", ".join(f"{count} {channel}" for channel, count in sorted(self.counts.items()))
        brought = f"{self.total} events recovered ({parts})" if self.total else "nothing to recover"
        if self.total == 1:
            brought = f"1 event recovered ({parts})"
        if self.unknown:
            named = [*sorted(self.unknown)[:_NAMED], *(["…"] if len(self.unknown) > _NAMED else [])]
            brought += f"; the service no longer knows: {', '.join(named)}"
        if self._asked_since > self.gap.started:
            brought += f"; nothing before {iso(self._asked_since)} was asked for"
        if self.failures:
            brought += f"; {len(self.failures)} calls that failed will be tried again"
        tail = "; pipelines that still send to the old connection are polled" if is_polling else ""
        return f"{brought}; missed alerts cannot be recovered{tail}"
