"""The advisory lock of a directory. The file is never replaced or removed; held means that its process is alive."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Self

import orjson

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private

# A probe by `status` or `stop` holds the lock for microseconds; whoever wants it tries for longer than that.
_PATIENCE_S = 0.5
_PROBE_PATIENCE_S = 0.2
_RETRY_S = 0.01


class LockHeldError(Exception):
    """Another process holds the lock."""


class DirectoryLock:
    """An exclusive lock on a file, with the pid and start token of the holder written into it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    def acquire(self, start_token: str | None = None, patience_s: float = _PATIENCE_S) -> None:
        """Take the lock; with a start token, write our pid and it into the file, for those who find it held.

        Raises LockHeldError if somebody else has it, RefusedError for an unusable file.
        """
        fd = private.open_fd(self._path, os.O_RDWR | os.O_CREAT)
        try:
            _lock_within(fd, patience_s)
            if start_token is not None:
                note = orjson.dumps({"v": 1, "pid": os.getpid(), "start_token": start_token})
                os.ftruncate(fd, 0)
                os.pwrite(fd, note + b"\n", 0)
        except OSError as error:
            os.close(fd)
            raise RefusedError(f"cannot write {self._path}: {error.strerror}", code="file") from error
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def release(self) -> None:
        """Give the lock up. Idempotent; the end of the process does the same."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def __enter__(self) -> Self:
        if self._fd is None:
            self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _lock_within(fd: int, patience_s: float) -> None:
    import fcntl

    deadline = time.monotonic() + patience_s
    while not _try_lock(fd, fcntl.LOCK_EX):
        if time.monotonic() >= deadline:
            raise LockHeldError
        time.sleep(_RETRY_S)


def _try_lock(fd: int, kind: int) -> bool:
    import fcntl

    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_held(path: Path) -> bool:
    """Tell whether a live process holds the lock of this path. A missing file is not held. Raises RefusedError."""
    import fcntl

    try:
        fd = private.open_fd(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    deadline = time.monotonic() + _PROBE_PATIENCE_S
    try:
        # Shared, so that two who look do not take each other for a holder. Whoever removes stale files has the lock
        # for a moment without a name in it, and a holder that has just taken it has not written its name yet.
        while not _try_lock(fd, fcntl.LOCK_SH):
            noted = holder(path)
            if (noted is not None and is_alive(noted[0])) or time.monotonic() >= deadline:
                return True
            time.sleep(_RETRY_S)
    except OSError as error:
        raise RefusedError(f"cannot lock {path}: {error.strerror}", code="file") from error
    finally:
        os.close(fd)
    return False


def is_alive(pid: int) -> bool:
    """Tell whether some process has this pid; whether it is ours to speak of is for its start token to say."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def holder(path: Path) -> tuple[int, str] | None:
    """Return pid and start token that the last holder wrote, or None if it wrote nothing that makes sense."""
    with contextlib.suppress(orjson.JSONDecodeError):
        content = orjson.loads(private.read_bytes(path, 4096) or b"null")
        if isinstance(content, dict):
            pid, token = content.get("pid"), content.get("start_token")
            if isinstance(pid, int) and pid > 0 and isinstance(token, str):
                return pid, token
    return None
