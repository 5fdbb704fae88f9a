"""Writes the help of a command: as wide as the terminal, at most 100 columns, in colour on a terminal. Without Rich.

The order is: usage, description, arguments or commands, options by panel, examples, exit status.
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Sequence
from typing import Any

import typer

from videodb_cli import console

_WIDEST, _NARROWEST = 100, 20
# With less room beside the names, descriptions are written below them.
_LEAST_BESIDE = 28
_INDENT_BELOW = 6
_COMMON = "Common options"
_COMMON_NAMES = frozenset({"--json", "--local", "--dir", "--env-file", "--help"})
_ADVANCED = "Advanced"
_STATUS_TITLE = "Exit status:"


_Formatter: Any = typer.Context.formatter_class


class HelpPage(_Formatter):  # type: ignore[misc]
    """The plain formatter of Typer, with colour and for narrow terminals too."""

    def __init__(self) -> None:
        super().__init__(width=max(min(console.terminal_width(), _WIDEST) - 2, _NARROWEST))
        self._color = console.wants_color(sys.stdout)

    def painted(self, text: str, *styles: str) -> str:
        """Return the text in these styles if there is colour."""
        return console.paint(text, *styles) if self._color else text

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        """Write the usage line."""
        super().write_usage(prog, args, self.painted(prefix or "Usage:", "bold") + " ")

    def write_heading(self, heading: str) -> None:
        """Write the heading of a section."""
        for line in textwrap.wrap(f"{heading}:", self.width, subsequent_indent="  "):
            self.write(f"{self.painted(line, 'bold')}\n")

    def write_dl(self, rows: Sequence[tuple[str, str]], col_max: int = 30, col_spacing: int = 2) -> None:
        """Write names and their descriptions, side by side if there is room."""
        rows = [(self.painted(name, "cyan"), text) for name, text in rows]
        widest = max((_cells(name) for name, _ in rows), default=0)
        if self.width - min(widest, col_max) - col_spacing - self.current_indent >= _LEAST_BESIDE:
            super().write_dl(rows, col_max, col_spacing)
            return
        for name, text in rows:
            self.write(f"{'':>{self.current_indent}}{name}\n")
            for line in textwrap.wrap(text, self.width - _INDENT_BELOW):
                self.write(f"{'':>{_INDENT_BELOW}}{line}\n")

    def write_example(self, command: str, purpose: str) -> None:
        """Write a command that can be copied, never wrapped, and what it is for."""
        indent = " " * self.current_indent
        for line in textwrap.wrap(f"# {purpose}", self.width - self.current_indent, subsequent_indent="  "):
            self.write(f"{indent}{self.painted(line, 'dim')}\n")
        self.write(f"{indent}{command}\n")

    def write_arguments_and_options(self, command: Any, ctx: Any) -> None:
        """Write arguments, then options, one section for each panel; those that most commands have come last."""
        for title, rows in grouped_parameters(command, ctx):
            with self.section(title):
                self.write_dl(rows)

    def write_commands(self, group: Any, ctx: Any) -> None:
        """Write the members of a group, each with the whole first sentence of its help."""
        found = ((name, group.get_command(ctx, name)) for name in group.list_commands(ctx))
        rows = [
            (name, first_sentence(command)) for name, command in found if command is not None and not command.hidden
        ]
        if rows:
            with self.section("Commands"):
                self.write_dl(rows)

    def write_examples_and_statuses(self, ctx: Any) -> None:
        """Write the examples of a command and its exit statuses, where there are any."""
        from videodb_cli.commands.help_words import EXAMPLES, exit_statuses

        path = ctx.command_path
        examples = EXAMPLES.get(path, ())
        if examples:
            with self.section("Examples"):
                for command, purpose in examples:
                    self.write_example(command, purpose)
        statuses = exit_statuses(path)
        if statuses:
            self.write_paragraph()
            # Painted last: the wrapping would count the codes of the colour as letters.
            said = "\n".join(textwrap.wrap(f"{_STATUS_TITLE} {statuses}", self.width))
            self.write(f"{said.replace(_STATUS_TITLE, self.painted(_STATUS_TITLE, 'bold'), 1)}\n")


def _cells(painted: str) -> int:
    """Return the width of a name, whose letters all take one cell, without its colour."""
    return len(painted.removeprefix("\x1b[36m").removesuffix("\x1b[0m"))


def first_sentence(command: Any) -> str:
    """Return the first sentence of a command's help."""
    text = command.short_help or command.help or ""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    end = paragraph.find(". ")
    return paragraph if end < 0 else paragraph[: end + 1]


def grouped_parameters(command: Any, ctx: Any) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return titles and rows of help: arguments, options by panel, advanced ones, those that most commands have."""
    arguments: list[tuple[str, str]] = []
    panels: dict[str, list[tuple[str, str]]] = {"Options": []}
    common: list[tuple[str, str]] = []
    is_group = hasattr(command, "list_commands")
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx)
        if record is None:
            continue
        panel = getattr(parameter, "rich_help_panel", None)
        if parameter.param_type_name == "argument":
            arguments.append(record)
        elif panel is None and not is_group and _COMMON_NAMES & set(parameter.opts):
            common.append(record)
        else:
            panels.setdefault(panel or "Options", []).append(record)
    advanced = panels.pop(_ADVANCED, [])
    sections = [("Arguments", arguments), *panels.items(), (_ADVANCED, advanced), (_COMMON, common)]
    if not panels["Options"] and len(panels) == 1 and not advanced:
        sections = [("Arguments", arguments), ("Options", common)]
    return [(title, rows) for title, rows in sections if rows]
