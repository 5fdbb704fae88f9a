"""Limits how long a received line waits in memory for a writing thread that gets no CPU time.

A thread writes the log, because a write may have to wait for the disk, and the receiver must not. But on a busy machine
the thread may wait for the CPU or for the interpreter lock while the receiver runs on and answers pings. Then the
receiver writes the lines itself for a while, as long as the disk shows no sign of trouble.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from videodb_cli.eventlog.write.store import LogStore

LATE_S = 0.01
HELP_S = 10.0
# After a write that took longer, the receiver does not write again for `HELP_S`.
SLOW_S = 0.1


class WriteWatchdog:
    """Watches the writing thread of one store, from the thread that queues its lines.

    Args:
        store: The open log.
        call_later: Calls back in the queueing thread after so many seconds, as the event loop's does.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        store: LogStore,
        call_later: Callable[[float, Callable[[], None]], object],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._call_later = call_later
        self._clock = clock
        self._due_bytes = 0
        self._help_until = 0.0
        self._help_not_before = 0.0

    def start(self) -> None:
        """Watch every line from now on, and those that wait already."""
        self._await_lines()

    def _await_lines(self, *, may_help: bool = True) -> None:
        self._store.on_waiting = self._begin
        if self._store.pending_bytes:
            self._begin(may_help=may_help)

    def _begin(self, *, may_help: bool = True) -> None:
        """Begin to watch: the first line since the last look was queued."""
        store = self._store
        store.on_waiting = None
        helps = may_help and self._clock() < self._help_until
        store.wakes_writer = not helps
        if helps:
            # Together with whatever else has come by the end of this turn.
            self._call_later(0.0, self._help)
        else:
            self._due_bytes = store.received_bytes
            self._call_later(LATE_S, self._look)

    def _look(self) -> None:
        store = self._store
        is_late = store.written_bytes < self._due_bytes
        if is_late and not store.is_at_disk and not store.is_troubled and self._clock() >= self._help_not_before:
            self._help_until = self._clock() + HELP_S
            self._help()
        else:
            self._await_lines()

    def _help(self) -> None:
        began = self._clock()
        is_done = self._store.write_waiting()
        ended = self._clock()
        if not is_done:
            self._store.wake_writer()
        if ended - began > SLOW_S:
            self._help_until = 0.0
            self._help_not_before = ended + HELP_S
        # Only the thread can write what is left: trying again at once would never end.
        self._await_lines(may_help=is_done)
