#!/usr/bin/env python3
"""Write docs/cli.md from the command tree: the help of every command, as `--help` prints it.

    python scripts/make_cli_docs.py            (or: make docs)

A test fails while the page and the commands differ.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from videodb_cli.main import app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
COLUMNS = 80

HEAD = """# Commands

<!-- Made by scripts/make_cli_docs.py from the command tree. Change the commands, then run: make docs -->

Every command with all of its options, as `--help` prints them. The [contract](contract.md) says what they promise.
"""


def contexts(command: Any, name: str, parent: Any = None) -> Iterator[Any]:
    """Yield a context for the command and, in the order of the help, for all that are below it."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield context
    if hasattr(command, "list_commands"):
        for member_name in command.list_commands(context):
            member = command.get_command(context, member_name)
            if not member.hidden:
                yield from contexts(member, member_name, context)


def render() -> str:
    """Return the page, whatever the width of the terminal is."""
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(COLUMNS)
    try:
        pages = [
            (context.command_path, context.get_help()) for context in contexts(typer.main.get_command(app), "videodb")
        ]
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before
    links = [f"- [`{path}`](#{path.replace(' ', '-')})" for path, _ in pages]
    sections = [f"## {path}\n\n```text\n{text.rstrip()}\n```" for path, text in pages]
    return "\n\n".join([HEAD.rstrip(), "\n".join(links), *sections]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
