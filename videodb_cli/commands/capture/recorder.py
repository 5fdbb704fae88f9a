"""`videodb capture recorder`: the hidden command that the official SDK runs as its recorder."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.capture.channels import named_source
from videodb_cli.commands.tree import PanelCommand, new_app
from videodb_cli.errors import UsageError
from videodb_cli.settings import RECORDER_SOURCE_NAME

app = new_app()


@app.command(cls=PanelCommand, hidden=True)
def recorder(
    source: Annotated[
        str | None,
        typer.Option("--source", metavar="FILE", envvar=RECORDER_SOURCE_NAME, help="A media file in place of devices."),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat the file.")] = False,
) -> None:
    """Record for a program of the official SDK, whose commands come on standard input. Not for people."""
    if sys.stdin is None or sys.stdin.isatty():
        raise UsageError(
            "this command is started by the VideoDB SDK",
            hint="a program of the SDK: videodb local run -- python PROGRAM · a capture: videodb capture start",
        )
    import asyncio

    from videodb_cli.app.capture.sdk_process import serve

    asyncio.run(serve(named_source(source), loop=loop, write=_write, log=console.talk))


def _write(message: bytes) -> None:
    console.data_bytes(message)
    console.flush()
