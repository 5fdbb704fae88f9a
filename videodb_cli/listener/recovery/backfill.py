"""Writes what was read back, and sees to it that nothing is written twice because it also came live.

A live event is never delayed for it. What has come live since it was asked for is not written as recovered; and a live
event whose record was read back before is written down as `listener.late`, word for word, not as the event again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from videodb_cli.listener.recovery.doubles import Doubles
from videodb_cli.listener.recovery.surroundings import Surroundings
from videodb_cli.model import event as ev
from videodb_cli.model.event import Event

_CHUNK = 200
_MAX_OF_A_PASS = 100_000


class Backfill:
    """The one way of a recovered event into the log. To be used from the event loop's thread."""

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        # What the log holds as recovered, and may still come live.
        self._read_back = Doubles()
        # What has come live since the service was asked.
        self._meanwhile = Doubles(_MAX_OF_A_PASS)

    def begin_pass(self) -> None:
        """The service is asked from now on: what comes live from here on may be in its answers."""
        self._meanwhile = Doubles(_MAX_OF_A_PASS)

    def heard(self, event: Event) -> None:
        """A live event came, and is in the log."""
        self._meanwhile.add(event, self._around.clock.uptime())

    def was_read_back(self, earlier: Doubles) -> None:
        """Take what earlier runs have read back, as the log says."""
        # The log counts in Unix seconds.
        self._read_back.add_all(earlier, self._around.clock.uptime_of(0.0))
        if len(self._read_back):
            self._around.absorb_with(self._absorb)

    def _absorb(self, event: Event, message: bytes) -> bool:
        """Take a live event that is in the log already, as recovered. Returns whether it is one."""
        after_s = self._read_back.take(event, self._around.clock.uptime())
        if after_s is None:
            return False
        self._around.journal.late(_name(event), after_s, message)
        return True

    async def write(self, events: list[Event], written: Callable[[Event], None]) -> None:
        """Write these events in this order; ``written`` is told of each that the log did not get live meanwhile."""
        around = self._around
        for number, event in enumerate(events, 1):
            while not around.has_room():  # noqa: ASYNC110 - the writer is a thread
                await asyncio.sleep(0.2)
            if self._meanwhile.take(event, around.clock.uptime()) is None:
                self._write(event)
                written(event)
            if number % _CHUNK == 0:
                # Live events must not wait behind thousands of old ones.
                await asyncio.sleep(0)

    def _write(self, event: Event) -> None:
        around = self._around
        try:
            line = around.journal.recovered_event(event)
        except TypeError:
            # What the service says of it is nested deeper than JSON is written: that it happened counts more.
            event = {**event, "data": {}}
            line = around.journal.recovered_event(event)
        around.seen.note(event, line)
        around.counters.recovered += 1
        self._read_back.add(event, around.clock.uptime())
        around.absorb_with(self._absorb)


def _name(event: Event) -> str:
    """How the journal calls an event: its channel and stream, or its name and session."""
    session = event.get("capture_session_id")
    if isinstance(session, str):
        return f"{event.get('event')} of {session}"
    return f"{ev.channel_of(event)} of {event.get('rtstream_name') or event.get('rtstream_id')}"
