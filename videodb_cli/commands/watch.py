"""`videodb watch`: the live view of one or several directories."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import MissingDependencyError, NotFoundError, UsageError
from videodb_cli.rundir import paths
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import resolve_directory

app = new_app()
_INSTEAD = "videodb events tail -f"


@app.command(cls=PanelCommand)
def watch(
    directories: Annotated[
        list[str] | None, typer.Argument(metavar="[DIR]...", help="Directories of listeners.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Watch listener, capture and events live, on a terminal: search, filter, scroll back through the whole log.

    Press ? for the keys, q to leave. Of several directories each has a tab. It needs the extra [watch].
    """
    _check_terminal()
    run_dirs = _run_dirs(directories or [], directory, env_file)
    try:
        from videodb_cli.watch.app import run
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "textual":
            raise
        raise MissingDependencyError(
            "videodb watch needs the package textual", hint="pip install 'videodb-cli[watch]'"
        ) from None
    return run(run_dirs)


def _check_terminal() -> None:
    if os.environ.get("TERM", "") in {"", *console.DUMB_TERMINALS}:
        raise UsageError(
            "videodb watch needs a terminal that can move its cursor; TERM names none",
            code="terminal",
            hint=_INSTEAD,
        )
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError(
            "videodb watch needs a terminal on stdin and stdout, not a pipe or a file",
            code="terminal",
            hint=_INSTEAD,
        )


def _run_dirs(named: list[str], directory: str | None, env_file: str | None) -> list[RunDir]:
    if directory is not None:
        named = [directory, *named]
    if not named:
        path = resolve_directory(None, None, env_file).path
        try:
            return [paths.check(path)]
        except NotFoundError:
            return [RunDir(path)]  # a listener will make it
    found: dict[str, RunDir] = {}
    for name in named:
        run_dir = paths.check(resolve_directory(name, None, env_file).path)
        found.setdefault(os.path.realpath(run_dir.path), run_dir)
    return list(found.values())
