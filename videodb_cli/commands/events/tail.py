"""`videodb events tail`: the last events, and those that come."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.events.feed import Feed
from videodb_cli.commands.events.flags import SelectionFlags, with_selection
from videodb_cli.commands.events.output import RawOutput, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UsageError
from videodb_cli.eventlog.backlog import last_lines
from videodb_cli.eventlog.decode import is_own_line
from videodb_cli.eventlog.reader import iter_blocks
from videodb_cli.eventlog.scan import BrokenLines, Line, Scanner, plan_of
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import resolve_directory

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from videodb_cli.commands.events.rows import RowOutput

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
    count: Annotated[int | None, typer.Option("--count", metavar="N", min=1, help="End after N events.")] = None,
    timeout: Annotated[
        float | None, typer.Option("--timeout", metavar="S", min=0, help="With -f: end after S seconds, status 124.")
    ] = None,
    must_match: Annotated[bool, typer.Option("-e", help="Exit 1 when nothing matched.")] = False,
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
    selection = flags.selection()
    scanner = Scanner(plan_of(selection), broken)
    # An interim transcript is gone from a terminal once its stream says more: rows are not spent on it.
    backlog = Scanner(
        plan_of(selection._replace(final=True) if as_rows and not flags.interim else selection), broken, thorough=False
    )
    feed = Feed(run_dir, files or [], follow=follow)
    output: RawOutput | RowOutput = RawOutput()
    if as_rows:
        from videodb_cli.commands.events.rows import RowOutput

        output = RowOutput()
    counted = 0
    seen = False
    try:
        for lines in _batches(feed, backlog, scanner, number or ("+1" if flags.since else "10"), timeout):
            kept = _first(lines, count, counted)
            counted += sum(not is_own_line(line.raw) for line in kept)
            seen = seen or bool(kept)
            if kept:
                output.write(kept)
            if broken.count:
                tell_broken(broken)
            if count is not None and counted >= count:
                return 0
    finally:
        feed.close()
        output.close()
        tell_broken(broken)
    if must_match and not seen:
        raise NoMatchError("nothing matched")
    return 0


def _first(lines: list[Line], count: int | None, counted: int) -> list[Line]:
    """As many of the lines as ``--count`` still allows; the listener's own lines are not counted."""
    if count is None:
        return lines
    kept: list[Line] = []
    for line in lines:
        if counted >= count:
            break
        kept.append(line)
        counted += not is_own_line(line.raw)
    return kept


def _batches(
    feed: Feed, backlog: Scanner, scanner: Scanner, number: str, timeout: float | None
) -> Iterator[list[Line]]:
    deadline = None if timeout is None else time.monotonic() + timeout
    yield from _backlog(feed, backlog, number)
    if not feed.follows:
        return
    for source, block in feed.iter_news():
        if block is not None:
            yield scanner.lines(source, block)
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOutError(f"stopped after {timeout:g} s (--timeout)")


def _backlog(feed: Feed, scanner: Scanner, number: str) -> Iterator[list[Line]]:
    if number.startswith("+"):
        batches = (
            scanner.lines(source, block)
            for source in feed.sources
            for block in iter_blocks(source, 0, feed.end_of(source))
        )
        yield from _skip(batches, max(int(number) - 1, 0))
    elif int(number) and feed.sources:
        yield last_lines(scanner, feed.sources, int(number), feed.end_of(feed.sources[-1]))


def _skip(batches: Iterable[list[Line]], count: int) -> Iterator[list[Line]]:
    for batch in batches:
        kept = list(itertools.islice(batch, count, None))
        count -= min(count, len(batch))
        if kept:
            yield kept
