"""`videodb capture pause`."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError

app = new_app()


@app.command(cls=PanelCommand)
def pause(
    channels: Annotated[
        list[str] | None,
        typer.Argument(metavar="[CHANNEL]...", help="Which channels.  [default: all]", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Black picture and silence for channels, while time goes on."""
    from videodb_cli.flows.control_capture import control_capture

    run_dir = existing_run_dir(directory, env_file)
    if run_dir is None:
        raise NotFoundError("no capture runs here", code="not_running", hint="videodb capture start")
    done = control_capture(run_dir, "pause", channels or [])
    if as_json:
        console.data_json({"paused": done})
    else:
        console.talk(f"paused: {', '.join(done)}")
