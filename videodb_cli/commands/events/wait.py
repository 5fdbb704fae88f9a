"""`videodb events wait`: block until a matching event, print it, or time out."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.bounds import Bounds, with_bounds
from videodb_cli.commands.events.flags import CursorOption, Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.output import LineOutput, event_output
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.events.unread_input import hints_before_it_follows
from videodb_cli.commands.events.wait_words import did_not_come, waiting_for
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.output_options import OutputOptions, with_output
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import NoMatchError, TimedOutError, UnreachableError, UsageError
from videodb_cli.eventlog.matches import Batch, ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.eventlog.views.wait_condition import Verdict, WaitCondition
from videodb_cli.model import event as ev
from videodb_cli.quantities import ago
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.rundir.paths import RunDir

app = new_app()

_DEFAULT_TIMEOUT_S = 300.0
_LOOK_S = 1.0
_POLL_S = 0.1
_OLD_S = 60.0


class WaitCommand(SelectingCommand):
    """The command `wait`, which refuses flags that make no sense for it."""

    without: ClassVar[Refusals] = {
        "--around": (
            "wait ends with what it waited for, before anything can have come after it",
            "videodb events filter --around 30s --limit 1 …",
        )
    }


@app.command(cls=WaitCommand)
@with_selection
@with_output
@with_bounds
@hints_before_it_follows
def wait(
    criteria: Criteria,
    output: OutputOptions,
    bounds: Bounds,
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    count: Annotated[
        int, typer.Option("--count", "--limit", metavar="N", min=1, help="Wait for N matching events.")
    ] = 1,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="S",
            min=0,
            help="Give up after S seconds with exit status 124.  [default: 300 in a script]",
        ),
    ] = None,
    fail_on: Annotated[
        list[str] | None,
        typer.Option("--fail-on", metavar="EVENT", help="Exit 1 if this event comes first.", show_default=False),
    ] = None,
    recovered: Annotated[
        bool, typer.Option("--recovered", help="Also count recovered events that are more than a minute old.")
    ] = False,
    cursor_file: CursorOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 2 at the first line that is not JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print no status messages.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Wait for an event that comes from now on, print it and exit 0; with --session or --since, for earlier ones too.

    videodb events wait --event exported --fail-on failed --session last --timeout 120
    """
    started = time.monotonic()
    if timeout is None and not console.is_terminal():
        timeout = _DEFAULT_TIMEOUT_S
        if not quiet:
            console.talk("waiting for 300 s at most; --timeout changes that")
    log = open_log(files, directory, env_file, fail_on or ())
    cursor = None if cursor_file is None else Cursor(absolute(cursor_file))
    looks_back = criteria.session is not None or criteria.since is not None
    # Events of --fail-on are not part of the selection, so every line is read.
    is_stream = files is not None and len(files) == 1 and (files[0] == "-" or Path(files[0]).is_fifo())
    options = ReadOptions(
        cursor=bounds.cursor(cursor), strict=strict, from_now=not looks_back and not is_stream, every_line=True
    )
    with (
        output.destination(is_followed=True) as is_continued,
        log.read(criteria, options, follow=not is_stream) as reading,
    ):
        output.check(reading.sources)
        if not is_stream and (stream := next((each for each in reading.sources if each.is_stream), None)):
            raise UsageError(f"{stream.name} can only be waited for alone, without other files")
        condition = WaitCondition(reading.matches.selection, tuple(fail_on or ()), recovered=recovered)
        reading.matches.skip_backlog()
        session = reading.matches.selection.session
        # A session that was not named by its id may be another one than the user thinks.
        last = f"{criteria.session} is {session.ident}" if session and criteria.session != session.ident else None
        printed = event_output(output.chosen(), is_continued=is_continued, shown=bounds.shown)
        waiting = _MatchCounter(condition, count, cursor, last, printed, bounds)
        health = None if files else _Health(log.run_dir)
        if sys.stderr.isatty() and not quiet:
            now = time.time()
            console.talk(waiting_for(criteria, count=count, fail_on=fail_on or (), timeout_s=timeout, now=now))
        deadline = None if timeout is None else started + timeout
        batches = reading.matches.batches()
        for batch in _polled(batches) if is_stream else batches:
            tell_broken(reading.matches.broken, strict=strict)  # the wait may be over with one of these lines
            if waiting.take(batch):
                return 0
            if deadline is not None and batch.is_news and time.monotonic() >= deadline:
                raise TimedOutError(did_not_come(criteria, timeout or 0.0))
            if health is not None and batch.source is None:
                health.look()
        tell_broken(reading.matches.broken, strict=strict)
    raise NoMatchError(f"{'standard input' if files == ['-'] else (files or [''])[0]} ended before the event came")


def _polled(batches: Iterator[Batch]) -> Iterator[Batch]:
    """Yield the batches of a stream, and an empty one of news whenever nothing comes: a read of a pipe may block."""
    from videodb_cli.app.polled import polled

    for batch in polled(batches, _POLL_S):
        if batch is not None:
            yield batch
        yield Batch([], is_news=True)


class _MatchCounter:
    """Prints the awaited events and counts them down. ``last`` says which session was meant."""

    def __init__(
        self,
        condition: WaitCondition,
        count: int,
        cursor: Cursor | None,
        last: str | None,
        output: LineOutput,
        bounds: Bounds,
    ) -> None:
        self._bounds = bounds
        self._condition = condition
        self._left = count
        self._cursor = cursor
        self._last = last
        self._output = output

    def take(self, batch: Batch) -> bool:
        """Takes lines in order; returns whether the wait is over.

        Raises:
            NoMatchError: An event that means failure came first.
        """
        for line in batch.lines:
            event = line.decode()
            verdict = self._condition.check(event)
            if verdict is Verdict.NOTHING:
                continue
            if self._bounds.takes(line, batch.source):
                self._output.write([line])
            self._save(batch, line.offset + len(line.raw) + 1)
            if self._last is not None:
                _tell_old(event, self._last)
            if verdict is Verdict.FAILS:
                said = ev.text_of(event)
                raise NoMatchError(f"{event.get('event')} came first" + (f": {said}" if said else ""), code="failed")
            self._left -= 1
            if self._left <= 0:
                return True
        self._save(batch, batch.end)
        return False

    def _save(self, batch: Batch, end: int) -> None:
        if self._cursor is not None and batch.source is not None:
            self._cursor.save(batch.source, end)


def _tell_old(event: ev.Event, last: str) -> None:
    """Print a note if an event is old: a script could take it for an event of a capture that it has just started."""
    received_at = ev.received_at(event)
    age_s = 0.0 if received_at is None else time.time() - received_at
    if age_s > _OLD_S:
        console.talk(f"this came {ago(age_s)}: --session {console.one_line(last)}")


class _Health:
    """Checks the listener of the directory once a second."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        self._next_look = 0.0
        self._was_alive = False
        self._missed = 0
        self._told = False

    def look(self) -> None:
        """Raise UnreachableError (exit 5) when the listener died or is deaf. Called when nothing new is in the log."""
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
        # A single check may happen between the end of a listener and the start of its replacement.
        self._missed += 1
        if self._missed >= 2:
            raise UnreachableError(
                "the listener ended while we waited", code="listener_ended", hint="videodb listen --detach"
            )
