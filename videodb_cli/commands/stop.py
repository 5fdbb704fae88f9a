"""`videodb stop`: stop the capture and the listener of a directory."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console, hints
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import VideodbError
from videodb_cli.rundir.paths import RunDir

app = new_app()
_CAPTURE_S = 300.0


@app.command(cls=PanelCommand)
def stop(
    directory_argument: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The same as --dir DIR.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
    env_file: EnvFileOption = None,
) -> None:
    """Stop the capture, if any, and the listener of a directory, and wait. Succeeds if nothing is running."""
    from videodb_cli.app.stop_listener import stop_listener

    run_dir = existing_run_dir(directory, env_file, directory_argument)
    session_id = _stop_capture(run_dir, env_file) if run_dir is not None else None
    pid = stop_listener(run_dir) if run_dir is not None else None
    if as_json:
        console.data_json({"stopped": pid is not None, "pid": pid, "capture_session_id": session_id})
        return
    if session_id is not None:
        console.talk(f"stopped the capture {session_id}")
    if pid is not None:
        console.talk(f"stopped the listener, pid {pid}")
    elif session_id is None:
        console.talk("nothing runs here")


def _stop_capture(run_dir: RunDir, env_file: str | None) -> str | None:
    """Stop a running capture; return its session id. The export is awaited, so that the listener still logs it."""
    if not run_dir.capture_pid.exists():
        return None
    from videodb_cli.app.capture.stop import stop_capture
    from videodb_cli.commands.options import credentials_to_stop

    try:
        found = stop_capture(
            run_dir,
            timeout_s=_CAPTURE_S,
            credentials=lambda: credentials_to_stop(run_dir, local=False, env_file=env_file),
            note=lambda line: console.talk(hints.placed(line)),
        )
    except VideodbError as error:
        # The listener is stopped all the same, and a message says what is left of the session.
        console.talk(hints.placed(f"the capture did not end in order: {error.message} · videodb capture status"))
        return None
    return None if found is None else found.session_id
