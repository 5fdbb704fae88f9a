"""Prints values with their names in front."""

from __future__ import annotations

import sys

from videodb_cli import cells, console

_LEAST_BESIDE = 20  # least width for the value; with less, it is printed below the name
_INDENT = 2


def show_field(name: str, value: str, column: int, *styles: str) -> None:
    """Print a name, padded to ``column`` cells and in these styles, and its value as one line.

    On a terminal the value is wrapped under its own beginning, or printed below the name if there is no room beside
    it. Words are never broken, so that addresses and paths can be copied.
    """
    value = console.one_line(value)
    if not console.is_terminal():
        console.data(f"{_painted(cells.pad(name, column), *styles)} {value}".rstrip())
        return
    room = console.terminal_width() - 1
    beside = room - column - 1
    if beside >= _LEAST_BESIDE:
        lines = cells.wrap(value, beside, break_words=False)
        console.data(f"{_painted(cells.pad(name, column), *styles)} {lines[0]}".rstrip())
        indent, lines = column + 1, lines[1:]
    else:
        for line in cells.wrap(name, room) if name else ():
            console.data(_painted(line, *styles))
        indent, lines = _INDENT, cells.wrap(value, room - _INDENT, break_words=False)
    for line in lines:
        console.data(" " * indent + line)


def _painted(text: str, *styles: str) -> str:
    return console.paint(text, *styles) if text and console.wants_color(sys.stdout) else text
