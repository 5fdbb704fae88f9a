"""Connections come and go: what of it is written down, counted, and handed to the recovery."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.recovery.logscan import last_run
from videodb_cli.listener.recovery.pipeline import Gap
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.updates import ListenerUpdate, Resumed


class GapTracker:
    """Knows since when nothing is heard, and as whom we were heard before. Times are Unix seconds."""

    def __init__(
        self,
        store: LogStore,
        journal: Journal,
        counters: Counters,
        recoverer: Recoverer | None,
        on_update: Callable[[ListenerUpdate], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._counters = counters
        self._recoverer = recoverer
        self._on_update = on_update
        self._lost_at: float | None = None
        # Monotonic seconds of the same moment, if it was in this run.
        self._lost_monotonic: float | None = None
        self._reason = ""
        self._previous_id: str | None = None
        self._unmended_from: float | None = None
        self._is_restart = False

    async def look_at_last_run(self) -> None:
        """In a log that goes on after an earlier run, nothing was heard since that run's end."""
        try:
            last = await asyncio.to_thread(last_run, self._store.path, self._store.opened_size)
        except VideodbError:
            # Taken away from outside since it was opened: there is nothing to go on from.
            return
        if last is not None:
            self._lost_at = last.heard_until
            self._reason = last.reason
            self._previous_id = last.connection_id
            self._unmended_from = last.unmended_from
            self._is_restart = True

    def note_loss(self, connection: Connection, ended: Ended, *, for_log: bool) -> str:
        """The youngest connection ended. Returns why, in words."""
        self._counters.disconnected(time.time())
        self._lost_at = ended.alive_at
        self._lost_monotonic = time.monotonic() - max(0.0, time.time() - ended.alive_at)
        self._reason = "log_not_writable" if for_log else ended.reason
        self._journal.disconnected(connection, ended, for_log=for_log)
        return "the log cannot be written" if for_log else ended.detail

    def note_connection(self, connection: Connection) -> float | None:
        """A connection stands, and none stood before it. Returns the seconds of the gap within this run, if any."""
        now = time.time()
        self._counters.connected(now)
        self._journal.connected(connection)
        lost_at, self._lost_at = self._lost_at, None
        previous, self._previous_id = self._previous_id, connection.connection_id
        was_restart, self._is_restart = self._is_restart, False
        if lost_at is None:
            if self._recoverer is not None:
                self._recoverer.adopt(connection.connection_id)
            return None
        if self._lost_monotonic is not None:
            # A clock that was set back in between must not make the gap shorter than it was. One that stands still
            # while a laptop sleeps must not either: the longer of the two is true.
            lost_at = min(lost_at, now - (time.monotonic() - self._lost_monotonic))
            self._lost_monotonic = None
        seconds = self._journal.gap(lost_at, now, self._reason, previous, connection.connection_id)
        self._counters.gap(seconds)
        mend_from = min(lost_at, self._unmended_from or lost_at)
        self._unmended_from = None
        if self._recoverer is not None:
            self._recoverer.begin(Gap(mend_from, now, previous, connection.connection_id, lost_at=lost_at))
        if was_restart:
            self._on_update(Resumed(lost_at, seconds))
            return None
        return seconds

    def note_renewal(self, connection: Connection, older: Connection) -> None:
        """A younger connection stands beside one that still works."""
        self._previous_id = connection.connection_id
        self._journal.connected(connection, takes_over_from=older.connection_id)
        if self._recoverer is not None:
            self._recoverer.bind(connection.connection_id)

    def note_drained(self, drained: Connection, ended: Ended, younger_id: str, *, for_log: bool) -> None:
        """A connection ended that a younger one had taken over from: what was bound to it speaks to nobody now."""
        self._journal.disconnected(drained, ended, for_log=for_log, renewed_by=younger_id)
        if self._recoverer is not None:
            now = time.time()
            self._recoverer.begin(Gap(ended.alive_at, now, drained.connection_id, younger_id, is_fresh=False))

    def note_new_id(self, connection: Connection, connection_id: str) -> None:
        """The service gave an open connection another id: what was bound to the old one may speak to nobody now."""
        old, connection.connection_id = connection.connection_id, connection_id
        self._previous_id = connection_id
        self._journal.id_replaced(old, connection_id)
        if self._recoverer is not None:
            now = time.time()
            self._recoverer.begin(Gap(now, now, old, connection_id, is_fresh=False))
