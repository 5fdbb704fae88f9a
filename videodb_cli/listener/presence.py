"""The files by which others know the listener: pid, connection id, state. All are gone when it is."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from videodb_cli.errors import RefusedError
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import private, state
from videodb_cli.rundir.paths import RunDir


class Presence:
    """Writes and removes the files of one listener. Its caller holds the directory's lock. Every call may block."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        # A write that is under way in another thread must not bring a file back after the release.
        self._lock = threading.Lock()
        self._is_released = False

    def claim(self) -> None:
        """Say that we run here: the pid file, and no id yet. Raises RefusedError."""
        private.check_place(self._run_dir.ws_id)
        private.check_place(self._run_dir.listener_state)
        private.remove(self._run_dir.ws_id)
        try:
            private.write_atomic(self._run_dir.pid, b"%d\n" % os.getpid())
        except OSError as error:
            raise RefusedError(f"cannot write {self._run_dir.pid}: {error.strerror}", code="file") from error

    def publish_id(self, connection_id: str) -> None:
        """Make the id of the open connection known. Raises RefusedError or OSError."""
        with self._lock:
            if not self._is_released:
                private.write_atomic(self._run_dir.ws_id, connection_id.encode() + b"\n")

    def withdraw_id(self) -> None:
        """No connection is open."""
        with self._lock:
            private.remove(self._run_dir.ws_id)

    def write_state(self, fields: Mapping[str, Any]) -> str | None:
        """Replace the state file that `status` reads. Raises RefusedError or OSError.

        On a disk without room for a new one the old one is written over: `status` must not call a listener deaf that
        hears, nor healthy when it cannot write. Returns the reason then; it is in the file, as ``trouble``.
        """
        path = self._run_dir.listener_state
        named = {"pid": os.getpid(), "start_token": current_start_token(), **fields}
        with self._lock:
            if self._is_released:
                return None
            try:
                state.write(path, named, room=state.ROOM)
            except OSError as error:
                reason = error.strerror or str(error)
                try:
                    _write_over(path, {**named, "trouble": named.get("trouble") or reason})
                except OSError:
                    raise error from None
                return reason
            return None

    def release(self) -> None:
        """Remove all of it. Never raises: what stays is recognised as stale by the lock that nobody holds."""
        with self._lock:
            self._is_released = True
            for path in (self._run_dir.ws_id, self._run_dir.pid, self._run_dir.listener_state):
                private.remove(path)


def _write_over(path: Path, fields: Mapping[str, Any]) -> None:
    try:
        state.rewrite(path, fields)
    except OSError:
        # The one thing in it that grows.
        state.rewrite(path, {**fields, "dead_pipelines": None})
