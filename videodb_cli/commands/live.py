"""Rows at the bottom of a terminal that are replaced in place: interim transcripts, progress bars.

The cursor stays at the beginning of the first row. When a terminal is made narrower, it wraps the rows again or cuts
them off, and we cannot know which. In both cases the cursor is still at the beginning of its row, so everything below
it can be erased.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from typing import IO

from videodb_cli import console

# Erases the row of the cursor, then everything below it. Not at once: when one command clears from the top of the
# screen, tmux adds that to its history.
_ERASE = "\r\x1b[K\x1b[C\x1b[J\r"
# Wrapping is off while rows are drawn, because the terminal may use more cells for a character than we count.
_NO_WRAP, _WRAP = "\x1b[?7l", "\x1b[?7h"


class LiveRows:
    """Rows on a terminal that are replaced in place; messages on stderr go above them.

    ``is_possible`` is False if the stream is not a suitable terminal; then nothing is drawn. Call `close` at the end.
    """

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._rows: list[str] = []
        self.is_possible = stream.isatty() and os.environ.get("TERM", "") not in console.DUMB_TERMINALS
        console.set_aside_for_talk(self._aside)

    @property
    def is_drawn(self) -> bool:
        """Whether rows are drawn now."""
        return bool(self._rows)

    def show(self, rows: Sequence[str], *, above: str = "") -> None:
        """Replace the rows, as many as fit on the terminal. ``above``, whole lines, stays above them for good."""
        height = max(console.terminal_size(self._stream).lines - 1, 1)
        erase = _ERASE if self._rows else ""
        self._rows = list(rows[-height:]) if self.is_possible else []
        self._write(erase + above + self._drawn())

    def close(self, *, keep: bool = False) -> None:
        """Erase the rows, or with ``keep`` leave them."""
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
        # On stderr a failed write must not end the work.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()
