"""What came twice, once live and once read back: each thing meets its double, once. Pure.

The rule is that of `heard`: stream, channel and normalised text agree, start and end differ by less than a second. But
one thing is the double of one other only: of a word that was said twice within a second, the second is no double.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from videodb_cli.listener.recovery.heard import is_same_span, spoken_in
from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle
from videodb_cli.model.event import Event

# A service that is later than an hour is not waited for, and the youngest ten thousand are those that may be late.
KEPT_S = 3600.0
MAX_WAITING = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    span: tuple[float, float]
    at: float
    # Of a life-cycle event: the names of what it says. One that says more is not its double.
    says: frozenset[str] | None

    def is_double(self, span: tuple[float, float] | None, event: Event) -> bool:
        """Whether an event that is known by the same is this one again."""
        if span is not None:
            return is_same_span(span, self.span)
        return self.says is not None and self.says >= ev.data_of(event).keys()


class Doubles:
    """Events that wait for their double, for an hour, the youngest ``limit`` of them. Seconds of one clock."""

    def __init__(self, limit: int = MAX_WAITING) -> None:
        self._limit = limit
        self._waiting: dict[int, list[_Waiting]] = {}
        self._order: deque[tuple[float, int]] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def add(self, event: Event, at: float) -> None:
        """Let an event of the log wait. One that nothing can be a double of is not kept."""
        found = _identity(event)
        if found is None:
            return
        key, span = found
        says = frozenset(ev.data_of(event)) if span is None else None
        self._keep(key, _Waiting(span or (0.0, 0.0), at, says))

    def _keep(self, key: int, one: _Waiting) -> None:
        self._waiting.setdefault(key, []).append(one)
        self._order.append((one.at, key))
        if len(self._order) > self._limit:
            self._drop_oldest()

    def add_all(self, other: Doubles, later_s: float = 0.0) -> None:
        """Take everything that another one keeps, whose clock is behind by so many seconds."""
        kept = [
            (one.at, key, replace(one, at=one.at + later_s))
            for key, waiting in other._waiting.items()
            for one in waiting
        ]
        for _, key, one in sorted(kept, key=lambda item: item[0]):
            self._keep(key, one)

    def take(self, event: Event, now: float) -> float | None:
        """Return how long ago its double came, which then waits no more; None for what has none."""
        while self._order and self._order[0][0] < now - KEPT_S:
            self._drop_oldest()
        if not self._waiting or (found := _identity(event)) is None:
            return None
        key, span = found
        waiting = self._waiting.get(key, [])
        for number, one in enumerate(waiting):
            if one.is_double(span, event):
                del waiting[number]
                if not waiting:
                    del self._waiting[key]
                return max(now - one.at, 0.0)
        return None

    def _drop_oldest(self) -> None:
        at, key = self._order.popleft()
        waiting = self._waiting.get(key)
        # What met its double has left its place in the order behind.
        if waiting and waiting[0].at <= at:
            del waiting[0]
            if not waiting:
                del self._waiting[key]


def _identity(event: Event) -> tuple[int, tuple[float, float] | None] | None:
    """Return a number for what an event is known by, and its span; a life-cycle event has none."""
    spoken = spoken_in(event)
    if spoken is not None:
        return hash(spoken.key), (spoken.start, spoken.end)
    session = event.get("capture_session_id")
    if isinstance(session, str) and lifecycle.is_about_session(event):
        status = lifecycle.status_of(event)
        return None if status is None else (hash((session, status)), None)
    return None
