"""`videodb stop`: end what runs in a directory."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app

app = new_app()


@app.command(cls=PanelCommand)
def stop(
    directory_argument: Annotated[
        str | None, typer.Argument(metavar="[DIR]", help="The same as --dir DIR.", show_default=False)
    ] = None,
    directory: DirectoryOption = None,
    as_json: JsonOption = False,
    env_file: EnvFileOption = None,
) -> None:
    """Stop the listener of a directory, gracefully, and wait until it is gone. Nothing to stop is fine."""
    from videodb_cli.flows.stop_listener import stop_listener

    run_dir = existing_run_dir(directory, env_file, directory_argument)
    pid = stop_listener(run_dir) if run_dir is not None else None
    if as_json:
        console.data_json({"stopped": pid is not None, "pid": pid})
    elif pid is None:
        console.talk("nothing runs here")
    else:
        console.talk(f"stopped the listener, pid {pid}")
