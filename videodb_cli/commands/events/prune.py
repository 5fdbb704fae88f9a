"""`videodb events prune`: retention by age and size."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, parse_size, reading_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.eventlog.query.times import parse_duration
from videodb_cli.quantities import size
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from videodb_cli.eventlog.write.prune import Pruned
    from videodb_cli.rundir.paths import RunDir

app = new_app()


@app.command(cls=PanelCommand)
def prune(
    older: Annotated[
        str | None,
        typer.Option("--older", metavar="TIME", help="Remove lines received longer ago than this: 30d, 12h."),
    ] = None,
    max_size: Annotated[
        int | None,
        typer.Option(
            "--max-size", metavar="SIZE", parser=parse_size, help="Remove the oldest files until the rest fits: 2GB."
        ),
    ] = None,
    keep_session: Annotated[
        list[str] | None,
        typer.Option(
            "--keep-session", metavar="ID", help="Keep everything that belongs to this session.", show_default=False
        ),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; show what would be removed.")] = False,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Remove what is too old, or too much, from the log.

    Beside a running listener whole rotated files go, and nothing else. Without one, old lines go from all files.

    videodb events prune --older 30d --max-size 2GB --dry-run
    """
    from videodb_cli.eventlog.read.log_files import log_sources
    from videodb_cli.eventlog.write.prune import PrunePlan
    from videodb_cli.eventlog.write.prune import prune as prune_log

    if older is None and max_size is None:
        raise UsageError("nothing says what is to go", hint="videodb events prune --older 30d --dry-run")
    run_dir = reading_run_dir(directory, env_file)
    if not log_sources(run_dir):
        raise NotFoundError(f"no log in {run_dir.path}", code="no_log", hint="name another directory: --dir DIR")
    before = None if older is None else time.time() - parse_duration(older)
    with ExitStack() as held:
        may_rewrite = _lock(run_dir, held)
        plan = PrunePlan(before, max_size, _keeps(run_dir, keep_session or ()), may_rewrite, dry_run)
        try:
            done = prune_log(run_dir.log, plan)
        except OSError as error:
            raise RefusedError(f"cannot prune {run_dir.log}: {error.strerror}", code="file") from error
    if as_json:
        console.data_json({**asdict(done), "dry_run": dry_run})
    else:
        _show(done, dry_run=dry_run)
    return 0


def _lock(run_dir: RunDir, held: ExitStack) -> bool:
    """Take the directory's lock, so that no listener starts meanwhile. Returns False if one runs."""
    lock = DirectoryLock(run_dir.lock)
    try:
        lock.acquire()
    except LockHeldError:
        return False
    held.callback(lock.release)
    return True


def _keeps(run_dir: RunDir, sessions: Sequence[str]) -> Callable[[dict[str, Any]], bool] | None:
    """Return what tells whether an event belongs to one of the sessions."""
    if not sessions:
        return None
    from videodb_cli.eventlog.query.criteria import Criteria
    from videodb_cli.eventlog.read.log_files import log_sources
    from videodb_cli.rundir import capture_state

    sources, info = log_sources(run_dir), capture_state.read(run_dir)
    tests = [Criteria(session=session).resolve(sources, info).tests() for session in sessions]
    return lambda event: any(all(test(event) for test in some) for some in tests)


def _show(done: Pruned, *, dry_run: bool) -> None:
    removes, rewrites, frees = (
        ("would remove", "would rewrite", "would free") if dry_run else ("removed", "rewrote", "freed")
    )
    for name in done.removed:
        console.data(console.one_line(f"{removes} {name}"))
    for name in done.rewritten:
        console.data(console.one_line(f"{rewrites} {name}"))
    for name, why in done.left.items():
        console.talk(console.one_line(f"{name} stays as it is: {why}"))
    if done.removed or done.rewritten:
        console.data(f"{frees} {size(done.size)}" + (f" ({done.lines:,} lines)" if done.lines else ""))
    else:
        console.talk("there is nothing to remove")
