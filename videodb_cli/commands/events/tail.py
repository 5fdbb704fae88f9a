"""`videodb events tail`: the last events, and those that come."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from videodb_cli import console
from videodb_cli.commands.events.feed import Feed
from videodb_cli.commands.events.flags import CursorOption, SelectionFlags, widened, with_selection
from videodb_cli.commands.events.output import Batch, RawOutput, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, reading_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UsageError
from videodb_cli.eventlog.query.last_events import MatchPosition, last_lines, with_surroundings
from videodb_cli.eventlog.query.scan import Scanner, plan_of
from videodb_cli.eventlog.query.streaming import Limit
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.eventlog.read.time_range import stamp_of
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.sources import LogSource

app = new_app()


@app.command(cls=PanelCommand)
@with_selection
def tail(
    flags: SelectionFlags,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    number: Annotated[
        str | None,
        typer.Option("-n", metavar="N", help="The last N events; +N begins with the Nth.  [default: 10]"),
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "-F", "--follow", help="Go on with events as they come.")] = False,
    count: Annotated[
        int | None, typer.Option("--count", "--limit", metavar="N", min=1, help="End after N events.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", min=0, help="With -f: end after S seconds, status 124.")
    ] = None,
    around: Annotated[
        str | None, typer.Option("--around", metavar="TIME", help="With each, what came within this time: 30s.")
    ] = None,
    cursor_file: CursorOption = None,
    must_match: Annotated[bool, typer.Option("-e", help="Exit 1 when nothing matched.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at a line that is not JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print lines as logged on a terminal too.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Print the last events and, with -f, those that come, through rotation, truncation and a new --clear.

    In a pipe every line is printed as logged; on a terminal in columns, interim transcripts redrawn in place.
    """
    run_dir = reading_run_dir(directory, env_file, files)
    if number is not None and not number.removeprefix("+").isdecimal():
        raise UsageError(f"-n takes a number, or +N to begin with the Nth event, not {number!r}")
    as_rows = console.is_terminal() and not as_json
    cursor = None if cursor_file is None else Cursor(absolute(cursor_file))
    broken = BrokenLines()
    feed = Feed(run_dir, files or [], follow=follow)
    try:
        selection = flags.selection(feed.sources, run_dir)
        reading = _Reading(
            feed, selection, Scanner(plan_of(selection), broken), _backlog_scanner(selection, broken, as_rows, flags),
            _context(around), Limit(count), cursor,
        )  # fmt: skip
        default = "+1" if flags.since or cursor is not None else "10"
        seen = False
        with _output(cursor, as_rows=as_rows) as write:
            for batch in _batches(reading, number or default, timeout):
                seen = seen or bool(batch.lines)
                write(batch)
                tell_broken(broken, strict=strict)
            tell_broken(broken, strict=strict)
    finally:
        feed.close()
        tell_broken(broken)
    if must_match and not seen:
        raise NoMatchError("nothing matched")
    return 0


def _backlog_scanner(selection: Selection, broken: BrokenLines, as_rows: bool, flags: SelectionFlags) -> Scanner:
    # An interim transcript is gone from a terminal once its stream says more: rows are not spent on it.
    shown = selection._replace(final=True) if as_rows and not flags.interim else selection
    return Scanner(plan_of(shown), broken, thorough=False)


@contextmanager
def _output(cursor: Cursor | None, *, as_rows: bool) -> Iterator[Callable[[Batch], None]]:
    """How batches are written; a cursor moves on when one is out."""
    if as_rows:
        from videodb_cli.commands.events.rows import RowOutput

        rows = RowOutput()

        def write_rows(batch: Batch) -> None:
            if batch.lines:
                rows.write(batch.lines)
            if cursor is not None and batch.source is not None:
                cursor.save(batch.source, batch.end)

        try:
            yield write_rows
        finally:
            rows.close()
    elif cursor is not None:
        from videodb_cli.commands.events.pipe_writer import PipeWriter
        from videodb_cli.commands.events.streamed import hand_over

        out = PipeWriter()
        yield lambda batch: hand_over(out, cursor, batch)
    else:
        raw = RawOutput()
        yield lambda batch: raw.write(batch.lines) if batch.lines else None


def _context(around: str | None) -> TimeContext | None:
    if around is None:
        return None
    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.times import parse_duration

    return TimeContext(parse_duration(around))


class _Reading(NamedTuple):
    """What is read, and how lines are selected from what is there (``backlog``) and from what comes (``scanner``)."""

    feed: Feed
    selection: Selection
    scanner: Scanner
    backlog: Scanner
    around: TimeContext | None
    limit: Limit
    cursor: Cursor | None

    def is_over(self) -> bool:
        """Whether nothing more can come out."""
        return self.limit.is_reached and (self.around is None or self.around.is_settled)

    def batch(self, scanner: Scanner, source: LogSource, block: Block, skip: int = 0) -> tuple[Batch, int]:
        """What comes out for a block without the first ``skip`` lines, and how many are to be skipped after it."""
        found = scanner.lines(source, block)
        lines = self.limit.take(found[skip:])
        end = block.offset + len(block.data)
        if self.limit.is_reached and lines:
            end = lines[-1].offset + len(lines[-1].raw) + 1
        if self.around is not None:
            lines = self.around.lines(block, [line.offset for line in lines])
        return Batch(lines, source, block.offset, end), max(skip - len(found), 0)


def _batches(reading: _Reading, number: str, timeout: float | None) -> Iterator[Batch]:
    deadline = None if timeout is None else time.monotonic() + timeout
    yield from _backlog(reading, number)
    if not reading.feed.follows or reading.is_over():
        return
    from videodb_cli.eventlog.views.sessions import learn

    for source, block in reading.feed.iter_news(reading.scanner.broken):
        if block is not None:
            learn(block, reading.selection.session)
            yield reading.batch(reading.scanner, source, block)[0]
            if reading.is_over():
                return
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOutError(f"stopped after {timeout:g} s (--timeout)")


def _backlog(reading: _Reading, number: str) -> Iterator[Batch]:
    feed = reading.feed
    if number.startswith("+") or reading.cursor is not None:
        yield from _forwards(reading, number)
    elif int(number) and feed.sources:
        found = last_lines(reading.backlog, feed.sources, int(number), feed.end_of)
        kept = found[: len(reading.limit.take([line for _, line in found]))]
        if reading.around is None:
            yield Batch([line for _, line in kept])
            return
        matches = [MatchPosition(source, line.offset, stamp_of(line.raw)) for source, line in kept]
        for lines in with_surroundings(reading.around, feed.sources, matches, feed.end_of):
            yield Batch(lines)


def _forwards(reading: _Reading, number: str) -> Iterator[Batch]:
    from videodb_cli.commands.events.streamed import from_cursor
    from videodb_cli.eventlog.query.run import iter_ranges, ranges_of

    around_s = 0.0 if reading.around is None else reading.around.seconds
    parts = ranges_of(reading.feed.sources, widened(reading.selection, around_s), reading.feed.end_of)
    parts = from_cursor(reading.cursor, parts)
    if number.startswith("+"):
        skip = max(int(number) - 1, 0)
    else:
        counting = Scanner(plan_of(reading.selection), BrokenLines(), thorough=False)
        # It is read twice, and told of once.
        skip = max(sum(len(counting.lines(*read)) for read in iter_ranges(parts, counting.broken)) - int(number), 0)
    for source, block in iter_ranges(parts, reading.backlog.broken):
        batch, skip = reading.batch(reading.backlog, source, block, skip)
        yield batch
        if reading.is_over():
            return
