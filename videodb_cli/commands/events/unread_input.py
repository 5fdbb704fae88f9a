"""Says that data waits on standard input which nobody reads, because - was not named; never waits to find out.

Cron jobs, agents and editors give commands a pipe that nobody writes to, so only data that is there already counts.
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


def hints_at_unread_input(command: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command that can read standard input say that it did not, if data waits there: once, whatever happens.

    The command's parameter ``files`` or ``arguments`` holds the names that were typed.
    """

    @wraps(command)
    def run(**values: Any) -> Any:
        names = values.get("files") or values.get("arguments") or []
        is_ignored = "-" not in names and not values.get("null_input")
        # Whoever writes into the pipe may not have begun when we begin, and one that follows may never end.
        is_told = is_ignored and values.get("follow", False) and _tell()
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
    """Whether a read from a pipe, a socket or a file would give data at once. Never waits, and reads nothing."""
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
