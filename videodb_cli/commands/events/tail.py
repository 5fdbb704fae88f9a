"""`videodb events tail`: the last events, and those that come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from videodb_cli import console
from videodb_cli.commands.events.feed import Feed
from videodb_cli.commands.events.flags import SelectionFlags, with_selection
from videodb_cli.commands.events.output import RawOutput, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UsageError
from videodb_cli.eventlog.backlog import last_lines, with_surroundings
from videodb_cli.eventlog.reader import iter_blocks
from videodb_cli.eventlog.scan import BrokenLines, Line, Scanner, plan_of
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import resolve_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.commands.events.rows import RowOutput
    from videodb_cli.eventlog.around import Around
    from videodb_cli.eventlog.selection import Session

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
    must_match: Annotated[bool, typer.Option("-e", help="Exit 1 when nothing matched.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at a line that is not JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print lines as logged on a terminal too.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Print the last events and, with -f, those that come, through rotation, truncation and a new --clear.

    In a pipe every line is printed as logged; on a terminal in columns, interim transcripts redrawn in place.
    """
    run_dir = existing_run_dir(directory, env_file) or RunDir(resolve_directory(None, directory, env_file).path)
    if number is not None and not number.removeprefix("+").isdecimal():
        raise UsageError(f"-n takes a number, or +N to begin with the Nth event, not {number!r}")
    as_rows = console.is_terminal() and not as_json
    broken = BrokenLines()
    feed = Feed(run_dir, files or [], follow=follow)
    selection = flags.selection(feed.sources, run_dir)
    scanner = Scanner(plan_of(selection), broken)
    # An interim transcript is gone from a terminal once its stream says more: rows are not spent on it.
    backlog = Scanner(
        plan_of(selection._replace(final=True) if as_rows and not flags.interim else selection), broken, thorough=False
    )
    output: RawOutput | RowOutput = RawOutput()
    if as_rows:
        from videodb_cli.commands.events.rows import RowOutput

        output = RowOutput()
    limit = None
    if count is not None:
        from videodb_cli.eventlog.streaming import Limit

        limit = Limit(count)
    seen = False
    try:
        for lines in _batches(
            _Reading(feed, backlog, scanner, selection.session, _context(around)),
            number or ("+1" if flags.since else "10"),
            timeout,
        ):
            kept = lines if limit is None else limit.take(lines)
            seen = seen or bool(kept)
            if kept:
                output.write(kept)
            if broken.count:
                tell_broken(broken, strict=strict)
            if limit is not None and limit.is_reached:
                return 0
    finally:
        feed.close()
        output.close()
        tell_broken(broken)
    if must_match and not seen:
        raise NoMatchError("nothing matched")
    return 0


def _context(around: str | None) -> Around | None:
    if around is None:
        return None
    from videodb_cli.eventlog.around import Around
    from videodb_cli.eventlog.times import parse_duration

    return Around(parse_duration(around))


class _Reading(NamedTuple):
    """What is read, and how lines are selected from what is there (``backlog``) and from what comes (``scanner``)."""

    feed: Feed
    backlog: Scanner
    scanner: Scanner
    session: Session | None
    around: Around | None


def _batches(reading: _Reading, number: str, timeout: float | None) -> Iterator[list[Line]]:
    deadline = None if timeout is None else time.monotonic() + timeout
    yield from _backlog(reading, number)
    if not reading.feed.follows:
        return
    from videodb_cli.eventlog.sessions import learn

    for source, block in reading.feed.iter_news():
        if block is not None:
            learn(block, reading.session)
            lines = reading.scanner.lines(source, block)
            yield lines if reading.around is None else reading.around.lines(block, lines)
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOutError(f"stopped after {timeout:g} s (--timeout)")


def _backlog(reading: _Reading, number: str) -> Iterator[list[Line]]:
    feed, scanner = reading.feed, reading.backlog
    if number.startswith("+"):
        skip = max(int(number) - 1, 0)
        for source in feed.sources:
            for block in iter_blocks(source, 0, feed.end_of(source)):
                lines = scanner.lines(source, block)
                kept = lines[skip:]
                skip -= min(skip, len(lines))
                yield kept if reading.around is None else reading.around.lines(block, kept)
    elif int(number) and feed.sources:
        found = last_lines(scanner, feed.sources, int(number), feed.end_of(feed.sources[-1]))
        if reading.around is None:
            yield [line for _, line in found]
        else:
            yield from with_surroundings(reading.around, feed.sources, found, feed.end_of)
