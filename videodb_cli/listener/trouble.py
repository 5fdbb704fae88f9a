"""A log that cannot be written is said at once, then once a minute, and again when it can be."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

from videodb_cli.eventlog.write.store import LogBack, LogStore, LogTrouble
from videodb_cli.listener.updates import ListenerUpdate, LogUnwritable, LogWritable


class TroubleInbox:
    """Carries word of the log's state from any thread to the event loop in which this was made."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: asyncio.Queue[LogTrouble | LogBack] = asyncio.Queue()

    def put(self, trouble: LogTrouble | LogBack) -> None:
        """Leave word. Never raises: the writing thread may outlive the loop when the disk is stuck at the end."""
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._queue.put_nowait, trouble)

    async def get(self) -> LogTrouble | LogBack:
        """Wait for the next word."""
        return await self._queue.get()


class TroubleTeller:
    """Decides which word of the log's state is news. Used from the event loop's thread."""

    def __init__(self, store: LogStore, warning_s: float, on_update: Callable[[ListenerUpdate], None]) -> None:
        self._store = store
        self._warning_s = warning_s
        self._on_update = on_update
        self._warned_at: float | None = None

    def take(self, trouble: LogTrouble | LogBack) -> bool:
        """Tell it, if it is news. Returns whether it was."""
        now = time.monotonic()
        if isinstance(trouble, LogBack):
            was_told, self._warned_at = self._warned_at is not None, None
            if was_told:
                self._on_update(LogWritable(trouble.seconds))
            return was_told
        if self._warned_at is not None and now - self._warned_at < self._warning_s:
            return False
        self._warned_at = now
        self._on_update(LogUnwritable(trouble.reason, self._store.pending_bytes))
        return True
