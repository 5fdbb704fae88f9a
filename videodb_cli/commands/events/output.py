"""Writes selected lines to stdout. A cursor moves only past lines that the reader of a pipe has taken."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.errors import ReaderGoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.matches import Batch
    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.read.cursor import Cursor


class RawOutput:
    """Writes lines byte for byte; on a terminal with their control characters escaped."""

    def write(self, lines: Sequence[Line]) -> None:
        """Write selected lines, and flush. Raises as `console.writing` does."""
        output = _joined(lines)
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


@contextmanager
def line_output(cursor: Cursor | None, *, as_rows: bool) -> Iterator[Callable[[Batch], None]]:
    """Yields a function that writes batches, as rows on a terminal, else unchanged, and moves the cursor."""
    if as_rows:
        from videodb_cli.commands.events.rows import RowOutput

        rows = RowOutput()

        def write_rows(batch: Batch) -> None:
            if batch.lines:
                rows.write(batch.lines)
            if cursor is not None and batch.source is not None:
                cursor.save(batch.source, batch.end)

        try:
            yield write_rows
        finally:
            rows.close()
    elif cursor is not None:
        out = CursorOutput(cursor)
        yield lambda batch: out.write(_joined(batch.lines), batch)
    else:
        raw = RawOutput()
        yield lambda batch: raw.write(batch.lines) if batch.lines else None


def _joined(lines: Sequence[Line]) -> bytes:
    return b"".join(line.raw + b"\n" for line in lines)
