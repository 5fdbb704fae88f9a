"""Runs every query: yields selected lines in order, first those that are in the log, then those that are appended.

Limits, context in time, cursors, strictness and broken lines are handled here, for all commands and the Python API.
`Matches.shape_all` and `Matches.count` are faster for whole files.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.limit import Limit
from videodb_cli.eventlog.query.run import THOROUGH, Query, SourceRange, iter_ranges, log_ranges, ranges_of
from videodb_cli.eventlog.query.scan import Scanner, SelectionPlan, plan_of
from videodb_cli.eventlog.read.blocks import line_numbers
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.feed import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.output import Shaper
    from videodb_cli.eventlog.query.run import Outcome
    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.broken import LinePlace
    from videodb_cli.eventlog.read.cursor import Cursor
    from videodb_cli.eventlog.read.feed import Feed
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.eventlog.views.stats import EventCounts


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How a log is read.

    Attributes:
        limit: End after so many events; the listener's own lines are not counted.
        around_s: With each match, events of every channel within so many seconds of it.
        cursor: Continue where the last run with this cursor ended.
        strict: Raise at the first line that is not JSON, after what stands before it.
        last: Of the lines that are already there, only the last so many matches.
        skip: Of the lines that are already there, leave out the first so many matches.
        from_now: Leave out the lines that are already there. A cursor that was used before still continues.
        final_backlog: Of the lines that are already there, leave out interim transcripts.
        without_own: Leave out the listener's own lines, unless the selection names them.
        every_line: Yield every line of the selected times; the caller selects.
        plan: More conditions than those of the selection.
    """

    limit: int | None = None
    around_s: float | None = None
    cursor: Cursor | None = None
    strict: bool = False
    last: int | None = None
    skip: int = 0
    from_now: bool = False
    final_backlog: bool = False
    without_own: bool = False
    every_line: bool = False
    plan: SelectionPlan = field(default_factory=SelectionPlan)


class Batch(NamedTuple):
    """Selected lines of a source between the offsets ``begin`` and ``end``.

    Once the lines are written out, a cursor may move to ``end``. The first lines may be from before ``begin``
    (context). ``is_news`` means that the lines were appended while the log was followed. News without a source mean
    that nothing was appended.
    """

    lines: list[Line]
    source: LogSource | None = None
    begin: int = 0
    end: int = 0
    is_news: bool = False

    def up_to(self, number: int) -> Batch:
        """Returns the batch up to and including the line with this index."""
        lines = self.lines[: number + 1]
        return self._replace(lines=lines, end=max(lines[-1].offset + len(lines[-1].raw) + 1, self.begin))

    @property
    def line_ends(self) -> list[int]:
        """The offset after each line; empty if some lines are from before ``begin``."""
        ends = [line.offset + len(line.raw) + 1 for line in self.lines if line.offset >= self.begin]
        return ends if len(ends) == len(self.lines) else []


class Matches:
    """What one selection finds in one feed. Iterate ``batches`` once.

    Attributes:
        selection: The selection; its session learns new streams while the log is followed.
        broken: The lines that are not JSON, of what was read so far.
        ranges: What is read of each source, without news.
    """

    def __init__(
        self, feed: Feed, selection: Selection, options: ReadOptions, on_notice: Callable[[Notice, Path], None]
    ) -> None:
        self.selection = selection._replace(without_own=True) if options.without_own else selection
        self.broken = BrokenLines()
        self._feed = feed
        self._options = options
        self._limit = Limit(options.limit)
        self._context = _context(options.around_s)
        self._skip = options.skip
        self._is_resumed = False
        ranges = ranges_of(feed.sources, _widened(selection, options.around_s), feed.end_of)
        self.ranges = self._left_by_cursor(ranges, on_notice)
        self._plan = SelectionPlan() if options.every_line else plan_of(self.selection).and_(options.plan)
        self._is_thorough = options.strict or sum(part.size for part in self.ranges) <= THOROUGH

        log_ranges(self.ranges, is_followed=feed.is_followed)

    def _left_by_cursor(
        self, ranges: list[SourceRange], on_notice: Callable[[Notice, Path], None]
    ) -> list[SourceRange]:
        cursor = self._options.cursor
        if cursor is None or cursor.is_new:
            return ranges
        self._is_resumed = True
        found = cursor.find([part.source for part in ranges])
        if found is None:
            return ranges
        if found.offset < 0:
            on_notice(Notice.CURSOR_LOST, cursor.path)
            return ranges
        first, *later = ranges[found.number :]
        return [first._replace(start=max(first.start, found.offset)), *later]

    def is_over(self) -> bool:
        """Tells whether no more lines can follow."""
        return self._limit.is_reached and (self._context is None or self._context.is_settled)

    def skip_backlog(self) -> None:
        """Moves a new cursor to the end of the log, so that the next run begins here."""
        if self._options.cursor is not None and not self._is_resumed and self._feed.sources:
            source = self._feed.sources[-1]
            self._options.cursor.save(source, self._feed.end_of(source) or 0)

    # ---- block by block ------------------------------------------------------------------------------------------

    def batches(self) -> Iterator[Batch]:
        """Yields selected lines in order; on a followed log for ever, with empty batches while nothing comes.

        Raises:
            UsageError: With ``strict``, a line is not JSON.
        """
        if not self._options.from_now or self._is_resumed:
            yield from self._backlog()
        if not self._feed.is_followed or self.is_over():
            return
        scanner = Scanner(self._plan, self.broken)
        for news in self._feed.iter_news(self.broken):
            if news is None:
                yield Batch([], is_news=True)
                continue
            self._learn(news[1])
            for batch in self._taken(scanner, *news):
                yield batch._replace(is_news=True)
            if self.is_over():
                return

    def _learn(self, block: Block) -> None:
        if self.selection.session is not None:
            from videodb_cli.eventlog.views.sessions import learn

            learn(block, self.selection.session)

    def _backlog(self) -> Iterator[Batch]:
        options = self._options
        if options.last is not None and options.cursor is None:
            yield from self._last(options.last)
            return
        if options.last is not None:
            self._skip = max(self._count() - options.last, 0)
        scanner = self._backlog_scanner(self.broken)
        for source, block in iter_ranges(self.ranges, self.broken):
            yield from self._taken(scanner, source, block)
            if self.is_over():
                return
        self._check()

    def _check(self) -> None:
        """Raises UsageError, with ``strict``, for a torn last line or a damaged file."""
        if self._options.strict:
            for place in self.broken.take_places():
                raise _broken_line(place)
            for error in self.broken.take_damage():
                raise UsageError(error.message, code="strict", hint=error.hint)

    def _backlog_scanner(self, broken: BrokenLines) -> Scanner:
        plan = self._plan
        if self._options.final_backlog and not self._options.every_line:
            plan = plan_of(self.selection._replace(final=True)).and_(self._options.plan)
        return Scanner(plan, broken, thorough=self._is_thorough)

    def _count(self) -> int:
        broken = BrokenLines()  # the lines are read again, and broken ones reported then
        scanner = self._backlog_scanner(broken)
        return sum(len(scanner.raw_lines(source, block)) for source, block in iter_ranges(self.ranges, broken))

    def _last(self, number: int) -> Iterator[Batch]:
        from videodb_cli.eventlog.query.last_events import MatchPosition, last_lines, with_surroundings
        from videodb_cli.eventlog.read.time_range import stamp_of

        if not number or not self._feed.sources:
            return
        scanner = self._backlog_scanner(self.broken)
        found = last_lines(scanner, self._feed.sources, number, self._feed.end_of)
        kept = found[: len(self._limit.take([line for _, line in found]))]
        if self._context is None:
            for source, some in groupby(kept, key=lambda one: one[0]):
                yield Batch([line for _, line in some], source)
            self._check()
            return
        positions = [MatchPosition(source, line.offset, stamp_of(line.raw)) for source, line in kept]
        for lines in with_surroundings(self._context, self._feed.sources, positions, self._feed.end_of):
            yield Batch(lines)
        self._check()

    def _taken(self, scanner: Scanner, source: LogSource, block: Block) -> Iterator[Batch]:
        found = scanner.lines(source, block)
        end = block.offset + len(block.data)
        torn: LinePlace | None = None
        if self._options.strict:
            # Places in other sources were noted at the end of the source before; those in this block come last.
            here = [place for place in self.broken.peek_places() if place.source == source]
            if len(here) < len(self.broken.peek_places()) or self.broken.has_damage:
                self._check()
            torn = min(here, key=lambda place: place.offset, default=None)
        if torn is not None:
            found, end = [line for line in found if line.offset < torn.offset], torn.offset
        lines = self._limit.take(found[self._skip :])
        self._skip = max(self._skip - len(found), 0)
        if self._limit.is_reached and lines:
            end = lines[-1].offset + len(lines[-1].raw) + 1
        if self._context is not None:
            whole = block if torn is None else block._replace(data=block.data[: torn.offset - block.offset])
            lines = self._context.lines(whole, [line.offset for line in lines])
        yield Batch(lines, source, block.offset, end)
        if torn is not None:
            raise _broken_line(torn)

    # ---- whole files ---------------------------------------------------------------------------------------------

    @property
    def is_whole(self) -> bool:
        """Whether all matches of whole files are wanted, so that `shape_all` can be used."""
        options = self._options
        plain = options.limit is None and options.around_s is None and options.cursor is None and options.last is None
        return plain and not options.skip and not self._feed.is_followed

    def shape_all(self, shaper: Shaper, write: Callable[[bytes], object], tell: Callable[[bytes], object]) -> Outcome:
        """Writes the output of a shaper for all matches, in two processes if that is faster; see `Query.run`."""
        query = Query(self._plan, shaper, thorough=self._is_thorough)
        return query.run(self.ranges, write, tell=tell, strict=self._options.strict)

    def count(self, counts: EventCounts) -> None:
        """Counts all matches, in two processes and by columns if that is faster.

        Raises:
            UsageError: With ``strict``, a line is not JSON.
        """
        from videodb_cli.eventlog.query.fast.counting import count_parts

        limit = self._limit if self._options.limit is not None else None
        self.broken = count_parts(self.ranges, self._plan, counts, limit=limit, strict=self._options.strict)
        self._check()


def _broken_line(place: LinePlace) -> UsageError:
    ((name, number),) = line_numbers([place])
    return UsageError(f"not JSON: {name} line {number or '?'}", code="strict")


def _context(around_s: float | None) -> TimeContext | None:
    if around_s is None:
        return None
    from videodb_cli.eventlog.query.context import TimeContext

    return TimeContext(around_s)


def _widened(selection: Selection, around_s: float | None) -> Selection:
    """Returns the selection with wider times, because context may be outside of the selected ones."""
    if around_s is None:
        return selection
    since, until = selection.since, selection.until
    return selection._replace(
        since=None if since is None else since - around_s, until=None if until is None else until + around_s
    )
