"""`videodb capture status`: the session, the health of each channel, and where its pipelines point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.capture.stop import show_export
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError
from videodb_cli.quantities import size

if TYPE_CHECKING:
    from videodb_cli.app.capture.status import CaptureStatus
    from videodb_cli.rundir.capture_state import ChannelState, PipelineState

app = new_app()
_COLUMN = 18


@app.command(cls=PanelCommand)
def status(
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Show the state of the capture. Exit status 0: it runs; 4: none runs; 5: it does not answer; 6: it failed."""
    from videodb_cli.app.capture.status import capture_status
    from videodb_cli.app.listener_status import listener_status

    run_dir = existing_run_dir(directory, env_file)
    found = capture_status(run_dir) if run_dir is not None else None
    if found is None:
        raise NotFoundError("no capture has run here", code="not_running", hint="videodb capture start")
    if as_json:
        pid = None if found.state is None else found.state.pid
        console.data_json({"running": found.running, "pid": pid, **found.for_users()})
    else:
        _show(found, listener_status(run_dir).connection_id if found.running else None)
    if found.why is not None:
        return 5
    if found.status == "failed":
        return 6
    return 0 if found.running else 4


def _show(found: CaptureStatus, connection_id: str | None) -> None:
    state = found.state
    if state is None:
        show_field("capture", found.status, _COLUMN)
        return
    age = ""
    if state.status == "active" and state.started_at is not None:
        age = f" {_span(found.now - state.started_at)}"
    reason = f" · {state.error.message}" if state.error is not None else ""
    trouble = found.why or (f"service: {state.service_trouble}" if state.service_trouble else "")
    last = "" if found.running else "none runs · the last one: "
    rows = [("capture", f"{last}{state.session_id} {state.status}{age}{reason}{' · ' if trouble else ''}{trouble}")]
    rows += [("channel", f"{channel.channel_id} · {_channel(channel, found)}") for channel in state.channels]
    rows += [("pipeline", _pipeline(pipeline, connection_id)) for pipeline in state.pipelines]
    for name, text in rows:
        show_field(name, text, _COLUMN)
    show_export(state, _COLUMN)


def _pipeline(pipeline: PipelineState, connection_id: str | None) -> str:
    name = f"{pipeline.kind} {pipeline.label or ''}".strip()
    target = pipeline.ws_connection_id
    is_dead = connection_id is not None and target is not None and target != connection_id
    return f"{name} of {pipeline.rtstream_id} → {target}{' (not the connection of now)' if is_dead else ''}"


def _channel(channel: ChannelState, found: CaptureStatus) -> str:
    parts = found.channel_words(channel)
    if channel.bytes is not None:
        parts.append(size(channel.bytes))
    if channel.frames is not None:
        parts.append(f"{channel.frames} frames")
    if channel.drops:
        parts.append(f"{channel.drops} dropped")
    if channel.restarts:
        parts.append(f"{channel.restarts} restarts")
    if channel.reason:
        parts.append(channel.reason)
    return " · ".join(parts)


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{max(0.0, seconds):.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
