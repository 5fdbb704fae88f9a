"""Writes to stdout and knows how much the reader of a pipe has taken; for cursors."""

from __future__ import annotations

import errno
import os
import stat
import struct
import time

from videodb_cli import console
from videodb_cli.errors import ReaderGoneError

# Up to here lines are written one at a time, so that `| head -n 5` leaves the sixth line for the next run.
_SLOWLY = 256 << 10
_WAIT_S = 0.0002


class PipeWriter:
    """Writes to stdout. In a pipe, `taken` is the number of bytes that the reader has read."""

    def __init__(self) -> None:
        self.written = 0
        console.flush()
        self._is_pipe = stat.S_ISFIFO(os.fstat(1).st_mode)

    @property
    def taken(self) -> int:
        """The number of bytes that the reader has taken out of the pipe."""
        return self.written - (_unread() if self._is_pipe else 0)

    def write(self, output: bytes) -> None:
        """Write all of it and flush. Raises as `console.writing` does."""
        if not self._is_pipe or self.written > _SLOWLY:
            self._put(output)
            return
        for line in output.splitlines(keepends=True):
            while _unread():
                _check_reader()
                time.sleep(_WAIT_S)
            self._put(line)

    def drain(self) -> None:
        """Wait until the reader has taken everything. Raises ReaderGoneError."""
        while self._is_pipe and _unread():
            _check_reader()
            time.sleep(_WAIT_S)

    def _put(self, output: bytes) -> None:
        view = memoryview(output)
        while view:
            with console.writing():
                count = os.write(1, view)
            self.written += count
            view = view[count:]


def _unread() -> int:
    import fcntl
    import termios

    return int(struct.unpack("i", fcntl.ioctl(1, termios.FIONREAD, b"\0" * 4))[0])


def _check_reader() -> None:
    """Raise ReaderGoneError when the reading end of the pipe is closed."""
    import select

    poll = select.poll()
    poll.register(1, 0)
    if any(event & select.POLLERR for _, event in poll.poll(0)):
        raise ReaderGoneError(os.strerror(errno.EPIPE))
