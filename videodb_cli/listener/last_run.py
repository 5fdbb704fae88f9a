"""How the last run of the listener ended, as its log tells: until when it heard, and over which connection.

This reads the disk and may take seconds: call it in a thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.read.blocks import iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.log_files import rotated_sources
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.listener.recovery.history import blocks_backwards, clock_step_of, iter_events
from videodb_cli.model import event as ev
from videodb_cli.model import own_lines

_OWN_NEEDLE = b'"channel":"videodb_cli"'
# Our own lines that a run writes although it has no connection.
_SAID_BY_THE_DEAF = frozenset(
    (
        *(own_lines.CAPTURE_FAILED, own_lines.CAPTURE_STALLED, own_lines.CAPTURE_RESUMED),
        *(own_lines.LOG_ROTATED, own_lines.LOG_TORN, own_lines.CLOCK),
    )
)
# No more than this is searched, so that a start does not wait for gigabytes. Our own lines are few.
_LAST_RUN_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class ClockMark:
    """How the clocks of a run stood at one of its lines.

    Attributes:
        boot_id: The boot of the machine.
        uptime_s: The uptime then.
        ahead_s: How far the wall clock was ahead of the uptime.
        fell_later: A later line says that the wall clock was set back since, and not to what.
    """

    boot_id: str
    uptime_s: float
    ahead_s: float
    fell_later: bool = False


@dataclass(frozen=True, slots=True)
class LastRun:
    """The end of the run before this one. Times are Unix seconds.

    Attributes:
        heard_until: When it heard for the last time.
        connection_id: Its last connection.
        reason: Why it ended, or why its connection did.
        unmended_from: Where an earlier gap begins that it had not finished mending.
        mark: What its last line of that kind says about its clocks; None in logs of older versions.
    """

    heard_until: float
    connection_id: str | None
    reason: str
    unmended_from: float | None = None
    mark: ClockMark | None = None


def last_run(log: Path, end: int) -> LastRun | None:
    """Read the log before byte ``end`` backwards. Returns None if no line has a time."""
    look = _Backwards()
    seen_bytes = 0
    for block in _newest_first(log, end):
        if look.heard_until is None or _OWN_NEEDLE in block:
            # Once it is known when it heard last, only our own lines matter.
            lines = (line for line in reversed(block.splitlines()) if look.heard_until is None or _OWN_NEEDLE in line)
            if any(look.take(event) for event, _ in iter_events(lines)):
                return look.found()
        seen_bytes += len(block)
        if seen_bytes > _LAST_RUN_BYTES:
            break
    return look.found()


def _newest_first(log: Path, end: int) -> Iterator[bytes]:
    """Yield the blocks of a log before byte ``end``, then of its rotated files, because a new log tells little."""
    # A log that somebody else made (in UTF-16, say) tells nothing, and must not keep the listener from listening.
    with contextlib.suppress(RefusedError):
        for block in iter_blocks_backwards(LogSource(log, private=True), end, broken=BrokenLines()):
            yield block.data
    for source in reversed(rotated_sources(log)):
        for lines in blocks_backwards(source):
            yield b"\n".join(lines) + b"\n"


def _was_hearing(event: ev.Event) -> bool:
    """Tell whether a line was written by a run that had a connection. One that never had any heard nothing."""
    if ev.received_at(event) is None:
        return False
    if not ev.is_own(event):
        return True
    if event.get("event") == own_lines.STOPPED:
        return ev.data_of(event).get("connected_s") != 0
    return event.get("event") not in _SAID_BY_THE_DEAF


class _Backwards:
    """Takes our own lines from the last one back to where the end is known and every gap before it is mended."""

    def __init__(self) -> None:
        self.heard_until: float | None = None
        self._reason = "ended"
        self._connection_id: str | None = None
        self._reported_id: str | None = None
        self._unmended_from: float | None = None
        self._had_gap = False
        self._is_mended = False
        # Everything is known, except how the clocks stood.
        self._is_done = False
        self._mark: ClockMark | None = None
        self._fell = False
        # By how much the wall clock was set by the lines that were taken so far: older times are told as after that.
        self._set_by_s = 0.0

    def take(self, event: ev.Event) -> bool:
        """Take the next line towards the beginning. Returns whether the lines before it do not matter."""
        if self.heard_until is None and _was_hearing(event):
            self.heard_until = (ev.received_at(event) or 0.0) + self._set_by_s
            if ev.is_own(event) and event.get("event") == own_lines.STOPPED:
                self._reason = "stopped"
        if ev.is_own(event):
            self._note_clock(event, ev.data_of(event))
            self._is_done = self._is_done or self._take_own(event)
        return self._is_done and self._mark is not None

    def _take_own(self, event: ev.Event) -> bool:
        data = ev.data_of(event)
        name = event.get("event")
        if name == own_lines.RECOVERED:
            self._take_report(data)
            return self._is_mended and self._connection_id is not None
        if name == own_lines.GAP:
            self._had_gap = True
            self._note_unmended(data)
        elif name == own_lines.DISCONNECTED and "renewed_by" not in data:
            self._note_end(data, deaf=True)
            return self._is_mended
        elif name == own_lines.CONNECTED:
            self._note_end(data, deaf=False)
            if "renews" in data or "replaces" in data:
                # It took over from a connection that worked, and has mended nothing.
                return self._is_mended
            if not self._had_gap:
                return True
            self._had_gap = False
            return self._is_mended
        return False

    def found(self) -> LastRun | None:
        """Return what was found."""
        if self.heard_until is None:
            return None
        connection_id = self._connection_id or self._reported_id
        return LastRun(self.heard_until, connection_id, self._reason, self._unmended_from, self._mark)

    def _note_clock(self, event: ev.Event, data: ev.Event) -> None:
        self._set_by_s += clock_step_of(event)
        if self._mark is not None:
            return
        boot, uptime, stamp = data.get("boot_id"), data.get("uptime_s"), ev.received_at(event)
        if event.get("event") == own_lines.LOG_ROTATED and data.get("reason") == "clock":
            self._fell = True
        elif isinstance(boot, str) and isinstance(uptime, int | float) and stamp is not None:
            self._mark = ClockMark(boot, uptime, stamp - uptime, self._fell)

    def _take_report(self, data: ev.Event) -> None:
        # A report may be written after the connection was lost, so it does not tell how the run ended.
        connection_id = data.get("new_connection_id")
        if self._reported_id is None and isinstance(connection_id, str):
            self._reported_id = connection_id
        # After a complete report, an incomplete one tells of a pipeline that could not be queried any more.
        if data.get("complete") is True:
            self._is_mended = True
        else:
            self._note_unmended(data)

    def _note_unmended(self, data: ev.Event) -> None:
        if not self._is_mended:
            began = ev.parse_iso(data.get("from"))
            self._unmended_from = self._unmended_from if began is None else began + self._set_by_s

    def _note_end(self, data: ev.Event, *, deaf: bool) -> None:
        connection_id = data.get("connection_id")
        if self._connection_id is None and isinstance(connection_id, str):
            self._connection_id = connection_id
            if deaf:
                # It had heard nothing for a while when it ended.
                alive_at = ev.parse_iso(data.get("alive_at"))
                self.heard_until = self.heard_until if alive_at is None else alive_at + self._set_by_s
                self._reason = str(data.get("reason"))
