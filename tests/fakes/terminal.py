"""A terminal that tests can read: `pyte` behind a pseudo-terminal, with scrollback, and with what real ones differ in.

- ``clusters``: an emoji of several code points takes the cells of one (kitty, iTerm, VTE of today), or each of its code
  points takes its own (xterm, the Linux console).
- ``reflows``: a terminal that is made narrower wraps its rows anew (VTE, kitty, tmux), or cuts them off (xterm).
"""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import pyte
import pyte.modes
import wcwidth

from tests.e2e.program import eventually

Cell = str
# The child becomes the foreground job of the terminal, as under a shell.
_TAKE_TERMINAL = """
import fcntl, os, signal, sys, termios
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Screen(pyte.Screen):
    """`pyte.Screen` with scrollback, clusters, and either kind of resizing. ``wraps`` counts rows that did not fit."""

    def __init__(self, columns: int, lines: int, *, clusters: bool, reflows: bool) -> None:
        self.clusters, self.reflows = clusters, reflows
        self.scrolled: list[list[Cell]] = []
        self.wrapped: set[int] = set()  # numbers of rows, the scrolled ones counted, that go on in the next row
        self.wraps = 0
        super().__init__(columns, lines)

    def draw(self, data: str) -> None:
        pieces = wcwidth.iter_graphemes(data) if self.clusters else iter(data)
        for piece in pieces:
            self._put(piece, max(wcwidth.width(piece, control_codes="ignore"), 0))

    def _put(self, piece: str, cells: int) -> None:
        row = self.buffer[self.cursor.y]
        if cells == 0:
            if self.cursor.x:
                at = self.cursor.x - 1
                at -= row[at].data == ""
                row[at] = row[at]._replace(data=row[at].data + piece)
            return
        if self.cursor.x + cells > self.columns:
            if pyte.modes.DECAWM in self.mode:
                self.wraps += 1
                self.wrapped.add(len(self.scrolled) + self.cursor.y)
                self.carriage_return()
                self.linefeed()
                row = self.buffer[self.cursor.y]
            else:
                self.cursor.x = self.columns - cells
        row[self.cursor.x] = self.cursor.attrs._replace(data=piece)
        if cells == 2:
            row[self.cursor.x + 1] = self.cursor.attrs._replace(data="")
        self.cursor.x += cells

    def index(self) -> None:
        if self.cursor.y == self.lines - 1:
            self.scrolled.append(self._cells(self.buffer[0]))
        super().index()

    def erase_in_line(self, how: int = 0, private: bool = False) -> None:
        super().erase_in_line(how, private)
        self.wrapped.discard(len(self.scrolled) + self.cursor.y)

    def erase_in_display(self, how: int = 0, *args: Any, **kwargs: Any) -> None:
        super().erase_in_display(how, *args, **kwargs)
        first = len(self.scrolled) + self.cursor.y
        self.wrapped = {number for number in self.wrapped if number < first}

    def _cells(self, row: Mapping[int, Any]) -> list[Cell]:
        found = [row[x].data for x in range(self.columns)]
        while found and found[-1] == " ":
            found.pop()
        return found

    def rows(self) -> list[list[Cell]]:
        """Every row that was ever shown and not erased, down to the last one with something in it or the cursor."""
        shown = [self._cells(self.buffer[y]) for y in range(self.lines)]
        while len(shown) > self.cursor.y + 1 and not shown[-1]:
            shown.pop()
        return self.scrolled + shown

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        lines, columns = lines or self.lines, columns or self.columns
        rows, at = self.rows(), len(self.scrolled) + self.cursor.y
        wrapped = self.wrapped
        if self.reflows and columns != self.columns:
            rows, wrapped, at = _wrapped_anew(rows, wrapped, at, columns)
        first = max(0, min(len(rows) - lines, at))
        self.lines, self.columns, self.wrapped = lines, columns, wrapped
        self.scrolled, shown = rows[:first], rows[first:]
        self.buffer.clear()
        for y, row in enumerate(shown[:lines]):
            for x, data in enumerate(row[:columns]):
                self.buffer[y][x] = self.default_char._replace(data=data)
        self.cursor.y, self.cursor.x = at - first, min(self.cursor.x, columns - 1)


def _wrapped_anew(
    rows: list[list[Cell]], wrapped: set[int], at: int, columns: int
) -> tuple[list[list[Cell]], set[int], int]:
    """Rows in another width, and where the row ``at`` begins now. The cursor stands at the beginning of a row."""
    new: list[list[Cell]] = []
    new_wrapped: set[int] = set()
    new_at = 0
    number = 0
    while number < len(rows):
        line: list[Cell] = []
        begins_here = False
        while True:
            begins_here = begins_here or number == at
            line += rows[number]
            number += 1
            if number - 1 not in wrapped or number == len(rows):
                break
        if begins_here:
            new_at = len(new)
        while len(line) > columns:
            end = columns - (line[columns] == "")
            new.append(line[:end])
            new_wrapped.add(len(new) - 1)
            line = line[end:]
        new.append(line)
    return new, new_wrapped, new_at


class Terminal:
    """``with Terminal(80) as terminal: terminal.run([...], environment, cwd)``. One program at a time."""

    def __init__(self, columns: int, lines: int = 24, *, clusters: bool = True, reflows: bool = False) -> None:
        self.screen = Screen(columns, lines, clusters=clusters, reflows=reflows)
        self._stream = pyte.ByteStream(self.screen)
        self._lock = threading.Lock()
        self._master, self._slave = pty.openpty()
        self._set_size(columns, lines)
        self._waiting = b""
        self.output = b""
        self.process: subprocess.Popen[bytes] | None = None
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._slave >= 0:
            os.close(self._slave)
        self._reader.join(10)
        os.close(self._master)

    def run(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path) -> None:
        """Start a program whose standard streams are this terminal."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *command],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={"TERM": "xterm-256color", "PAGER": "cat", **environment},
            cwd=cwd,
        )

    def type(self, text: str) -> None:
        """Type on the keyboard of the terminal."""
        os.write(self._master, text.encode())

    def _read(self) -> None:
        while True:
            try:
                chunk = os.read(self._master, 1 << 16)
            except OSError:  # the last program has closed it
                chunk = b""
            with self._lock:
                self.output += chunk
                self._waiting += chunk
                # A cluster may be torn by a read; none is torn by the end of a row.
                end = max(self._waiting.rfind(b"\n"), self._waiting.rfind(b"\r")) + 1 if chunk else len(self._waiting)
                complete, self._waiting = self._waiting[:end], self._waiting[end:]
                self._stream.feed(complete)
            if not chunk:
                return

    def _set_size(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self._slave, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    def resize(self, columns: int, lines: int | None = None) -> None:
        """Change the size, as somebody does who drags the corner of the window."""
        with self._lock:
            lines = lines or self.screen.lines
            self._set_size(columns, lines)
            self.screen.resize(lines, columns)

    def rows(self) -> list[str]:
        """What stands in scrollback and on the screen, without empty rows at the end."""
        with self._lock:
            found = ["".join(row).rstrip() for row in self.screen.rows()]
        while found and not found[-1]:
            found.pop()
        return found

    def text(self) -> str:
        """`rows` without any space, for looking for words wherever they were wrapped."""
        return "".join("".join(self.rows()).split())

    @property
    def wraps(self) -> int:
        """How many rows were too long for it."""
        return self.screen.wraps

    def wait(self, condition: Callable[[list[str]], Any], what: str = "", timeout_s: float = 20.0) -> None:
        """Wait until the rows are as wanted."""
        try:
            eventually(lambda: condition(self.rows()), timeout_s)
        except AssertionError:
            raise AssertionError(f"{what}: {self.rows()}") from None

    def end(self, number: int = signal.SIGINT, timeout_s: float = 20.0) -> int:
        """Send a signal and return the exit status, with everything that was written on the screen."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.status(timeout_s)

    def status(self, timeout_s: float = 30.0) -> int:
        """Wait for the end, and until everything that was written is on the screen."""
        assert self.process is not None
        status = self.process.wait(timeout_s)
        os.close(self._slave)
        self._slave = -1
        self._reader.join(10)
        return status
