"""Looks at the wall clock, and says in the log and to the recovery when somebody has set it."""

from __future__ import annotations

from collections.abc import Callable

from videodb_cli.listener.journal import Journal
from videodb_cli.listener.log import ListenerLog
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.updates import ClockWasSet, ListenerUpdate
from videodb_cli.process.clock import Clock, ClockSet


class ClockWatch:
    """The clock of one listener. Whoever is about to tell a time in Unix seconds calls `look` before."""

    def __init__(
        self,
        clock: Clock,
        log: ListenerLog,
        journal: Journal,
        recoverer: Recoverer | None,
        on_update: Callable[[ListenerUpdate], None],
    ) -> None:
        self.clock = clock
        self._log = log
        self._journal = journal
        self._recoverer = recoverer
        self._on_update = on_update

    def look(self) -> Clock:
        """Notice whether the wall clock was set, and return the clock."""
        self._tell(self.clock.look())
        return self.clock

    def continue_from(self, ahead_s: float, until: float) -> None:
        """Take the stamps of an earlier run of this boot for stamps of ours (`Clock.continue_from`)."""
        self._tell(self.clock.continue_from(ahead_s, until))

    def _tell(self, step: ClockSet | None) -> None:
        if step is None:
            return
        if self._log.is_open:
            self._journal.clock_set(step)
        if self._recoverer is not None:
            self._recoverer.on_clock_set(step.step_s)
        self._on_update(ClockWasSet(step.step_s))
