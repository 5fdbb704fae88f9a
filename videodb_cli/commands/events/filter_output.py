"""Decides how the results of `videodb events filter` are printed: as JSON, in columns, or as a table."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NamedTuple, Protocol

from videodb_cli import console
from videodb_cli.commands.events.output import CursorOutput
from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.json_text import Style
from videodb_cli.eventlog.query.output import Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.commands.output_options import OutputOptions
    from videodb_cli.eventlog.matches import Batch
    from videodb_cli.eventlog.read.cursor import Cursor


class JqFlags(NamedTuple):
    """The options that say, as in jq, how JSON is written."""

    raw: bool = False
    join: bool = False
    compact: bool = False
    sort_keys: bool = False
    tab: bool = False
    indent: int | None = None
    color: bool = False
    monochrome: bool = False

    def named(self) -> list[str]:
        """Return the options of JSON that were given, without those of colour."""
        given = {
            "-r": self.raw,
            "-j": self.join,
            "-c": self.compact,
            "-S": self.sort_keys,
            "--tab": self.tab,
            "--indent": self.indent is not None,
        }
        return [name for name, is_given in given.items() if is_given]

    def form(self, *, is_indented: bool) -> Form:
        """Return the form of JSON. ``is_indented`` is whether results are indented unless a flag says otherwise."""
        unit = "  " if is_indented else None
        if self.tab:
            unit = "\t"
        elif self.indent is not None:
            unit = " " * self.indent
        if self.compact:
            unit = None
        on_terminal = console.is_terminal()
        color = self.color or (not self.monochrome and _is_colored(on_terminal=on_terminal))
        return Form(Style(unit, self.sort_keys, color, safe=on_terminal), self.raw or self.join, self.join)


def _is_colored(*, on_terminal: bool) -> bool:
    """Tell whether JSON is coloured. In a pipe only --color does it: FORCE_COLOR would spoil data for programs."""
    return console.is_color_forced() or (on_terminal and console.wants_color(sys.stdout))


class Printing(NamedTuple):
    """How results are printed.

    Attributes:
        kind: ``json``, ``pretty`` for columns, or the form of a table.
        form: How a result is written as JSON before that.
        is_identity: Whether the results are the lines of the log themselves.
    """

    kind: str
    form: Form
    is_identity: bool


def chosen(output: OutputOptions, flags: JqFlags, *, is_identity: bool) -> Printing:
    """Return how results are printed.

    On a terminal lines of the log are shown in columns, unless an option of jq asks for JSON. The results of a program
    are JSON. Raises UsageError for options that contradict each other.
    """
    kind = output.chosen()
    given = flags.named()
    if output.form is not None and given and (kind in {"csv", "tsv", "md"} or (kind == "pretty" and is_identity)):
        raise UsageError(
            f"--format {kind} and {' '.join(given)} contradict each other: {given[0]} is about JSON",
            hint="leave one of them out",
        )
    if kind == "pretty" and (not is_identity or given):
        # Of a program `pretty` means indented, as jq does; of lines of the log, if -c or -S asks for JSON, too.
        return Printing("json", flags.form(is_indented=True), is_identity)
    if kind == "json":
        return Printing(kind, flags.form(is_indented=console.is_terminal()), is_identity)
    if flags.color or flags.monochrome:
        console.set_color(flags.color)
    return Printing(kind, Form(), is_identity)


class Sink(Protocol):
    """Takes the output of a shaper, and prints it."""

    def put(self, output: bytes, batch: Batch | None = None) -> None:
        """Print the output of a batch, and move the cursor if there is one. Raises as `console.writing` does."""

    def close(self) -> None:
        """Print what was kept until the end."""


class BytesSink:
    """Prints the output, changed by a function, and moves a cursor."""

    def __init__(self, cursor: Cursor | None, change: Callable[[bytes], bytes], before: bytes = b"") -> None:
        self._change = change
        if before:
            _write(before)
        self._out = None if cursor is None else CursorOutput(cursor)

    def put(self, output: bytes, batch: Batch | None = None) -> None:
        """Print the output of a batch, and move the cursor if there is one. Raises as `console.writing` does."""
        changed = self._change(output)
        if self._out is not None and batch is not None:
            self._out.write(changed, batch)
        elif changed:
            _write(changed)

    def close(self) -> None:
        """Do nothing: everything is written already."""


class RowSink:
    """Prints lines of the log in columns, and moves a cursor."""

    def __init__(self, cursor: Cursor | None, *, redraws: bool, is_followed: bool) -> None:
        from videodb_cli.commands.events.row_output import RowOutput

        self._cursor = cursor
        self._rows = RowOutput(redraws=redraws, is_followed=is_followed)

    def put(self, output: bytes, batch: Batch | None = None) -> None:
        """Print the output of a batch, and move the cursor if there is one. Raises as `console.writing` does."""
        from videodb_cli.eventlog.read.decode import decode

        if output:
            self._rows.show(decode(line) for line in output.split(b"\n") if line)
        if self._cursor is not None and batch is not None and batch.source is not None:
            self._cursor.save(batch.source, batch.end)

    def close(self) -> None:
        """Leave the interim transcripts that nothing has replaced."""
        self._rows.close()


def sink(printing: Printing, cursor: Cursor | None, *, redraws: bool, is_followed: bool, is_continued: bool) -> Sink:
    """Return what prints the results. ``is_continued``: the output has the header of its table already."""
    if printing.kind == "json":
        return BytesSink(cursor, lambda output: output)
    if printing.kind == "pretty":
        return RowSink(cursor, redraws=redraws, is_followed=is_followed)
    from videodb_cli.commands.events.table_output import EventTable, ResultRows

    if printing.is_identity:
        table = EventTable(printing.kind, is_continued=is_continued)
        return BytesSink(cursor, lambda output: table.rows(filter(None, output.split(b"\n"))), table.header)
    return BytesSink(cursor, ResultRows(printing.kind).rows)


def _write(output: bytes) -> None:
    console.data_bytes(output)
    console.flush()
