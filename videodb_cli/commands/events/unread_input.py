"""Prints a hint if data is waiting on standard input that the command does not read, because - was not named.

It never waits: cron jobs, agents and editors give commands a pipe that nobody writes to. So only data that is already
there counts.
"""

from __future__ import annotations

import os
import stat
import struct
from functools import wraps
from typing import TYPE_CHECKING, Any

from videodb_cli import console

if TYPE_CHECKING:
    from collections.abc import Callable

HINT = "standard input is ignored; name - to read it"


def hints_before_it_follows(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command that always follows the log, as `hints_at_unread_input` does."""
    return hints_at_unread_input(command, follows=True)


def hints_at_unread_input(command: Callable[..., Any], *, follows: bool = False) -> Callable[..., Any]:
    """Decorates a command that can read standard input: prints the hint once, even if the command fails.

    The command's parameters ``files``, ``arguments`` and ``words`` hold the names that were typed. One that ``follows``
    may never end, so it prints the hint first.
    """

    @wraps(command)
    def run(**values: Any) -> Any:
        names = [name for place in ("files", "arguments", "words") for name in values.get(place) or ()]
        is_ignored = "-" not in names and not values.get("null_input")
        # Checked after the command, because the writer may start late; with --follow before it, because it never ends.
        is_told = is_ignored and (follows or values.get("follow", False)) and _tell()
        try:
            return command(**values)
        finally:
            if is_ignored and not is_told:
                _tell()

    return run


def _tell() -> bool:
    if not has_unread_input():
        return False
    console.talk(HINT)
    return True


def has_unread_input(fd: int = 0) -> bool:
    """Tell whether reading a pipe, socket or file would return data at once. Never waits, and reads nothing."""
    try:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode):
            return status.st_size > os.lseek(fd, 0, os.SEEK_CUR)
        if stat.S_ISFIFO(status.st_mode) or stat.S_ISSOCK(status.st_mode):
            import fcntl
            import termios

            return int(struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, b"\0" * 4))[0]) > 0
    except (OSError, ImportError):
        pass
    return False
