"""`videodb events forward`: hand events on to a URL or a command, from the log, with a cursor."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import typer

from videodb_cli import console
from videodb_cli.commands.events.flags import Refusals, SelectingCommand, with_selection
from videodb_cli.commands.events.reading import open_log, tell_broken
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.tree import new_app
from videodb_cli.errors import ConflictError, UsageError, VideodbError
from videodb_cli.eventlog.matches import ReadOptions
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from videodb_cli.app.forward.forwarder import Delivery, Stop
    from videodb_cli.app.forward.targets import CommandTarget, HttpTarget
    from videodb_cli.eventlog.log import EventLog
    from videodb_cli.rundir.paths import RunDir

app = new_app()
_START_TIMEOUT_S = 15.0


class ForwardCommand(SelectingCommand):
    """What forward has no use for."""

    without: ClassVar[Refusals] = {
        "--around": (
            "forward hands on what is selected, and nothing around it",
            "videodb events filter --follow --around 30s …",
        )
    }


@app.command(cls=ForwardCommand)
@with_selection
def forward(
    criteria: Criteria,
    to: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="POST each event there.", show_default=False)
    ] = None,
    command: Annotated[
        str | None,
        typer.Option("--exec", metavar="CMD", help="Start CMD for each, without a shell.", show_default=False),
    ] = None,
    cursor_file: Annotated[
        Path | None,
        typer.Option(
            "--cursor-file",
            metavar="PATH",
            help="Go on where the last run with it ended; the first run begins with the log. Without: from now on.",
            show_default=False,
        ),
    ] = None,
    batch: Annotated[
        int, typer.Option("--batch", metavar="N", min=1, max=10_000, help="Up to N at once, as a JSON array.")
    ] = 1,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="End when N were handed on.", show_default=False)
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.1, help="How long one call or command may take.")
    ] = 30.0,
    recovered: Annotated[
        bool, typer.Option("--recovered", help="Hand on events of more than a minute ago that were recovered.")
    ] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Go to the background. Needs --cursor-file.")] = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
    ready_fd: Annotated[int | None, typer.Option("--ready-fd", hidden=True)] = None,
) -> int:
    """Follow the log and hand each event on, in order, again until it is taken.

    An endpoint that was away gets everything once it is back. 4xx (but 408 and 429) and a command that fails mean that
    the event is wrong: it is recorded (beside the cursor, .refused) and passed over.
    """
    if (to is None) == (command is None):
        raise UsageError("either --to URL or --exec CMD", hint="videodb events forward --to https://… --cursor-file F")
    log = open_log(None, directory, env_file)
    if cursor_file is not None:
        # Lock and logs are made beside it: whether anything can be is said before.
        Cursor(absolute(cursor_file))
    if detach:
        if cursor_file is None:
            hint = "--cursor-file ~/.local/state/videodb/forward.cursor"
            raise UsageError("--detach needs --cursor-file", hint=hint)
        passed = ["--to", to] if to is not None else ["--exec", command or ""]
        passed += ["--batch", str(batch), "--timeout", str(timeout), *(["--recovered"] if recovered else [])]
        passed += [] if limit is None else ["--limit", str(limit)]
        _detach(cursor_file, log.run_dir, [*passed, *criteria.as_arguments()])
        return 0

    from videodb_cli.app.forward.forwarder import Stop
    from videodb_cli.app.forward.targets import CommandTarget, HttpTarget
    from videodb_cli.process.daemon import ReadyPipe

    ready = ReadyPipe(ready_fd)
    stop = Stop()

    def on_ready() -> None:
        ready.say({"pid": os.getpid()})

    try:
        target = (
            HttpTarget(to, stop=stop, is_batch=batch > 1, timeout_s=timeout, on_trouble=console.talk, on_tried=on_ready)
            if to is not None
            else CommandTarget(command or "", stop=stop, timeout_s=timeout)
        )
        with _alone(cursor_file):
            if command is not None:
                on_ready()
            _run(target, stop, criteria, log, cursor_file, batch, limit, recovered=recovered, on_ready=on_ready)
    except VideodbError as error:
        ready.say({"error": {**error.as_json()["error"], "exit_status": error.exit_status}})
        raise
    return 0


def _run(
    target: HttpTarget | CommandTarget,
    stop: Stop,
    criteria: Criteria,
    log: EventLog,
    cursor_file: Path | None,
    batch: int,
    limit: int | None,
    *,
    recovered: bool,
    on_ready: Callable[[], None],
) -> None:
    """Hand on until asked to stop. ``on_ready`` is called once nothing that was there already waits for a first try."""
    from videodb_cli.app.forward.forwarder import Forwarder, StoppedError
    from videodb_cli.process.gc_tuning import tune_for_long_running
    from videodb_cli.process.signals import ask_on_signals

    tune_for_long_running()
    cursor = None if cursor_file is None else Cursor(absolute(cursor_file))
    forwarder = Forwarder(
        target,
        recovered=recovered,
        batch=batch,
        limit=limit,
        cursor=cursor,
        refused_log=None if cursor_file is None else beside(cursor_file, ".refused"),
        on_refused=_tell_refused,
    )
    options = ReadOptions(cursor=cursor, from_now=cursor is None and criteria.since is None, without_own=True)
    try:
        with log.read(criteria, options, follow=True) as reading, ask_on_signals(stop.ask):
            for found in reading.matches.batches():
                stop.check()
                if found.is_news:
                    on_ready()
                forwarder.take(found)
                tell_broken(reading.matches.broken)
                if forwarder.is_done:
                    return
    except StoppedError:
        return
    finally:
        target.close()


def _tell_refused(parcel: Delivery, why: str) -> None:
    count = len(parcel.lines)
    what = f"{count} events passed over" if count > 1 else "event passed over"
    console.talk(f"{what} ({why}): {parcel.events[0].get('ts')} {parcel.events[0].get('channel')}")


def beside(cursor_file: Path, suffix: str) -> Path:
    """A file that belongs to a cursor."""
    path = absolute(cursor_file)
    return path.with_name(path.name + suffix)


def _alone(cursor_file: Path | None) -> contextlib.AbstractContextManager[object]:
    """Hold the cursor's lock: two that go on from one cursor would hand everything on twice."""
    from videodb_cli.process.start_token import current_start_token
    from videodb_cli.rundir.lock import DirectoryLock, LockHeldError

    if cursor_file is None:
        return contextlib.nullcontext()
    path = beside(cursor_file, ".lock")
    lock = DirectoryLock(path)
    try:
        lock.acquire(current_start_token())
    except LockHeldError:
        raise ConflictError(
            f"somebody forwards with this cursor already: pid {_holder(path) or 'unknown'}", code="already_running"
        ) from None
    return lock


def _holder(path: Path) -> int | None:
    from videodb_cli.rundir.lock import holder

    found = holder(path)
    return None if found is None else found[0]


def _detach(cursor_file: Path, run_dir: RunDir, arguments: list[str]) -> None:
    """Start the same in the background. Idempotent: one that runs with this cursor is named."""
    from videodb_cli.app.background_listener import failure_of
    from videodb_cli.errors import UnreachableError
    from videodb_cli.process.daemon import spawn_detached
    from videodb_cli.rundir import process_log
    from videodb_cli.rundir.lock import is_held

    lock = beside(cursor_file, ".lock")
    if is_held(lock):
        console.data(f"PID={_holder(lock) or ''}")
        return
    log = beside(cursor_file, ".log")
    log_fd = process_log.open_log(log)
    try:
        spawned = spawn_detached(
            [
                "events",
                "forward",
                "--dir",
                str(run_dir.path.absolute()),
                "--cursor-file",
                str(absolute(cursor_file)),
                *arguments,
            ],
            log_fd=log_fd,
            directory=absolute(cursor_file).parent,
            timeout_s=_START_TIMEOUT_S,
        )
    finally:
        os.close(log_fd)
    if spawned.message is not None and "error" in spawned.message:
        raise failure_of(spawned)
    if spawned.message is None and spawned.exit_status is not None:
        raise UnreachableError(
            f"it ended at once with status {spawned.exit_status}", code="forward_ended", hint=f"see {log}"
        )
    # One that has said nothing yet waits for its endpoint's first answer: it runs.
    console.data(f"PID={spawned.pid}")
