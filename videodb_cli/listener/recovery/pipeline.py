"""One pipeline: the transcription of a stream, or one of its scene indexes. Its state, and what is queried. Pure.

The states and transitions stand in a table in the docstring of this package.
"""

from __future__ import annotations

import enum
import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from videodb_cli.listener.recovery.gap import Gap, RecoveryPolicy
from videodb_cli.listener.recovery.records import Record


class State(enum.Enum):
    """What is known about the connection to which a pipeline sends its events (see the docstring of this package)."""

    STALE = enum.auto()
    UNKNOWN = enum.auto()
    BOUND = enum.auto()
    LIVE = enum.auto()


@dataclass(slots=True)
class Pipeline:
    """A transcription (``index_id`` is None) or a scene index. ``now`` is always in uptime seconds.

    Attributes:
        since: The start of its next query, by the service's clock (Unix seconds).
        changed_at: When it was found, or made its last transition (uptime seconds).
        ahead_s: Seconds by which the service's clock is ahead of ours.
        connection_id: The connection that its proof names: to which it is BOUND, or over which it is LIVE.
        asked_at: When the last query that was answered began (uptime seconds).
        newest: The latest end of its records, by the service's clock.
    """

    stream: str
    channel: str
    spelling: str
    index_id: str | None
    since: float
    changed_at: float
    policy: RecoveryPolicy
    ahead_s: float = 0.0
    state: State = State.UNKNOWN
    connection_id: str | None = None
    has_stopped: bool = False
    asked_at: float = -math.inf
    newest: float = 0.0
    # Events that begin later should arrive live (by the service's clock).
    _live_since: float = math.inf
    # When it returned something new for the last time (uptime seconds).
    _new_at: float = -math.inf
    # Records whose live events may still arrive, and when each of them was returned first.
    _held: dict[Record, float] = field(default_factory=dict)
    # Past values of `newest` and when they were set. One that is old enough cannot be preceded by a late record.
    _newest_at: deque[tuple[float, float]] = field(default_factory=deque)

    @property
    def name(self) -> str:
        """Its name in failures and reports."""
        return f"{self.channel} of {self.stream}"

    @property
    def is_dead(self) -> bool:
        """Whether it may send its events to a closed connection."""
        return self.state in {State.STALE, State.UNKNOWN} and not self.has_stopped

    @property
    def is_holding(self) -> bool:
        """Whether records wait for their live events."""
        return bool(self._held)

    @property
    def is_settled(self) -> bool:
        """Whether no late record is expected: the last query began long enough after everything else."""
        return self.asked_at - max(self._new_at, self.changed_at) >= self.policy.settle_s

    @property
    def is_done(self) -> bool:
        """Whether it need not be polled any more."""
        return (self.has_stopped or self.state is State.LIVE) and self.is_settled and not self.is_holding

    # ---- transitions ---------------------------------------------------------------------------------------------

    def on_gap(self, gap: Gap, now: float, *, has_stopped: bool) -> None:
        """Poll it again, because its events may be lost. ``has_stopped``: the session of its stream is over."""
        self.changed_at, self.has_stopped = now, has_stopped
        if self.state in {State.STALE, State.UNKNOWN}:
            self.state = State.STALE if gap.is_fresh and self.index_id is not None else State.UNKNOWN

    def on_connection_closed(self, connection_id: str, now: float) -> None:
        """Drop the proof if it names this connection."""
        if self.connection_id == connection_id:
            self._become(State.UNKNOWN, None, now, math.inf)

    def on_rebound(self, connection_id: str, now: float, wall: float) -> None:
        """The service accepted, at the time ``wall`` (Unix seconds), to send its events to this connection."""
        if self.state is not State.LIVE or self.connection_id != connection_id:
            self._become(State.BOUND, connection_id, now, wall + self.ahead_s)
        self.has_stopped = False

    def on_live_event(self, connection_id: str, now: float, wall: float) -> None:
        """One of its events arrived over this connection, at the time ``wall`` (Unix seconds)."""
        if self.state is not State.BOUND or self.connection_id == connection_id:
            self._become(State.LIVE, connection_id, now, wall + self.ahead_s)

    def on_records(
        self,
        unknown: Iterable[Record],
        newest: float,
        *,
        asked_at: float,
        now: float,
        is_first_pass: bool,
        is_known: Callable[[Record], bool],
    ) -> list[Record]:
        """Take the answer to a query.

        Args:
            unknown: The records that the log did not hold when the answer was compared with it.
            newest: The latest end of all records in the answer.
            asked_at: When the query began (uptime seconds).
            now: Monotonic seconds.
            is_first_pass: Nothing was queried since the connection was opened, so no event can be under way.
            is_known: Tells whether the log holds a record now.

        Returns:
            The records to write, by their start. A record whose live event may be under way is held back at first.
        """
        self.asked_at = max(self.asked_at, asked_at)
        self.newest = max(self.newest, newest)
        hold_s = self._hold_s(is_first_pass)
        met = {record: self._held.get(record, now) for record in unknown if record.end >= self.since}
        due = [record for record, first_met in met.items() if now - first_met >= hold_s]
        self._held = {record: first_met for record, first_met in met.items() if now - first_met < hold_s}
        if due:
            self._new_at = now
            if any(record.start >= self._live_since and not is_known(record) for record in due):
                self._become(State.UNKNOWN, None, now, math.inf)
        self._advance(now)
        return sorted(due, key=lambda record: (record.start, record.end))

    def on_clock_set(self, step_s: float) -> None:
        """Our wall clock was set by so many seconds. No other time that is kept here is by it."""
        self.ahead_s -= step_s

    def on_stopped(self, now: float, asked_at: float = -math.inf) -> None:
        """It produces nothing more, or the service does not know it. ``asked_at``: when that was asked, if it was."""
        if not self.has_stopped:
            # Its last records are still to be queried.
            self.has_stopped, self.changed_at = True, now
        self.asked_at = max(self.asked_at, asked_at)

    def _become(self, state: State, connection_id: str | None, now: float, live_since: float) -> None:
        if (state, connection_id) != (self.state, self.connection_id):
            # Records from before the transition are still to be queried.
            self.state, self.connection_id, self.changed_at = state, connection_id, now
        self._live_since = live_since

    def _hold_s(self, is_first_pass: bool) -> float:
        if self.state in {State.BOUND, State.LIVE}:
            return self.policy.hold_s
        return 0.0 if is_first_pass or self.state is State.STALE else self.policy.hold_dead_s

    def _advance(self, now: float) -> None:
        """Move the start of the next query to where no late record is expected any more."""
        if not self._newest_at or self._newest_at[-1][1] < self.newest:
            self._newest_at.append((now, self.newest))
        while self._newest_at and now - self._newest_at[0][0] >= self.policy.settle_s:
            self.since = max(self.since, self._newest_at.popleft()[1] - self.policy.overlap_s)
