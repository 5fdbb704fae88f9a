"""`videodb capture stop`: end the capture, wait for its export, say where it is."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from videodb_cli import console, hints
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import (
    DirectoryOption,
    EnvFileOption,
    JsonOption,
    LocalOption,
    credentials_to_stop,
    existing_run_dir,
)
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.rundir.paths import RunDir

app = new_app()
_EXPORT = ("exported_video_id", "player_url", "stream_url")
_COLUMN = 18
_PHASES = {"stopping": "finalising", "stopped": "exporting"}


@app.command(cls=PanelCommand)
def stop(
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.1, help="Wait so long for the end and the export.")
    ] = 300.0,
    as_json: JsonOption = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Stop the session, then the recorder, and wait for the export. Nothing to stop is fine: nothing is printed then.

    Of a capture that failed the export of what was recorded until then is waited for; its status stays failed.

    A listener that `capture start` had started ends too.
    """
    from videodb_cli.app.capture.stop import stop_capture

    run_dir = existing_run_dir(directory, env_file)
    if run_dir is None:
        _show_nothing(None, as_json=as_json)
        return

    def tell(status: str) -> None:
        if status in _PHASES:
            console.talk(f"{_PHASES[status]} …")

    fields = stop_capture(
        run_dir,
        timeout_s=timeout,
        credentials=lambda: credentials_to_stop(run_dir, local=local, env_file=env_file),
        tell=tell,
        note=lambda line: console.talk(hints.placed(line)),
    )
    if fields is None:
        _show_nothing(run_dir, as_json=as_json)
    else:
        show_outcome(fields, as_json=as_json)


def show_outcome(fields: dict[str, Any], *, as_json: bool) -> None:
    """Print what came of a capture: its id, its state and its URLs."""
    from videodb_cli.app.capture.stop import shown

    if as_json:
        names = ("session_id", "status", *_EXPORT)
        console.data_json({"stopped": True, **dict.fromkeys(names), **shown(fields)})
        return
    error = fields.get("error")
    why = f" ({console.one_line(str(error.get('message')))})" if isinstance(error, dict) else ""
    show_field("session_id", str(fields.get("session_id")), _COLUMN)
    show_field("status", f"{fields.get('status')}{why}", _COLUMN)
    for name in _EXPORT:
        if fields.get(name):
            show_field(name, str(fields[name]), _COLUMN)


def _show_nothing(run_dir: RunDir | None, *, as_json: bool) -> None:
    """Say that nothing ran. Nothing of an earlier capture is printed: a script would take its video for its own."""
    if as_json:
        console.data_json({"stopped": False, "session_id": None, "status": None})
        return
    from videodb_cli.capture import info as capture_info

    last = None if run_dir is None else capture_info.read(run_dir)
    how = (
        ""
        if last is None
        else f" · the last one, {last['session_id']}, is {last.get('status')}: videodb capture status"
    )
    console.talk(console.one_line(f"no capture runs here{how}"))
