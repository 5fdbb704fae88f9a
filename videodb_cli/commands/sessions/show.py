"""`videodb sessions show`: what is known of one capture session."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.fields import show_field
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.sessions.reading import STYLES, Sessions, check_arguments, iso, span, when
from videodb_cli.commands.tree import PanelCommand, new_app

if TYPE_CHECKING:
    from videodb_cli.eventlog.views.session_list import SessionSummary, StreamSummary

app = new_app()
_COLUMN = 18

SESSION_HELP = "An id, the beginning of one, last, or -1, -2 … from the newest on."


@app.command(cls=PanelCommand, context_settings={"ignore_unknown_options": True})
def show(
    session: Annotated[str, typer.Argument(metavar="[ID|last]", help=SESSION_HELP)] = "last",
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """Show one capture session: its states, its streams with their events, and where its recording is.

    videodb sessions show last
    """
    check_arguments(session, files)
    found = Sessions(files, directory, env_file).one(session)
    now = time.time()
    if as_json:
        console.data_json(found.as_json(now))
        return
    for name, text in _rows(found, now):
        styles = (STYLES[found.status or ""],) if name == "state" and found.status in STYLES else ("dim",)
        show_field(name, text, _COLUMN, *styles)


def _rows(session: SessionSummary, now: float) -> list[tuple[str, str]]:
    state = f"{session.status or 'not known'}{' · it runs now' if session.is_running else ''}"
    rows = [("session", session.id), ("state", state)]
    if session.error:
        rows.append(("error", session.error))
    if session.started_at is not None:
        began, spoken = _local(session.started_at), when(session.started_at, now)
        # The spoken form of an old time is the same date again.
        rows.append(("started", began if began.startswith(spoken) else f"{began} · {spoken}"))
        rows.append(("length", span(session.duration_s(now))))
    rows.append(("events", f"{session.events:,}"))
    rows += [("stream", _stream(stream)) for stream in session.streams]
    rows += [("history", f"{_local(at)} {status}") for status, at in session.statuses.items()]
    for name in ("exported_video_id", "player_url", "stream_url"):
        if value := getattr(session, name):
            rows.append((name, value))
    return rows


def _stream(stream: StreamSummary) -> str:
    channels = ", ".join(f"{channel} {count:,}" for channel, count in sorted(stream.channels.items()))
    name = f"{stream.name} · {stream.id}" if stream.name else stream.id
    return f"{name} · {channels or 'no events'}"


def _local(at: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):
        return iso(at) or "?"
