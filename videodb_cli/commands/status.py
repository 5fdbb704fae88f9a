"""`videodb status`: whether the listener runs and receives, and what it has received."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.status_rows import as_json_of, capture_json, capture_of, show
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError, TimedOutError, UnreachableError, UsageError, VideodbError

if TYPE_CHECKING:
    from videodb_cli.app.listener_status import ListenerStatus

app = new_app()
_LOOK_S = 0.05


@app.command(cls=PanelCommand)
def status(
    directory_argument: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The same as --dir DIR.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    ws_id: Annotated[bool, typer.Option("--ws-id", help="Print only the id of the open connection.")] = False,
    wait: Annotated[
        float | None, typer.Option("--wait", metavar="S", min=0, help="With --ws-id: wait up to S seconds for it.")
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Show every listener and capture of this user.")] = False,
    as_json: JsonOption = False,
    env_file: EnvFileOption = None,
) -> int:
    """Show whether the listener is connected and writing.

    Exit 0: listening; 5: connecting, deaf, died, or the log cannot be written; 4: not running.
    """
    if wait is not None and not ws_id:
        raise UsageError("--wait goes with --ws-id", hint="videodb status --ws-id --wait 10")

    if show_all:
        if ws_id or directory is not None or directory_argument is not None:
            raise UsageError("--all looks at every directory, and at more than an id")
        from videodb_cli.commands.status_all import show_all as show_every_one

        return show_every_one(as_json=as_json)

    def look() -> ListenerStatus:
        from videodb_cli.app.listener_status import listener_status

        return listener_status(existing_run_dir(directory, env_file, directory_argument, clean=False))

    if ws_id:
        console_id = _wait_for_id(look, wait)
        if as_json:
            console.data_json({"ws_id": console_id})
        else:
            console.data(console_id)
        return 0
    found = look()
    run_dir = existing_run_dir(directory, env_file, directory_argument, clean=False)
    capture = capture_of(run_dir)
    if as_json:
        console.data_json({**as_json_of(found), "capture": None if capture is None else capture_json(capture)})
    else:
        show(found, capture, None if run_dir is None else run_dir.log)
    return 0 if found.is_healthy else 4 if found.state == "stopped" else 5


def _wait_for_id(look: Any, wait_s: float | None) -> str:
    deadline = time.monotonic() + (wait_s or 0)
    while True:
        found: ListenerStatus = look()
        if found.connection_id is not None and found.state == "listening":
            return found.connection_id
        if time.monotonic() >= deadline:
            raise _no_id(found, wait_s)
        time.sleep(_LOOK_S)


def _no_id(found: ListenerStatus, wait_s: float | None) -> VideodbError:
    if wait_s:
        return TimedOutError(f"no open connection within {wait_s:g} s: {found.why}", hint="videodb status")
    if found.state == "stopped":
        return NotFoundError("no listener runs here", code="not_running", hint="videodb listen --detach")
    if found.state == "died":
        return UnreachableError(found.why, code="died", hint="videodb listen --detach")
    return UnreachableError(f"the listener is {found.state}: {found.why}", code=found.state, hint="videodb status")
