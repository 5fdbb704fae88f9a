"""Ends children whose parent was killed, where the kernel does not: a shell that outlives us by a moment.

It holds the other end of a pipe of ours. Each line on it names the process groups that run now; when the pipe ends,
because we are gone however that came about, it kills the groups named last.
"""

from __future__ import annotations

import os
import subprocess

from videodb_cli.process.environment import child_environment

_SCRIPT = 'last=; while read -r now; do last=$now; done; [ -z "$last" ] || kill -s KILL -- $last 2>/dev/null'


class OrphanGuard:
    """Watches over the process groups that it was given and not yet relieved of. Not for several threads."""

    def __init__(self) -> None:
        self._groups: list[int] = []
        self._shell: subprocess.Popen[bytes] | None = None

    def guard(self, group: int) -> None:
        """Kill this process group when we are gone. Without a shell nobody does: nothing is raised."""
        self._groups.append(group)
        self._say()

    def relieve(self, group: int) -> None:
        """The group has ended. Idempotent."""
        if group in self._groups:
            self._groups.remove(group)
            self._say()

    def dismiss(self) -> None:
        """There is nothing left to watch. Idempotent."""
        self._groups.clear()
        if self._shell is not None and self._shell.stdin is not None:
            _write(self._shell, b"\n")
            self._shell.stdin.close()
            self._shell.wait()
            self._shell = None

    def _say(self) -> None:
        line = b" ".join(b"-%d" % group for group in self._groups) + b"\n"
        # One that was killed is found by its broken pipe: another takes over.
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
