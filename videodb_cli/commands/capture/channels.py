"""`videodb capture channels`: what this machine can capture."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from videodb_cli import cells, console, mediafile
from videodb_cli.capture.channels import GROUPS, KINDS, Channel, Channels
from videodb_cli.commands.options import EnvFileOption, JsonOption
from videodb_cli.commands.tree import PanelCommand, new_app

app = new_app()
_INDENT = 2

SourceOption = Annotated[
    str | None,
    typer.Option(
        "--source", metavar="FILE", help="A media file in place of this machine's devices.", show_default=False
    ),
]
RecorderOption = Annotated[
    str,
    typer.Option(
        "--recorder", metavar="auto|official|linux", help="Which recorder captures.", rich_help_panel="Advanced"
    ),
]


@app.command(cls=PanelCommand)
def channels(
    as_json: JsonOption = False,
    source: SourceOption = None,
    recorder: RecorderOption = "auto",
    env_file: EnvFileOption = None,
) -> None:
    """List microphones, displays, system audio and cameras. Each id is what `capture start --channel` accepts.

    A group without members says why. A machine with nothing to capture is no error.
    """
    from videodb_cli.app.capture.channels import list_channels
    from videodb_cli.settings import base_url

    file = named_source(source)
    listing = list_channels(file, recorder, api_url=base_url(env_file), log=lambda line: None)
    if as_json:
        console.data_json({**listing.channels.as_json(), "recorder": listing.recorder.name})
        return
    _show(listing.channels)


def named_source(typed: str | None) -> Path | None:
    """Return the file of ``--source``. Raises UsageError for what is none."""
    return None if typed is None else mediafile.named_file(typed, "--source takes")


def _show(found: Channels) -> None:
    rows = [
        (_row(channel), _remark(channel))
        for kind in ("mic", "system_audio", "display", "camera")
        for channel in found.of(kind)
    ]
    room = console.terminal_width() - 1 if console.is_terminal() else sys.maxsize
    column = max((cells.width(row) for row, _ in rows), default=0)
    is_narrow = any(column + 2 + cells.width(remark) > room for _, remark in rows)
    for row, remark in rows:
        _show_lines([row, remark] if is_narrow else [f"{cells.pad(row, column)}  {remark}".rstrip()], room)
    for kind in KINDS:
        if not found.of(kind):
            _show_lines([f"no {GROUPS[kind].replace('_', ' ')}: {console.one_line(found.why_none(kind))}"], room)


def _show_lines(texts: list[str], room: int) -> None:
    """Print texts one below the other, all but the first line indented. Ids are never broken: they can be copied."""
    indent = ""
    for text in texts:
        fits = cells.width(indent + text) <= room
        for line in filter(None, [text] if fits else cells.wrap(text, room - _INDENT, break_words=False)):
            console.data(indent + line)
            indent = " " * _INDENT


def _row(channel: Channel) -> str:
    return f"{console.one_line(channel.id)} ({channel.type}): {console.one_line(channel.name)}"


def _remark(channel: Channel) -> str:
    if not channel.capturable:
        return f"not capturable: {console.one_line(channel.reason or '')}"
    return "default" if channel.default else ""
