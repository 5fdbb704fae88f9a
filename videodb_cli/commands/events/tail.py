"""`videodb events tail`: the last events, and those that come."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from videodb_cli.commands.events.bounds import Bounds, with_bounds
from videodb_cli.commands.events.flags import CursorOption, with_selection
from videodb_cli.commands.events.output import line_output
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.unread_input import hints_at_unread_input
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.output_options import OutputOptions, with_output
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UsageError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.userpaths import absolute

app = new_app()


@app.command(cls=PanelCommand)
@with_selection
@with_output
@with_bounds
@hints_at_unread_input
def tail(
    criteria: Criteria,
    output: OutputOptions,
    bounds: Bounds,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    number: Annotated[
        str | None,
        typer.Option("-n", metavar="N", help="Show the last N events; +N starts at the Nth event.  [default: 10]"),
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "-F", "--follow", help="Keep following the log as events arrive.")
    ] = False,
    count: Annotated[
        int | None, typer.Option("--count", "--limit", metavar="N", min=1, help="Stop after N events.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="S", min=0, help="With -f: stop after S seconds with exit status 124."),
    ] = None,
    around: Annotated[
        str | None,
        typer.Option("--around", metavar="TIME", help="Also show events within this time of each match: 30s."),
    ] = None,
    cursor_file: CursorOption = None,
    must_match: Annotated[bool, typer.Option("-e", help="Exit 1 if nothing matched.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at the first line that is not JSON.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print lines as logged on a terminal too.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Print the last events and, with -f, those that come, through rotation, truncation and a new --clear.

    In a pipe every line is printed as logged; on a terminal in columns, interim transcripts redrawn in place.
    """
    if number is not None and not number.removeprefix("+").isdecimal():
        raise UsageError(f"-n takes a number, or +N to begin with the Nth event, not {number!r}")
    cursor = None if cursor_file is None else Cursor(absolute(cursor_file))
    start = bounds.cursor(cursor)
    if number is None:
        number = "+1" if criteria.since or start is not None else "10"
    around_s = None if around is None else parse_duration(around)
    deadline = None if timeout is None else time.monotonic() + timeout
    seen = False
    with output.destination(is_followed=follow or cursor is not None) as is_continued:
        form = output.chosen(as_json=as_json)
        redraws = form == "pretty" and not criteria.interim
        options = ReadOptions(
            limit=count,
            around_s=around_s,
            cursor=start,
            strict=strict,
            last=None if number.startswith("+") else int(number),
            skip=max(int(number) - 1, 0) if number.startswith("+") else 0,
            # A later transcript replaces an interim one for people, so old interim ones are left out.
            final_backlog=redraws,
        )
        shape = {"redraws": redraws, "is_followed": follow, "is_continued": is_continued}
        log = open_log(files, directory, env_file)
        with (
            log.read(criteria, options, follow=follow) as reading,
            line_output(cursor, form, shown=bounds.shown, **shape) as write,
        ):
            output.check(reading.sources)
            try:
                for batch in bounds.batches(reading.matches, follow=follow):
                    seen = seen or bool(batch.lines)
                    write(batch)
                    tell_broken(reading.matches.broken, strict=strict)
                    if follow and deadline is not None and time.monotonic() >= deadline:
                        raise TimedOutError(f"stopped after {timeout:g} s (--timeout)")
            finally:
                tell_broken(reading.matches.broken, strict=strict)
        if not seen:
            log.tell_unmatched()
        if must_match and not seen:
            raise NoMatchError("nothing matched")
    return 0
