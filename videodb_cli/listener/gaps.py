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
from videodb_cli.listener.last_run import ClockMark, last_run
from videodb_cli.listener.recovery.gap import Gap
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
        # Where an older gap begins that is not mended yet, in uptime seconds: before this boot they are negative.
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
        self._is_restart = True
        self._last_stamp = last.heard_until
        mark = last.mark
        self._is_other_boot = mark is not None and mark.boot_id != boot_id()
        if mark is not None and mark.boot_id == boot_id():
            self._lost_at = self._end_of(last.heard_until, mark)
        if last.unmended_from is not None:
            now_ended = self._clock.uptime_of(last.heard_until) if self._lost_at is None else self._lost_at
            self._unmended_from = now_ended - (last.heard_until - last.unmended_from)

    def _end_of(self, heard_until: float, mark: ClockMark) -> float:
        """Return when an earlier run of this boot heard for the last time, in uptime seconds."""
        lost_at, now = heard_until - mark.ahead_s, self._clock.uptime()
        if mark.uptime_s - _SMALL_STEP_S <= lost_at <= now and not mark.fell_later:
            self._watch.continue_from(mark.ahead_s, heard_until)
            return lost_at
        # The clock was set after that line, and the run died before it noticed: its last stamp is by the clock of now.
        lost_at = self._clock.uptime_of(heard_until)
        # If that cannot be either, the line itself is the last thing that is certain.
        return lost_at if mark.uptime_s - _SMALL_STEP_S <= lost_at <= now else mark.uptime_s

    def note_loss(self, connection: Connection, ended: Ended, *, for_log: bool) -> str:
        """The youngest connection ended. Returns why, in words."""
        self._watch.look()
        self._counters.disconnected(self._clock.uptime())
        self._lost_at = ended.alive_at
        self._reason = "log_not_writable" if for_log else ended.reason
        self._journal.disconnected(connection, ended, for_log=for_log)
        if self._recoverer is not None:
            self._recoverer.lost(connection.connection_id)
        return "the log cannot be written" if for_log else ended.detail

    def note_connection(self, connection: Connection) -> float | None:
        """A connection stands, and none stood before it. Returns the seconds of the gap within this run, if any."""
        self._watch.look()
        self._counters.connected(self._clock.uptime())
        self._journal.connected(connection)
        loss = self._measured()
        is_of_boot = self._lost_at is not None and (self._unmended_from is None or self._unmended_from >= 0.0)
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
        unmended_from = self._clock.unix_or_none(self._unmended_from)
        mend_from = lost_at if unmended_from is None else min(lost_at, unmended_from)
        self._unmended_from = None
        if self._recoverer is not None:
            self._recoverer.begin(
                Gap(
                    mend_from,
                    now,
                    previous,
                    connection.connection_id,
                    lost_at=loss.at,
                    is_vague=loss.is_longer,
                    is_of_boot=is_of_boot,
                )
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
        self._mend_beside(self._clock.unix(ended.alive_at), drained.connection_id)

    def note_new_id(self, connection: Connection, connection_id: str) -> None:
        """The service gave an open connection another id: what was bound to the old one may speak to nobody now."""
        self._watch.look()
        old, connection.connection_id = connection.connection_id, connection_id
        if old == self._previous_id:
            self._previous_id = connection_id
        self._journal.id_replaced(old, connection_id)
        self._mend_beside(self._clock.unix(), old)

    def _mend_beside(self, started: float, closed_id: str) -> None:
        """Go through what is lost because a connection beside the youngest one was closed, or an id was replaced.

        The youngest one may be another than that which once took over from it, or be closed already.
        """
        if self._recoverer is None:
            return
        if self._previous_id is not None and self._lost_at is None:
            self._recoverer.begin(Gap(started, self._clock.unix(), closed_id, self._previous_id, is_fresh=False))
        else:
            # The gap that ends with the next connection is looked into from here on.
            from_uptime = self._clock.uptime_of(started)
            self._unmended_from = from_uptime if self._unmended_from is None else min(from_uptime, self._unmended_from)
            self._recoverer.lost(closed_id)
