"""What detached processes have to say, tracebacks included: 1 MiB, and one old copy."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private

LIMIT_BYTES = 1 << 20


def _rotate(log: Path) -> bool:
    try:
        if log.lstat().st_size <= LIMIT_BYTES:
            return False
        log.replace(log.with_name(f"{log.name}.1"))
    except OSError:
        return False
    return True


def open_log(log: Path) -> int:
    """Return a descriptor that appends to the log, begun anew if it had grown. Raises RefusedError."""
    _rotate(log)
    return private.open_fd(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def keep_small(log: Path) -> None:
    """In a process whose stdout and stderr are the log: go on in a new file when it has grown. Never raises."""
    if _rotate(log):
        with contextlib.suppress(OSError, RefusedError):
            fd = private.open_fd(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            os.close(fd)
