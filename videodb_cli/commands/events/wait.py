"""`videodb events wait`: block until a matching event, print it, or time out."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.events.feed import Feed
from videodb_cli.commands.events.flags import SelectionFlags, with_selection
from videodb_cli.commands.events.output import RawOutput, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UnreachableError, UsageError
from videodb_cli.eventlog import event as ev
from videodb_cli.eventlog.query import iter_parts, parts_of
from videodb_cli.eventlog.scan import BrokenLines, Line, Plan, Scanner
from videodb_cli.eventlog.sessions import learn
from videodb_cli.eventlog.waiting import Judge, Verdict
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import resolve_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.eventlog.reader import Block
    from videodb_cli.eventlog.selection import Selection
    from videodb_cli.eventlog.sources import Source

app = new_app()

_DEFAULT_TIMEOUT_S = 300.0
_LOOK_S = 1.0


@app.command(cls=PanelCommand)
@with_selection
def wait(
    flags: SelectionFlags,
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Files or directories.", show_default=False)
    ] = None,
    count: Annotated[int, typer.Option("--count", metavar="N", min=1, help="Wait for N events.")] = 1,
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
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at a line that is not JSON.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Wait for an event that comes from now on, print it and exit 0; with --session or --since, for earlier ones too.

    videodb events wait --event exported --fail-on failed --session last --timeout 120
    """
    run_dir = existing_run_dir(directory, env_file) or RunDir(resolve_directory(None, directory, env_file).path)
    if "-" in (files or []):
        raise UsageError("there is nothing to wait for on standard input", hint="videodb events filter --limit 1 . -")
    started = time.monotonic()
    if timeout is None and not console.is_terminal():
        timeout = _DEFAULT_TIMEOUT_S
        console.talk("waiting for 300 s at most; --timeout changes that")
    feed = Feed(run_dir, files or [], follow=True)
    try:
        selection = flags.selection(feed.sources, run_dir)
        judge = Judge(selection, tuple(fail_on or ()), recovered=recovered)
        looks_back = flags.session is not None or flags.since is not None
        health = None if files else _Health(run_dir)
        deadline = None if timeout is None else started + timeout
        _wait(_lines(feed, selection, deadline, health, looks_back=looks_back, strict=strict), judge, count)
    finally:
        feed.close()
    return 0


def _wait(lines: Iterator[Line], judge: Judge, count: int) -> None:
    output = _output()
    for line in lines:
        event = line.decode()
        verdict = judge.judge(event)
        if verdict is Verdict.NOTHING:
            continue
        output.write([line])
        output.close()
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


def _lines(
    feed: Feed, selection: Selection, deadline: float | None, health: _Health | None, *, looks_back: bool, strict: bool
) -> Iterator[Line]:
    """Lines in order: what is there already, if that counts, then what comes. Raises when it is over."""
    broken = BrokenLines()
    scanner = Scanner(Plan(), broken)
    if looks_back:
        for source, block in iter_parts(parts_of(feed.sources, selection, feed.end_of)):
            yield from scanner.lines(source, block)
        tell_broken(broken, strict=strict)
    for source, news in feed.iter_news():
        if news is not None:
            yield from _learned(scanner, selection, source, news)
            tell_broken(broken, strict=strict)
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOutError("what was waited for did not come in time (--timeout)")
        if health is not None and news is None:
            health.look()


def _learned(scanner: Scanner, selection: Selection, source: Source, block: Block) -> list[Line]:
    learn(block, selection.session)
    return scanner.lines(source, block)


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
        from videodb_cli.flows.listener_status import listener_status

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
