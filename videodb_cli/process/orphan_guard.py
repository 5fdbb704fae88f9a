"""Kills our children when we were killed, on systems whose kernel does not: by a small shell that outlives us.

The shell reads a pipe whose other end is ours. Each line on it names the process groups that run now. When the pipe
ends, because our process has ended for whatever reason, the shell kills the groups of the last line.
"""

from __future__ import annotations

import os
import subprocess

from videodb_cli.process.environment import child_environment

_SCRIPT = 'last=; while read -r now; do last=$now; done; [ -z "$last" ] || kill -s KILL -- $last 2>/dev/null'


class OrphanGuard:
    """Kills the process groups that `guard` added and `relieve` did not remove. Not thread-safe."""

    def __init__(self) -> None:
        self._groups: list[int] = []
        self._shell: subprocess.Popen[bytes] | None = None

    def guard(self, group: int) -> None:
        """Kill this process group when our process has ended. Does nothing if no shell can be started."""
        self._groups.append(group)
        self._say()

    def relieve(self, group: int) -> None:
        """Stop guarding a group that has ended. Idempotent."""
        if group in self._groups:
            self._groups.remove(group)
            self._say()

    def dismiss(self) -> None:
        """End the shell, because nothing is left to guard. Idempotent."""
        self._groups.clear()
        if self._shell is not None and self._shell.stdin is not None:
            _write(self._shell, b"\n")
            self._shell.stdin.close()
            self._shell.wait()
            self._shell = None

    def _say(self) -> None:
        line = b" ".join(b"-%d" % group for group in self._groups) + b"\n"
        # A broken pipe says that the shell was killed: start another one.
        if not _write(self._shell, line) and self._groups:
            if self._shell is not None:
                self._shell.wait()
            self._shell = _hire()
            _write(self._shell, line)


def _write(shell: subprocess.Popen[bytes] | None, line: bytes) -> bool:
    if shell is None or shell.stdin is None:
        return False
    try:
        os.write(shell.stdin.fileno(), line)  # some hundred bytes at most: whole, and at once
    except OSError:
        return False
    return True


def _hire() -> subprocess.Popen[bytes] | None:
    try:
        return subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A session of its own: what ends ours (the terminal, Ctrl-C) must not end it before it has done its work.
            start_new_session=True,
            env=child_environment(),
        )
    except OSError:
        return None
