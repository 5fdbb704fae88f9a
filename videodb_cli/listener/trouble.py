"""A log that cannot be written is said at once, then once a minute, and again when it can be."""

from __future__ import annotations

import time
from collections.abc import Callable

from videodb_cli.eventlog.write.store import LogBack, LogStore, LogTrouble
from videodb_cli.listener.updates import ListenerUpdate, LogUnwritable, LogWritable


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
