"""Background processes of ours: spawned apart from the caller's terminal, ready when they say so.

The child gets ``--ready-fd N`` and writes one JSON line to it: what it is ready with, or the error that ended it. It
inherits nothing else: no stdin, stdout or stderr of the caller, so that ``x=$(videodb … --detach)`` returns.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

_END_TIMEOUT_S = 5.0
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True)
class Spawned:
    """A background process and the first line that it said; None if it said nothing in time, or ended silently."""

    pid: int
    message: dict[str, Any] | None
    exit_status: int | None


def spawn_detached(
    arguments: Sequence[str],
    *,
    log_fd: int,
    directory: Path,
    timeout_s: float,
    environment: Mapping[str, str] | None = None,
    while_waiting: Callable[[int], None] | None = None,
) -> Spawned:
    """Start ``videodb ARGUMENTS --ready-fd N`` in a session of its own and wait for its first word.

    Its stdout and stderr go to ``log_fd``, which the caller closes; its working directory is ``directory``.
    ``while_waiting`` is called with its pid ten times a second; what it raises ends the wait, not the process.
    """
    ready, said = os.pipe()
    try:
        child = subprocess.Popen(
            # -P: the working directory must not be a place to import from.
            [sys.executable, "-P", "-m", "videodb_cli", *arguments, "--ready-fd", str(said)],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=(said,),
            start_new_session=True,
            cwd=directory,
            env=dict(environment) if environment is not None else None,
        )
    finally:
        os.close(said)
    try:
        look = (lambda: while_waiting(child.pid)) if while_waiting is not None else None
        message, has_ended = _first_line(ready, timeout_s, look)
    except BaseException:
        child.returncode = 0
        raise
    finally:
        os.close(ready)
    status = None
    if has_ended or (message is not None and "error" in message):
        # It closed its end without a word, or is about to end: its status tells the rest.
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = child.wait(timeout=_END_TIMEOUT_S)
    # It outlives us: that is no leak, and Popen must not warn about it.
    child.returncode = status if status is not None else 0
    return Spawned(child.pid, message, status)


def _first_line(fd: int, timeout_s: float, look: Callable[[], None] | None) -> tuple[dict[str, Any] | None, bool]:
    """Return what the child said, and whether it closed the pipe without saying anything."""
    deadline = time.monotonic() + timeout_s
    received = b""
    while not received.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0:
            return None, False
        if look is not None:
            look()
        if not select.select([fd], [], [], left if look is None else min(left, _LOOK_S))[0]:
            continue
        chunk = os.read(fd, 65536)
        if not chunk:
            return None, True
        received += chunk
    message = orjson.loads(received)
    return (message, False) if isinstance(message, dict) else (None, True)


class ReadyPipe:
    """The child's end: says once that it is ready, or why it never will be."""

    def __init__(self, fd: int | None) -> None:
        self._fd = fd
        if fd is not None:
            os.set_inheritable(fd, False)

    def say(self, message: Mapping[str, Any]) -> None:
        """Say the one line and close. Later calls, and a parent that is gone, are ignored."""
        if self._fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._fd, orjson.dumps(message) + b"\n")
            with contextlib.suppress(OSError):
                os.close(self._fd)
            self._fd = None
