"""`videodb sessions`: the capture sessions of the log, the newest first."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated

import typer

from videodb_cli import cells, console
from videodb_cli.commands.options import DirectoryOption, EnvFileOption, JsonOption
from videodb_cli.commands.sessions.reading import STYLES, Sessions, iso, span, stream_names, when
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.eventlog.query.times import parse_time
from videodb_cli.eventlog.views.session_list import in_span

if TYPE_CHECKING:
    from videodb_cli.eventlog.views.session_list import SessionSummary

app = new_app()


@app.command(cls=PanelCommand)
def list_sessions(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE]...", help="Files, directories, or - for standard input.", show_default=False),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", metavar="TIME", help="Sessions with events since this time: 10m, 1d, 10:15, 2026-03-02T10:15."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="TIME", help="Sessions that began before this time.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Show only the N newest.", show_default=False)
    ] = None,
    as_json: JsonOption = False,
    directory: DirectoryOption = None,
    env_file: EnvFileOption = None,
) -> None:
    """List the capture sessions of the log, the newest first; the one that runs now comes before them.

    Columns: id, start, length, state, events, streams, address of the player. In a pipe they are separated by tabs.
    """
    now = time.time()
    first = None if since is None else parse_time(since, now)
    last = None if until is None else parse_time(until, now)
    found = in_span(Sessions(files, directory, env_file).all, first, last)[:limit]
    if as_json:
        console.data_json({"count": len(found), "sessions": [session.as_json(now) for session in found]})
        return
    if not found:
        console.talk("no capture session in this log" if first is last is None else "no capture session in that time")
    elif console.is_terminal():
        for row in _columns(found, now, console.terminal_width() - 1):
            console.data(row)
    else:
        for session in found:
            console.data("\t".join(_fields(session, now)))


def _fields(session: SessionSummary, now: float) -> list[str]:
    """Return the fields of a session for programs: times in full, nothing shortened."""
    duration_s = session.duration_s(now)
    return [
        console.one_line(session.id),
        iso(session.started_at),
        "" if duration_s is None else f"{duration_s:.0f}",
        console.one_line(session.status or ""),
        str(session.events),
        ",".join(stream_names(session)),
        console.one_line(session.player_url or ""),
    ]


def _columns(sessions: list[SessionSummary], now: float, room: int) -> list[str]:
    """Return aligned rows. What has no room beside the other columns stands below them."""
    rows = [
        [
            console.one_line(session.id),
            when(session.started_at, now),
            span(session.duration_s(now)),
            "running" if session.is_running else console.one_line(session.status or "?"),
            f"{session.events:,} events",
        ]
        for session in sessions
    ]
    widths = [max(cells.width(row[column]) for row in rows) for column in range(len(rows[0]))]
    color = console.wants_color(sys.stdout)
    lines: list[str] = []
    for session, row in zip(sessions, rows, strict=True):
        padded = [cells.pad(text, width) for text, width in zip(row, widths, strict=True)]
        padded[-1] = row[-1].rjust(widths[-1])
        taken = sum(widths) + 2 * len(widths)
        style = "green" if session.is_running else STYLES.get(session.status or "")
        if color and style is not None:
            padded[3] = console.paint(padded[3], style)
        line = "  ".join(padded)
        if taken > room + 2:
            lines.append(row[0])
            line, taken = f"    {' · '.join(row[1:])}", room
        for text in (", ".join(stream_names(session)), console.one_line(session.player_url or "")):
            if text and taken + cells.width(text) <= room:
                line += f"  {text}"
                taken += cells.width(text) + 2
            elif text:
                lines.append(line)
                line, taken = f"    {text}", room
        lines.append(line)
    return lines
