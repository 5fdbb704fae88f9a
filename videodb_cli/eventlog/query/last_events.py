"""Finds the last events of a log from its end, so that the size of the log does not matter."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.eventlog.read.blocks import iter_blocks, iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.scan import Line, Scanner
    from videodb_cli.eventlog.read.sources import LogSource


class MatchPosition(NamedTuple):
    """Where a selected line begins, and when it was received."""

    source: LogSource
    offset: int
    at: float | None


def last_lines(
    scanner: Scanner,
    sources: Sequence[LogSource],
    count: int,
    end_of: Callable[[LogSource], int | None] = lambda _: None,
) -> list[tuple[LogSource, Line]]:
    """Return the last ``count`` selected lines, in order. ``end_of`` returns where a source must end, or None."""
    found: list[tuple[LogSource, Line]] = []
    for source in reversed(sources):
        if len(found) >= count:
            break
        wanted = count - len(found)
        lines = (
            _from_the_end(scanner, source, wanted, end_of(source))
            if source.is_seekable
            else list(deque(_forwards(scanner, source), maxlen=wanted))
        )
        found = [(source, line) for line in lines] + found
    return found


def _from_the_end(scanner: Scanner, source: LogSource, wanted: int, end: int | None) -> list[Line]:
    found: list[Line] = []
    for block in iter_blocks_backwards(source, end, broken=scanner.broken):
        for line in scanner.lines_backwards(source, block):
            found.append(line)
            if len(found) == wanted:
                return found[::-1]
    return found[::-1]


def _forwards(scanner: Scanner, source: LogSource) -> Iterator[Line]:
    for block in iter_blocks(source, broken=scanner.broken):
        yield from scanner.lines(source, block)


def with_surroundings(
    around: TimeContext,
    sources: Sequence[LogSource],
    matches: Sequence[MatchPosition],
    end_of: Callable[[LogSource], int | None],
) -> Iterator[list[Line]]:
    """Yield the matches with the events around them. Only the times around the matches are read."""
    from videodb_cli.eventlog.read.time_range import byte_range

    first = min((at for *_, at in matches if at is not None), default=None)
    # A match without a time may be anywhere.
    since = None if first is None or any(at is None for *_, at in matches) else first - around.seconds
    for source in sources:
        mine = sorted(offset for where, offset, _ in matches if where == source)
        start, end = 0, end_of(source)
        if source.is_seekable:
            start, end, _ = byte_range(source, since, None, end)
        at = 0
        for block in iter_blocks(source, start, end, broken=BrokenLines()):  # it was reported when it was selected
            behind = bisect_left(mine, block.offset + len(block.data), at)
            yield around.lines(block, mine[at:behind])
            at = behind
