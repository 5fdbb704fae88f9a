"""Context in time, like that of grep: with each match, all events within some seconds of it, once and in order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from videodb_cli.eventlog.query.scan import Line
from videodb_cli.eventlog.read.block import Block, iter_lines
from videodb_cli.eventlog.read.time_range import stamp_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


# If the log is out of order, a line may be near a match before the last one.
_REMEMBERED = 16


class TimeContext:
    """Adds the context of matches to blocks that come in order.

    A block without a match is kept as long as a later match may be near enough in time. It is split into lines only if
    such a match comes.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._waiting: deque[tuple[float, Line]] = deque()
        self._held: deque[tuple[float, Block]] = deque()
        self._horizon = float("-inf")
        self._matches: deque[float] = deque(maxlen=_REMEMBERED)
        self._now = float("-inf")

    @property
    def is_settled(self) -> bool:
        """Whether no more context can follow for the matches so far."""
        return self._now > self._horizon

    def lines(self, block: Block, matches: Iterable[int]) -> list[Line]:
        """Return the lines to print for a block whose matches begin at these offsets; they may be of earlier blocks."""
        wanted = set(matches)
        if not wanted and self._hold(block):
            return []
        for _, held in self._held:
            self._waiting.extend(_stamped(held))
        self._held.clear()
        given: list[Line] = []
        for at, line in _stamped(block):
            self._now = max(self._now, at)
            if line.offset in wanted:
                near = (earlier for stamp, earlier in self._waiting if self._is_near(at, stamp))
                given += filter(_is_json, near)
                # The rest is later than this match; the log is out of order.
                self._waiting = deque(one for one in self._waiting if one[0] > at + self.seconds)
                given.append(line)
                self._horizon = max(self._horizon, at + self.seconds)
                self._matches.append(at)
            elif at <= self._horizon and any(self._is_near(match, at) for match in reversed(self._matches)):
                given += filter(_is_json, [line])
            else:
                self._waiting.append((at, line))
        self._forget_before(self._now - self.seconds)
        return given

    def _is_near(self, match: float, at: float) -> bool:
        return match - self.seconds <= at <= match + self.seconds

    def _hold(self, block: Block) -> bool:
        """Keep a block without a match. Returns False if it holds context of an earlier match."""
        first = _edge_stamp(block, first=True)
        last = _edge_stamp(block, first=False)
        if first is None or last is None or first <= self._horizon:
            return False
        self._now = max(self._now, last)
        self._held.append((last, block))
        self._forget_before(last - self.seconds)
        return True

    def _forget_before(self, at: float) -> None:
        while self._waiting and self._waiting[0][0] < at:
            self._waiting.popleft()
        while len(self._held) > 1 and self._held[0][0] < at:
            self._held.popleft()


def _is_json(line: Line) -> bool:
    """Tell whether a line is JSON. A broken one must not get into the output; it is named on stderr."""
    try:
        line.decode()
    except ValueError:
        return False
    return True


def _stamped(block: Block) -> Iterator[tuple[float, Line]]:
    at = float("-inf")
    for offset, raw in iter_lines(block):
        stamp = stamp_of(raw)
        at = at if stamp is None else stamp
        yield at, Line(offset, raw)


def _edge_stamp(block: Block, *, first: bool) -> float | None:
    data = block.data
    if first:
        return stamp_of(data[: data.find(b"\n")])
    return stamp_of(data[data.rfind(b"\n", 0, len(data) - 1) + 1 : -1])
