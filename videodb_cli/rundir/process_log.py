"""What detached processes have to say, tracebacks included: 1 MiB, and one old copy."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
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


@contextlib.contextmanager
def opened(log: Path) -> Iterator[int]:
    """Yields a descriptor that appends to the log, begun anew if it had grown. Raises RefusedError."""
    _rotate(log)
    fd = private.open_fd(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        yield fd
    finally:
        os.close(fd)


def keep_small(log: Path) -> None:
    """In a process whose stdout and stderr are the log: go on in a new file when it has grown. Never raises."""
    if _rotate(log):
        with contextlib.suppress(OSError, RefusedError):
            fd = private.open_fd(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.dup2(fd, 1)
            os.dup2(fd, 2)
            os.close(fd)
