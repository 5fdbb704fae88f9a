"""`videodb capture pause` and `videodb capture resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError

pause_app = new_app()
resume_app = new_app()

ChannelsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CHANNEL]...", help="Which channels.  [default: all]", show_default=False),
]


@pause_app.command(cls=PanelCommand)
def pause(
    channels: ChannelsArgument = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Send a black picture and silence for channels; the session goes on."""
    _control("pause", "paused", channels, as_json=as_json, directory=directory, env_file=env_file)


@resume_app.command(cls=PanelCommand)
def resume(
    channels: ChannelsArgument = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Resume the picture and sound of paused channels."""
    _control("resume", "resumed", channels, as_json=as_json, directory=directory, env_file=env_file)


def _control(
    action: str, done: str, channels: list[str] | None, *, as_json: bool, directory: str | None, env_file: str | None
) -> None:
    from videodb_cli.app.capture.control import control_capture

    run_dir = existing_run_dir(directory, env_file)
    if run_dir is None:
        raise NotFoundError("no capture runs here", code="not_running", hint="videodb capture start")
    changed = control_capture(run_dir, action, channels or [])
    if as_json:
        console.data_json({done: changed})
    else:
        console.talk(f"{done}: {', '.join(changed)}")
