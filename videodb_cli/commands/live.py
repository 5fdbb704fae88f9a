"""Rows at the bottom of a terminal that are replaced in place: interim transcripts, progress bars.

The cursor rests at the beginning of the first of them. A terminal that is made narrower wraps rows anew, or cuts them
off, and only it knows which; the cursor stays at the beginning of its row in both cases, so that everything below it
can be taken away whatever has become of the rows.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO

from videodb_cli import console

# The row of the cursor, then everything below it: not both at once, because tmux keeps in its history what one command
# clears from the top of the screen on.
_ERASE = "\r\x1b[K\x1b[C\x1b[J\r"
# While rows are drawn the terminal does not wrap: it may give a character more cells than we count.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


class LiveRows:
    """Rows that are replaced in place on a terminal. ``is_possible`` is false where none can be, and nothing is drawn.

    Talk on stderr goes above them. ``close`` when done.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._rows: list[str] = []
        self.is_possible = stream.isatty() and os.environ.get("TERM", "") not in console.DUMB_TERMINALS
        console.set_aside_for_talk(self._aside)

    @property
    def is_drawn(self) -> bool:
        """Whether rows stand there now."""
        return bool(self._rows)

    def show(self, rows: Sequence[str], *, above: str = "") -> None:
        """Replace the rows by these, as many as the terminal is high; ``above``, whole lines, is written for good."""
        height = max(console.terminal_size(self._stream).lines - 1, 1)
        erase = _ERASE if self._rows else ""
        self._rows = list(rows[-height:]) if self.is_possible else []
        self._write(erase + above + self._drawn())

    def close(self, *, keep: bool = False) -> None:
        """Take the rows away, or with ``keep`` leave them there for good."""
        rows, self._rows = self._rows, []
        if rows:
            self._write(_ERASE + "".join(f"{row}\n" for row in rows if keep))
        console.set_aside_for_talk(None)

    def _drawn(self) -> str:
        if not self._rows:
            return ""
        up = f"\x1b[{len(self._rows) - 1}A" if len(self._rows) > 1 else ""
        return "{}{}{}{}\r".format(_NO_WRAP, "\n".join(self._rows), _WRAP, up)

    @contextlib.contextmanager
    def _aside(self) -> Iterator[None]:
        if not self._rows:
            yield
            return
        self._write(_ERASE)
        yield
        self._write(self._drawn())

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._stream is sys.stdout:
            console.data_text(text)
            console.flush()
            return
        # On stderr they are talk, which must not end the work.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
