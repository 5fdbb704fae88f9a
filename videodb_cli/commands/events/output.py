"""Writes selected lines to stdout. A cursor moves only past lines that the reader of a pipe has taken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from videodb_cli import console
from videodb_cli.errors import ReaderGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.matches import Batch
    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.read.cursor import Cursor

    Shown = Callable[[bytes], bytes]


class LineOutput(Protocol):
    """Prints selected lines in one form."""

    def write(self, lines: Sequence[Line]) -> None:
        """Print lines, and flush. Raises as `console.writing` does."""

    def close(self) -> None:
        """Print what was kept until the end."""


class RawOutput:
    """Writes lines byte for byte, or as ``shown`` returns them; on a terminal with their control characters escaped."""

    def __init__(self, shown: Shown | None = None) -> None:
        self._shown = shown

    def write(self, lines: Sequence[Line]) -> None:
        """Write selected lines, and flush. Raises as `console.writing` does."""
        output = _joined(lines, self._shown)
        if console.is_terminal():
            from videodb_cli.eventlog.query.json_text import escape_unsafe

            output = escape_unsafe(output.decode(errors="replace")).encode()
        console.data_bytes(output)
        console.flush()

    def close(self) -> None:
        """Do nothing: every line is written already."""


class CursorOutput:
    """Writes output, and moves a cursor past the lines whose output the reader of the pipe has taken."""

    def __init__(self, cursor: Cursor) -> None:
        from videodb_cli.commands.events.pipe_writer import PipeWriter

        self._out = PipeWriter()
        self._cursor = cursor

    def write(self, output: bytes, batch: Batch) -> None:
        """Writes the output for a batch. If nobody reads any more, saves the cursor and raises ReaderGoneError."""
        if batch.source is None:
            return
        before = self._out.written
        try:
            self._out.write(output)
            if output:
                self._out.drain()
        except ReaderGoneError:
            self._cursor.save(batch.source, _taken_until(output, batch, self._out.taken - before))
            raise
        self._cursor.save(batch.source, batch.end)


def _taken_until(output: bytes, batch: Batch, taken: int) -> int:
    """Returns the offset after the last line whose output was taken completely."""
    whole = output.rfind(b"\n", 0, max(taken, 0)) + 1
    if whole == len(output):
        return batch.end
    ends = batch.line_ends
    if output.count(b"\n") != len(ends):
        return batch.begin  # a line gave none or several lines of output, so it is not known which line was cut
    count = output.count(b"\n", 0, whole)
    return ends[count - 1] if 0 < count <= len(ends) else batch.begin


def _by_line(batch: Batch) -> Iterator[Batch]:
    """Yields a batch for each line, so that a cursor can stop between two whatever their output is."""
    begin = batch.begin
    for line in batch.lines:
        end = max(line.offset + len(line.raw) + 1, begin)
        yield batch._replace(lines=[line], begin=begin, end=end)
        begin = end
    yield batch._replace(lines=[], begin=begin)


@contextmanager
def line_output(
    cursor: Cursor | None,
    form: str,
    *,
    redraws: bool = False,
    is_followed: bool = False,
    is_continued: bool = False,
    shown: Shown | None = None,
) -> Iterator[Callable[[Batch], None]]:
    """Yields a function that writes batches in a form, and moves the cursor.

    Args:
        cursor: Where to note how far the output has come.
        form: ``pretty`` for rows in columns, ``json`` for lines as logged, else a table.
        redraws: Redraw interim transcripts in place.
        is_followed: More lines will come.
        is_continued: The output has the header of its table already.
        shown: Returns a line as it is printed; without it, that is as it was logged.
    """
    if form == "pretty":
        from videodb_cli.commands.events.row_output import RowOutput

        rows = RowOutput(redraws=redraws, is_followed=is_followed, shown=shown)

        def write_rows(batch: Batch) -> None:
            if batch.lines:
                rows.write(batch.lines)
            if cursor is not None and batch.source is not None:
                cursor.save(batch.source, batch.end)

        try:
            yield write_rows
        finally:
            rows.close()
    elif form == "json":
        if cursor is None:
            raw = RawOutput(shown)
            yield lambda batch: raw.write(batch.lines) if batch.lines else None
        else:
            out = CursorOutput(cursor)
            yield lambda batch: out.write(_joined(batch.lines, shown), batch)
    else:
        from videodb_cli.commands.events.table_output import EventTable, TableOutput

        table = EventTable(form, is_continued=is_continued, shown=shown)
        output = TableOutput(table)
        if cursor is None:
            yield lambda batch: output.write(batch.lines) if batch.lines else None
        else:
            yield cursor_writer(cursor, lambda lines: table.rows(line.raw for line in lines))


def cursor_writer(cursor: Cursor, shape: Callable[[Sequence[Line]], bytes]) -> Callable[[Batch], None]:
    """Returns a function that writes batches in any shape, and moves the cursor behind each line that was taken."""
    out = CursorOutput(cursor)

    def write(batch: Batch) -> None:
        whole = shape(batch.lines)
        if whole.count(b"\n") == len(batch.lines):
            out.write(whole, batch)
            return
        for part in _by_line(batch):
            out.write(shape(part.lines), part)

    return write


def event_output(form: str, *, is_continued: bool = False, shown: Shown | None = None) -> LineOutput:
    """Returns an output for lines that need no cursor. ``shown`` returns a line as it is printed."""
    if form == "json":
        return RawOutput(shown)
    if form == "pretty":
        from videodb_cli.commands.events.row_output import RowOutput

        return RowOutput(shown=shown)
    from videodb_cli.commands.events.table_output import EventTable, TableOutput

    return TableOutput(EventTable(form, is_continued=is_continued, shown=shown))


def _joined(lines: Sequence[Line], shown: Shown | None) -> bytes:
    if shown is None:
        return b"".join(line.raw + b"\n" for line in lines)
    return b"".join(shown(line.raw) + b"\n" for line in lines)
