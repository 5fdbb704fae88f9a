#!/usr/bin/env python3
"""Write a man page for each command, from the command tree: videodb.1, videodb-listen.1, videodb-events-tail.1, …

    python scripts/make_man_pages.py DIR

The build of the package calls it (hatch_build.py), so the pages are never older than the commands.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from videodb_cli import __version__
from videodb_cli.commands.help import first_sentence, grouped_parameters
from videodb_cli.commands.help_words import ENVIRONMENT, EXAMPLES, FILES, exit_statuses
from videodb_cli.main import app


def contexts(command: Any, name: str, parent: Any = None) -> Iterator[Any]:
    """Yield a context for the command and for all visible ones below it."""
    context = command.make_context(name, [], parent=parent, resilient_parsing=True)
    yield context
    if hasattr(command, "list_commands"):
        for member_name in command.list_commands(context):
            member = command.get_command(context, member_name)
            if not member.hidden:
                yield from contexts(member, member_name, context)


def escaped(text: str) -> str:
    """Return text for roff: nothing in it is a request, and hyphens can be copied."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    text = text.replace("'", "\\(aq").replace("`", "\\(ga").replace("^", "\\(ha").replace("~", "\\(ti")
    text = "".join(c if ord(c) < 128 else f"\\[u{ord(c):04X}]" for c in text)
    return re.sub(r"^(?=\.)", r"\\&", text, flags=re.MULTILINE)


def paragraphs(text: str) -> Iterator[str]:
    """Yield the lines of roff for a text whose paragraphs are separated by empty lines."""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        yield ".PP"
        yield escaped(" ".join(paragraph.split()))


def bold(text: str) -> str:
    """Return a text in bold; names of commands in backquotes become bold too."""
    return f"\\fB{escaped(text)}\\fR"


def page(context: Any) -> str:
    """Return the man page of one command."""
    command, path = context.command, context.command_path
    name = path.replace(" ", "-")
    summary = first_sentence(command).rstrip(".")
    lines = [
        f'.TH "{escaped(name.upper())}" "1" "" "videodb {escaped(__version__)}" "VideoDB"',
        ".nh",
        ".ad l",
        ".SH NAME",
        f"{escaped(name)} \\- {escaped(summary[:1].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        f"{bold(path)} {escaped(' '.join(command.collect_usage_pieces(context)))}",
        ".SH DESCRIPTION",
        *list(paragraphs(command.help or ""))[1:],
    ]
    lines += _commands(context)
    for title, rows in grouped_parameters(command, context):
        lines += _section(title, rows)
    if getattr(command, "epilog", None):
        lines += paragraphs(command.epilog)
    if examples := EXAMPLES.get(path, ()):
        lines.append(".SH EXAMPLES")
        for typed, purpose in examples:
            lines += [".PP", escaped(f"{purpose[:1].upper()}{purpose[1:]}:"), ".PP", ".RS 4", ".nf", escaped(typed)]
            lines += [".fi", ".RE"]
    if statuses := exit_statuses(path):
        lines += [".SH EXIT STATUS", escaped(f"{statuses}.")]
    if context.parent is None:
        lines += _section("Environment", ENVIRONMENT) + _section("Files", FILES)
    lines += [".SH SEE ALSO", ",\n".join(f"{bold(other)}(1)" for other in _related(context))]
    return "\n".join(lines) + "\n"


def _commands(context: Any) -> list[str]:
    command = context.command
    if not hasattr(command, "list_commands"):
        return []
    found = ((name, command.get_command(context, name)) for name in command.list_commands(context))
    return _section("Commands", [(name, first_sentence(member)) for name, member in found if not member.hidden])


def _section(title: str, rows: Any) -> list[str]:
    lines = [f'.SH "{escaped(title.upper())}"'] if rows else []
    for name, text in rows:
        lines += [".TP", bold(name), escaped(" ".join(text.split())) or "\\&"]
    return lines


def _related(context: Any) -> list[str]:
    """Return the names of the pages above and below this one."""
    command, path = context.command, context.command_path.replace(" ", "-")
    names = [] if context.parent is None else [context.parent.command_path.replace(" ", "-")]
    if hasattr(command, "list_commands"):
        found = ((name, command.get_command(context, name)) for name in command.list_commands(context))
        names += [f"{path}-{name}" for name, member in found if not member.hidden]
    return names


def write_pages(directory: Path) -> list[Path]:
    """Write all pages into a directory, and return their paths."""
    written = []
    for context in contexts(typer.main.get_command(app), "videodb"):
        path = directory / f"{context.command_path.replace(' ', '-')}.1"
        path.write_text(page(context), encoding="ascii")
        written.append(path)
    return written


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make_man_pages.py DIR")
    for made in write_pages(Path(sys.argv[1])):
        print(made)
