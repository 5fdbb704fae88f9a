"""`videodb guide`: how to use this program, for agents and people, as Markdown."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.options import JsonOption
from videodb_cli.commands.tree import PanelCommand, new_app

app = new_app()


@app.command(cls=PanelCommand)
def guide(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]",
            help="listen, capture, wait, find, jq, export, mcp, monitor, cron, hooks or security.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Print the guide for agents and programs, or one topic of it, as Markdown."""
    from videodb_cli.guide import text_of

    text = text_of(topic)
    if as_json:
        console.data_json({"topic": topic, "text": text})
        return
    console.data(text.rstrip("\n"))
