"""`videodb capture status`: the session, the health of each channel, and where its pipelines point."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videodb_cli import console
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption, existing_run_dir
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import NotFoundError

if TYPE_CHECKING:
    from videodb_cli.app.capture.status import CaptureStatus

app = new_app()


@app.command(cls=PanelCommand)
def status(
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Tell how the capture does. Exit status 0: it runs; 4: none runs; 5: it does not answer; 6: it failed."""
    from videodb_cli.app.capture.status import capture_status
    from videodb_cli.app.capture.stop import shown
    from videodb_cli.app.listener_status import listener_status

    run_dir = existing_run_dir(directory, env_file)
    found = capture_status(run_dir) if run_dir is not None else None
    if found is None:
        raise NotFoundError("no capture has run here", code="not_running", hint="videodb capture start")
    if as_json:
        console.data_json({"running": found.running, "pid": found.fields.get("pid"), **shown(found.fields)})
    else:
        _show(found, listener_status(run_dir).connection_id if found.running else None)
    if found.why is not None:
        return 5
    if found.fields.get("status") == "failed":
        return 6
    return 0 if found.running else 4


def _show(found: CaptureStatus, connection_id: str | None) -> None:
    fields, why, now = found.fields, found.why, found.now
    state = str(fields.get("status"))
    started = fields.get("started_at")
    age = f" {_span(now - started)}" if state == "active" and isinstance(started, int | float) else ""
    error = fields.get("error")
    reason = f" · {error.get('message')}" if isinstance(error, dict) else ""
    trouble = why or (f"service: {fields['service_trouble']}" if fields.get("service_trouble") else "")
    last = "" if found.running else "none runs · the last one: "
    rows = [("capture", f"{last}{fields.get('session_id')} {state}{age}{reason}{' · ' if trouble else ''}{trouble}")]
    rows += [("channel", f"{c.get('channel_id')} · {_channel(c, now)}") for c in _objects(fields.get("channels"))]
    rows += [("pipeline", _pipeline(item, connection_id)) for item in _objects(fields.get("pipelines"))]
    exports = ("exported_video_id", "player_url", "stream_url")
    rows += [(name, str(fields[name])) for name in exports if fields.get(name)]
    for name, text in rows:
        show_field(name, text, 18)


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _pipeline(item: dict[str, Any], connection_id: str | None) -> str:
    name = f"{item.get('kind')} {item.get('label') or ''}".strip()
    target = item.get("ws_connection_id")
    is_dead = connection_id is not None and target is not None and target != connection_id
    return f"{name} of {item.get('rtstream_id')} → {target}{' (not the connection of now)' if is_dead else ''}"


def _channel(channel: dict[str, Any], now: float) -> str:
    parts = [str(channel.get("state"))]
    if channel.get("paused"):
        parts.append("paused")
    if isinstance(channel.get("bytes"), int):
        parts.append(f"{channel['bytes'] / 1e6:.1f} MB")
    if isinstance(channel.get("frames"), int):
        parts.append(f"{channel['frames']} frames")
    if channel.get("drops"):
        parts.append(f"{channel['drops']} dropped")
    if channel.get("restarts"):
        parts.append(f"{channel['restarts']} restarts")
    last = channel.get("last_progress_at")
    if isinstance(last, int | float):
        parts.append(f"last progress {_span(now - last)} ago")
    if channel.get("reason"):
        parts.append(str(channel["reason"]))
    return " · ".join(parts)


def _span(seconds: float) -> str:
    if seconds < 60:
        return f"{max(0.0, seconds):.0f} s"
    minutes = int(seconds // 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"
