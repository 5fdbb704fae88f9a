"""Prints events, and results of jq programs, as CSV, TSV or a Markdown table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videodb_cli import console
from videodb_cli.eventlog.query.output import encode
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.render.table import EVENT_COLUMNS, ResultTable, Table, event_row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from videodb_cli.eventlog.query.scan import Line


class EventTable:
    """Turns lines of the log into the rows of a table.

    Args:
        form: ``csv``, ``tsv`` or ``md``.
        is_continued: The table has its header already, for example in the file to which it is added.
        shown: Returns a line as it is shown; without it, that is as it was logged.
    """

    def __init__(self, form: str, *, is_continued: bool = False, shown: Callable[[bytes], bytes] | None = None) -> None:
        self._shown = shown
        self._table = Table(form, EVENT_COLUMNS, is_safe=console.is_terminal())
        self.header = b"" if is_continued else encode(self._table.header())

    def rows(self, lines: Iterable[bytes]) -> bytes:
        """Return the rows of lines of the log, which are JSON."""
        shown = lines if self._shown is None else map(self._shown, lines)
        return encode("".join(self._table.row(event_row(decode(line))) for line in shown))


class TableOutput:
    """Prints selected lines as a table: the header at once, and each row as it comes."""

    def __init__(self, table: EventTable) -> None:
        self._table = table
        _write(table.header)

    def write(self, lines: Sequence[Line]) -> None:
        """Print lines, and flush. Raises as `console.writing` does."""
        _write(self._table.rows(line.raw for line in lines))

    def close(self) -> None:
        """Do nothing: every row is written already."""


class ResultRows:
    """Turns the results of a jq program, one a line, into the rows of a table."""

    def __init__(self, form: str) -> None:
        self._table = ResultTable(form, is_safe=console.is_terminal())

    def rows(self, results: bytes) -> bytes:
        """Return the rows of some results. Raises UsageError for a result that is no row of the table."""
        return encode("".join(self._table.row(decode(line)) for line in results.splitlines() if line.strip()))


def print_table(form: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print rows, each with its values by the names of the columns, as a table."""
    table = Table(form, columns, is_safe=console.is_terminal())
    _write(encode(table.header() + "".join(table.member_row(row) for row in rows)))


def _write(output: bytes) -> None:
    console.data_bytes(output)
    console.flush()
