"""`videodb schema`: JSON Schemas of the log's lines and of what commands answer with ``--json``."""

from __future__ import annotations

from typing import Annotated

import typer

from videodb_cli import console
from videodb_cli.commands.tree import PanelCommand, new_app

app = new_app()


@app.command(cls=PanelCommand)
def schema(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[COMMAND|event|error]",
            help="A command, as in: capture start. Without it: the names.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Print the JSON Schema (2020-12) of a line of the log, or of a command's --json; without a name, the names.

    videodb schema event
    """
    from videodb_cli.schemas import all_schemas, schema_of

    if not words:
        for name in all_schemas():
            console.data(name)
        return
    console.data(console.json_text(schema_of(" ".join(words).removeprefix("videodb ")), indent=True))
