"""Durations by a clock that nobody can set, and the wall clock.

The wall clock jumps: by decades on a board without a battery, which boots in 1970 until NTP sets it, and by seconds
when NTP corrects it. The difference of two of its times may then be wrong. `uptime_s` is never set, goes on while the
machine sleeps (a laptop that sleeps hears nothing), and is the same in every process of one boot. So moments are stored
in uptime seconds, and converted to wall-clock time only when they are shown.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from videodb_cli.process.start_token import kernel_boot_id

# Both count sleep: CLOCK_BOOTTIME on Linux (clock_gettime(2)), CLOCK_MONOTONIC on macOS, where Python's own does not.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", getattr(time, "CLOCK_MONOTONIC", None))
# NTP slews both clocks alike. A smaller step than this changes nothing that a user sees.
STEP_S = 1.0
_STAMP_S = 0.01
_PLATFORM: str = sys.platform


def uptime_s() -> float:
    """Return the seconds since the boot, or since some other moment that is the same for all processes of this boot."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


@cache
def boot_id() -> str | None:
    """Return an id of the current boot, because uptimes of different boots do not compare; None if unknown.

    A time namespace has an uptime of its own (time_namespaces(7)).
    """
    try:
        if _PLATFORM == "linux":
            namespace = Path("/proc/self/ns/time")
            return f"{kernel_boot_id()} {namespace.readlink()}" if namespace.is_symlink() else kernel_boot_id()
        if _PLATFORM == "darwin":
            asked = subprocess.run(
                ["/usr/sbin/sysctl", "-n", "kern.bootsessionuuid"],
                capture_output=True,
                text=True,
                timeout=5,
                check=True,
            )
            return asked.stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        pass
    return None


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The wall clock was set while we ran: by so many seconds, forward or (negative) back. Unix seconds."""

    step_s: float
    before: float
    after: float


class Clock:
    """The wall clock of one process. Its times are by the wall clock as it was when `look` was called last."""

    def __init__(self, *, wall: Callable[[], float] = time.time, uptime: Callable[[], float] = uptime_s) -> None:
        self._wall = wall
        self._uptime = uptime
        self._ahead_s = wall() - uptime()
        self._steps: list[ClockSet] = []

    def uptime(self) -> float:
        """Return the present in uptime seconds."""
        return self._uptime()

    def look(self) -> ClockSet | None:
        """Return by how much the wall clock was set since the last look; None if nobody has set it."""
        now = self._uptime()
        step_s = self._wall() - now - self._ahead_s
        if abs(step_s) < STEP_S:
            return None
        step = ClockSet(step_s, now + self._ahead_s, now + self._ahead_s + step_s)
        self._ahead_s += step_s
        self._steps.append(step)
        return step

    def continue_from(self, ahead_s: float, until: float) -> ClockSet | None:
        """Take the stamps of an earlier run of this boot for stamps of ours.

        Its clock was ``ahead_s`` ahead of the uptime, and its last stamp is ``until``. If that is not so any more, the
        clock was set in between, and that is returned.
        """
        step_s = self._ahead_s - ahead_s
        if abs(step_s) < STEP_S:
            return None
        step = ClockSet(step_s, until, until + step_s)
        self._steps.insert(0, step)
        return step

    def unix(self, uptime: float | None = None) -> float:
        """Return a moment, or the present, in Unix seconds by the wall clock as it was at the last look."""
        return (self._uptime() if uptime is None else uptime) + self._ahead_s

    def unix_or_none(self, uptime: float | None) -> float | None:
        """Return the same as `unix`, or None for None."""
        return None if uptime is None else self.unix(uptime)

    def uptime_of(self, unix: float) -> float:
        """Return the uptime seconds of a Unix time, by the wall clock as it was at the last look."""
        return unix - self._ahead_s

    def corrected(self, stamp: float) -> float:
        """Return a stamp of this run's log (Unix seconds) as the clock would have made it had it been right as now.

        A clock that was set back makes some stamps twice: such a one is taken for the later moment.
        """
        until = self.unix()
        moved_s = 0.0
        for step in reversed(self._steps):
            # A stamp has whole milliseconds: it may be a little before the moment that it was made in.
            if step.after - _STAMP_S <= stamp <= until + STEP_S:
                return stamp + moved_s
            until = step.before
            moved_s += step.step_s
        for step in self._steps:
            if stamp <= step.before:
                return stamp + moved_s
            moved_s -= step.step_s
        return stamp

    def marks(self) -> dict[str, Any]:
        """Return what a line or a file carries so that `present` and the next run can count from it."""
        return {"boot_id": boot_id(), "uptime_s": round(self._uptime(), 3)}


def present(fields: Mapping[str, Any]) -> float:
    """Return the present in Unix seconds by the wall clock as it was when a state file was written.

    The differences to the times in the file are true then, also if the clock was set since. ``fields`` has
    ``written_at`` and the marks of `Clock.marks`; without them, or after a reboot, it is the wall clock as it is.
    """
    written, uptime, boot = fields.get("written_at"), fields.get("uptime_s"), fields.get("boot_id")
    if not isinstance(written, int | float) or not isinstance(uptime, int | float) or boot is None or boot != boot_id():
        return time.time()
    return written + uptime_s() - uptime
