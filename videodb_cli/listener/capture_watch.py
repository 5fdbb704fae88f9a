"""Watches the capture of the directory, so that its failures and stalls stand in the log.

A process that died without a word is a failure too.

The state file is all that is looked at: the capture is another process, and nothing here may depend on its code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from videodb_cli.errors import RefusedError
from videodb_cli.listener.stalls import Stall, StallWatch
from videodb_cli.process.clock import uptime_s
from videodb_cli.process.start_token import is_same_process
from videodb_cli.rundir import state
from videodb_cli.rundir.capture_state import CaptureState, ReportedError

_LOOK_S: Final = 0.5


class CaptureWatch:
    """Reports each failed capture once: ``failed(session_id, code, message)``. An older failure is no news.

    ``stalled`` gets each `Stall` of a channel when it is noticed, and again when it is over.
    """

    def __init__(
        self, path: Path, failed: Callable[[str, str, str], None], stalled: Callable[[Stall], None] | None = None
    ) -> None:
        self._path = path
        self._failed = failed
        self._stalled = stalled
        self._stalls = StallWatch()
        self._stamp: tuple[int, int] | None = None
        self._state: CaptureState | None = None
        self._told: str | None = None
        self._read()
        if self._failure() is not None:
            self._told = self._name()

    async def run(self) -> None:
        """Look twice a second, until cancelled."""
        while True:
            await asyncio.sleep(_LOOK_S)
            await asyncio.to_thread(self._read)
            self.look()

    def last_look(self) -> None:
        """Look at once: whoever ends a failed capture ends its listener in the same breath."""
        self._read()
        self.look()

    def look(self) -> None:
        """Look at what was read last, and at the process behind it."""
        if self._failure() is None:
            self._look_for_stalls()
            return
        if self._told == self._name():
            return
        # Its process may have written its last word and ended between our two looks.
        self._read()
        failure = self._failure()
        if failure is None or self._state is None:
            return
        self._told = self._name()
        self._failed(self._state.session_id, failure.code, failure.message)

    def _look_for_stalls(self) -> None:
        if self._stalled is not None and self._state is not None:
            for stall in self._stalls.take(self._state, uptime_s()):
                self._stalled(stall)

    def _name(self) -> str:
        return "" if self._state is None else f"{self._state.session_id} {self._state.started_at}"

    def _failure(self) -> ReportedError | None:
        return None if self._state is None else self._state.failure(is_same_process)

    def _read(self) -> None:
        try:
            status = self._path.stat(follow_symlinks=False)
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                self._state = CaptureState.from_fields(state.read(self._path) or {})
                self._stamp = stamp
        except (OSError, RefusedError):
            self._state = self._stamp = None
