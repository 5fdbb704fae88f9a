"""Connections come and go: what of it is written down, counted, and handed to the recovery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.clock_watch import ClockWatch
from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.journal import Journal, Loss
from videodb_cli.listener.recovery.logscan import last_run
from videodb_cli.listener.recovery.pipeline import Gap
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.updates import ListenerUpdate, Resumed
from videodb_cli.process.clock import boot_id

# No log is older than this program: 2020-01-01 in Unix seconds.
_CLOCK_IS_WRONG_BEFORE = 1577836800.0
# A clock that is behind by less repeats stamps, and a gap of nothing is near enough.
_SMALL_STEP_S = 60.0


class GapTracker:
    """Knows since when nothing is heard, and as whom we were heard before."""

    def __init__(
        self,
        store: LogStore,
        journal: Journal,
        counters: Counters,
        recoverer: Recoverer | None,
        on_update: Callable[[ListenerUpdate], None],
        watch: ClockWatch,
    ) -> None:
        self._watch = watch
        self._clock = watch.clock
        self._began = watch.clock.uptime()
        self._store = store
        self._journal = journal
        self._counters = counters
        self._recoverer = recoverer
        self._on_update = on_update
        # Uptime seconds, if the loss was in this boot.
        self._lost_at: float | None = None
        # Unix seconds of the last stamp of an earlier boot, by the clock of that time.
        self._last_stamp: float | None = None
        self._is_other_boot = False
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
        if last is None:
            return
        self._reason = last.reason
        self._previous_id = last.connection_id
        self._unmended_from = last.unmended_from
        self._is_restart = True
        self._last_stamp = last.heard_until
        self._is_other_boot = last.boot_id is not None and last.boot_id != boot_id()
        if last.ahead_s is not None and last.boot_id is not None and last.boot_id == boot_id():
            self._watch.continue_from(last.ahead_s, last.heard_until)
            self._lost_at = last.heard_until - last.ahead_s

    def note_loss(self, connection: Connection, ended: Ended, *, for_log: bool) -> str:
        """The youngest connection ended. Returns why, in words."""
        self._watch.look()
        self._counters.disconnected(self._clock.uptime())
        self._lost_at = ended.alive_at
        self._reason = "log_not_writable" if for_log else ended.reason
        self._journal.disconnected(connection, ended, for_log=for_log)
        return "the log cannot be written" if for_log else ended.detail

    def note_connection(self, connection: Connection) -> float | None:
        """A connection stands, and none stood before it. Returns the seconds of the gap within this run, if any."""
        self._watch.look()
        self._counters.connected(self._clock.uptime())
        self._journal.connected(connection)
        loss = self._measured()
        self._lost_at = self._last_stamp = None
        previous, self._previous_id = self._previous_id, connection.connection_id
        was_restart, self._is_restart = self._is_restart, False
        if loss is None:
            if self._recoverer is not None:
                self._recoverer.adopt(connection.connection_id)
            return None
        now = self._clock.unix()
        seconds = self._journal.gap(loss, now, previous, connection.connection_id)
        self._counters.gap(seconds)
        # By a clock that was wrong nobody knows when: then as much is read back as may be.
        lost_at = 0.0 if loss.is_longer else loss.at
        mend_from = min(lost_at, self._unmended_from or lost_at)
        self._unmended_from = None
        if self._recoverer is not None:
            self._recoverer.begin(
                Gap(mend_from, now, previous, connection.connection_id, lost_at=loss.at, is_vague=loss.is_longer)
            )
        if was_restart:
            self._on_update(Resumed(loss.at, seconds, loss.is_longer))
            return None
        return seconds

    def _measured(self) -> Loss | None:
        """Return since when nothing was heard; None if nothing was lost."""
        uptime, now = self._clock.uptime(), self._clock.unix()
        if self._lost_at is not None:
            seconds = max(uptime - self._lost_at, 0.0)
            return Loss(now - seconds, seconds, self._reason)
        if self._last_stamp is None:
            return None
        if _CLOCK_IS_WRONG_BEFORE <= self._last_stamp <= now + _SMALL_STEP_S:
            return Loss(min(self._last_stamp, now), max(now - self._last_stamp, 0.0), self._reason)
        # One of the two clocks was wrong. Certain is the time since the boot, or at least since we began.
        return Loss(self._last_stamp, uptime if self._is_other_boot else uptime - self._began, self._reason, True)

    def note_renewal(self, connection: Connection, older: Connection) -> None:
        """A younger connection stands beside one that still works."""
        self._watch.look()
        self._previous_id = connection.connection_id
        self._journal.connected(connection, takes_over_from=older.connection_id)
        if self._recoverer is not None:
            self._recoverer.bind(connection.connection_id)

    def note_drained(self, drained: Connection, ended: Ended, younger_id: str, *, for_log: bool) -> None:
        """A connection ended that a younger one had taken over from: what was bound to it speaks to nobody now."""
        self._watch.look()
        self._journal.disconnected(drained, ended, for_log=for_log, renewed_by=younger_id)
        if self._recoverer is not None:
            now, alive_at = self._clock.unix(), self._clock.unix(ended.alive_at)
            self._recoverer.begin(Gap(alive_at, now, drained.connection_id, younger_id, is_fresh=False))

    def note_new_id(self, connection: Connection, connection_id: str) -> None:
        """The service gave an open connection another id: what was bound to the old one may speak to nobody now."""
        old, connection.connection_id = connection.connection_id, connection_id
        self._previous_id = connection_id
        self._journal.id_replaced(old, connection_id)
        if self._recoverer is not None:
            self._watch.look()
            now = self._clock.unix()
            self._recoverer.begin(Gap(now, now, old, connection_id, is_fresh=False))
