"""`videodb events wait`: block until a matching event, print it, or time out."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, ClassVar, NamedTuple

import typer

from videodb_cli import console
from videodb_cli.commands.events.feed import Feed
from videodb_cli.commands.events.flags import CursorOption, Refusals, SelectingCommand, SelectionFlags, with_selection
from videodb_cli.commands.events.output import RawOutput, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, reading_run_dir
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UnreachableError, UsageError
from videodb_cli.eventlog.query.run import SourceRange, iter_ranges, ranges_of
from videodb_cli.eventlog.query.scan import Line, Scanner, SelectionPlan
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.eventlog.views.sessions import learn
from videodb_cli.eventlog.views.wait_condition import Verdict, WaitCondition
from videodb_cli.model import event as ev
from videodb_cli.rundir.paths import RunDir
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.sources import LogSource

app = new_app()

_DEFAULT_TIMEOUT_S = 300.0
_LOOK_S = 1.0


class WaitCommand(SelectingCommand):
    """What wait has no use for."""

    without: ClassVar[Refusals] = {
        "--around": (
            "wait ends with what it waited for, before anything can have come after it",
            "videodb events filter --around 30s --limit 1 …",
        )
    }


@app.command(cls=WaitCommand)
@with_selection
def wait(
    flags: SelectionFlags,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Files or directories.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option("--count", "--limit", metavar="N", min=1, help="Wait for N events.")] = 1,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="S", min=0, help="Give up after S seconds, status 124.  [default: 300 in a script]"
        ),
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", metavar="EVENT", help="Exit 1 when this event comes first.", show_default=False),
    ] = None,
    recovered: Annotated[
        bool, typer.Option("--recovered", help="Count events of more than a minute ago that were recovered.")
    ] = False,
    cursor_file: CursorOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at a line that is not JSON.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Wait for an event that comes from now on, print it and exit 0; with --session or --since, for earlier ones too.

    videodb events wait --event exported --fail-on failed --session last --timeout 120
    """
    run_dir = reading_run_dir(directory, env_file, files)
    if "-" in (files or []):
        raise UsageError("there is nothing to wait for on standard input", hint="videodb events filter --limit 1 . -")
    started = time.monotonic()
    if timeout is None and not console.is_terminal():
        timeout = _DEFAULT_TIMEOUT_S
        console.talk("waiting for 300 s at most; --timeout changes that")
    feed = Feed(run_dir, files or [], follow=True)
    try:
        for source in feed.sources:
            if source.is_stream:
                raise UsageError(f"{source.name} is a pipe: wait follows files", hint="videodb events filter --limit 1")
        selection = flags.selection(feed.sources, run_dir)
        judge = WaitCondition(selection, tuple(fail_on or ()), recovered=recovered)
        cursor = None if cursor_file is None else Cursor(absolute(cursor_file))
        parts = _backlog(feed, selection, cursor, looks_back=flags.session is not None or flags.since is not None)
        health = None if files else _Health(run_dir)
        deadline = None if timeout is None else started + timeout
        _wait(_lines(feed, parts, selection, deadline, health, strict=strict), judge, count, cursor)
    finally:
        feed.close()
    return 0


def _backlog(feed: Feed, selection: Selection, cursor: Cursor | None, *, looks_back: bool) -> list[SourceRange]:
    """What is there already and counts. A first run with a cursor begins where it would without one."""
    from videodb_cli.commands.events.streamed import from_cursor

    parts = ranges_of(feed.sources, selection, feed.end_of)
    if cursor is not None and cursor.is_new:
        for source in feed.sources[-1:]:
            cursor.save(source, feed.end_of(source) or 0)
    elif cursor is not None:
        return from_cursor(cursor, parts)
    return parts if looks_back else []


def _wait(lines: Iterator[_Read], judge: WaitCondition, count: int, cursor: Cursor | None) -> None:
    output = _output()
    for source, line, end in lines:
        if line is None:
            if cursor is not None:
                cursor.save(source, end)
            continue
        event = line.decode()
        verdict = judge.judge(event)
        if verdict is Verdict.NOTHING:
            continue
        output.write([line])
        output.close()
        if cursor is not None:
            cursor.save(source, end)
        if verdict is Verdict.FAILS:
            said = ev.text_of(event)
            raise NoMatchError(f"{event.get('event')} came first" + (f": {said}" if said else ""), code="failed")
        count -= 1
        if count <= 0:
            return


class _RowByRow(RawOutput):
    """Rows on a terminal."""

    def write(self, lines: list[Line]) -> None:  # type: ignore[override]
        from videodb_cli.commands.events.view import Rows

        rows = Rows(console.terminal_width(), color=console.wants_color(sys.stdout))
        for line in lines:
            for row in rows.render(line.decode()):
                console.data(row)
        console.flush()


def _output() -> RawOutput:
    return _RowByRow() if console.is_terminal() else RawOutput()


class _Read(NamedTuple):
    """A line, or the end of a block of lines; everything before ``end`` was read."""

    source: LogSource
    line: Line | None
    end: int


def _lines(
    feed: Feed,
    parts: list[SourceRange],
    selection: Selection,
    deadline: float | None,
    health: _Health | None,
    *,
    strict: bool,
) -> Iterator[_Read]:
    """Lines in order: what is there already, if that counts, then what comes. Raises when it is over."""
    broken = BrokenLines()
    scanner = Scanner(SelectionPlan(), broken)
    for source, block in iter_ranges(parts, broken):
        yield from _reads(scanner, source, block)
    tell_broken(broken, strict=strict)
    for source, news in feed.iter_news(broken):
        if news is not None:
            learn(news, selection.session)
            yield from _reads(scanner, source, news)
            tell_broken(broken, strict=strict)
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOutError("what was waited for did not come in time (--timeout)")
        if health is not None and news is None:
            health.look()


def _reads(scanner: Scanner, source: LogSource, block: Block) -> Iterator[_Read]:
    for line in scanner.lines(source, block):
        yield _Read(source, line, line.offset + len(line.raw) + 1)
    yield _Read(source, None, block.offset + len(block.data))


class _Health:
    """Looks after the listener of the directory, once a second."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._next_look = 0.0
        self._was_alive = False
        self._missed = 0
        self._told = False

    def look(self) -> None:
        """Raise ``UnreachableError`` (exit 5) when the listener died or is deaf. Called when the log is read out."""
        now = time.monotonic()
        if now < self._next_look:
            return
        self._next_look = now + _LOOK_S
        from videodb_cli.app.listener_status import listener_status

        status = listener_status(self._run_dir)
        if status.state == "deaf":
            raise UnreachableError(f"the listener is deaf: {status.why}", code="deaf", hint="videodb status")
        if status.state in {"listening", "connecting"}:
            self._was_alive, self._missed = True, 0
            return
        if not self._was_alive:
            if not self._told:
                console.talk(f"no listener runs in {self._run_dir.path}; waiting for lines that others write")
            self._told = True
            return
        # One look may fall between the end of a listener and the start of the one that replaces it.
        self._missed += 1
        if self._missed >= 2:
            raise UnreachableError(
                "the listener ended while we waited", code="listener_ended", hint="videodb listen --detach"
            )
