"""`videodb capture stop`: end the capture, wait for its export, say where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from videodb_cli.rundir.capture_state import CaptureState

app = new_app()
_COLUMN = 18
_PHASES = {"stopping": "finalising", "stopped": "exporting"}


@app.command(cls=PanelCommand)
def stop(
    timeout: Annotated[
        float, typer.Option("--timeout", metavar="S", min=0.1, help="Wait at most this long for the export.")
    ] = 300.0,
    as_json: JsonOption = False,
    local: LocalOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Stop the session, then the recorder, and wait for the export. Nothing to stop is fine: nothing is printed then.

    After a failure, waits for the export of what was recorded; the status remains failed.

    Also stops the listener if `capture start` started it.
    """
    from videodb_cli.app.capture.stop import stop_capture

    run_dir = existing_run_dir(directory, env_file)
    if run_dir is None:
        _show_nothing(None, as_json=as_json)
        return

    def tell(status: str) -> None:
        if status in _PHASES:
            console.talk(f"{_PHASES[status]} …")

    found = stop_capture(
        run_dir,
        timeout_s=timeout,
        credentials=lambda: credentials_to_stop(run_dir, local=local, env_file=env_file),
        tell=tell,
        note=lambda line: console.talk(hints.placed(line)),
    )
    if found is None:
        _show_nothing(run_dir, as_json=as_json)
    else:
        show_outcome(found, as_json=as_json)


def show_outcome(found: CaptureState, *, as_json: bool) -> None:
    """Print what came of a capture: its id, its state and its URLs."""
    if as_json:
        console.data_json({"stopped": True, **found.for_users()})
        return
    why = f" ({console.one_line(found.error.message)})" if found.error is not None else ""
    show_field("session_id", found.session_id, _COLUMN)
    show_field("status", f"{found.status}{why}", _COLUMN)
    show_export(found, _COLUMN)


def show_export(found: CaptureState, column: int) -> None:
    """Print where the export is, as far as that is known."""
    for name in ("exported_video_id", "player_url", "stream_url"):
        value = getattr(found, name)
        if value:
            show_field(name, value, column)


def _show_nothing(run_dir: RunDir | None, *, as_json: bool) -> None:
    """Say that nothing ran. Nothing of an earlier capture is printed: a script would take its video for its own."""
    if as_json:
        console.data_json({"stopped": False, "session_id": None, "status": None})
        return
    from videodb_cli.rundir import capture_state

    last = None if run_dir is None else capture_state.read(run_dir)
    how = "" if last is None else f" · the last one, {last.session_id}, is {last.status}: videodb capture status"
    console.talk(console.one_line(f"no capture runs here{how}"))
