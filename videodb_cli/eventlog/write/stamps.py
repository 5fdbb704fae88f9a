"""Stamps of receipt: UTC, milliseconds, never decreasing within a file."""

from __future__ import annotations

import time
from collections.abc import Callable

# When the clock falls back by more than this, a new file begins; smaller steps repeat the last stamp.
CLOCK_TOLERANCE_MS = 60_000


class ClockFellError(Exception):
    """The clock fell behind the last stamp by more than the tolerance: a new file must begin."""


def iso_from_ms(unix_ms: int) -> str:
    """Return ``2026-03-02T10:15:30.123Z`` for milliseconds since the epoch."""
    second, millisecond = divmod(unix_ms, 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{millisecond:03d}Z"


class Stamper:
    """Makes the beginning of a log line: ``{"ts":"…","unix_ts":…``, both the same instant."""

    def __init__(self, last_ms: int = 0, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._last_ms = last_ms
        self._stamp = b""
        self._second = -1
        self._iso_second = ""

    @property
    def last_ms(self) -> int:
        """Milliseconds since the epoch of the last stamp; 0 if there was none."""
        return self._last_ms

    def restart(self, last_ms: int = 0) -> None:
        """Begin a new file. Its stamps are not below ``last_ms``."""
        self._last_ms = last_ms
        self._stamp = b""

    def stamp(self) -> bytes:
        """Return the beginning of a line that is received now. Raises ClockFellError."""
        now_ms = int(self._clock() * 1000)
        if now_ms <= self._last_ms:
            if now_ms < self._last_ms - CLOCK_TOLERANCE_MS:
                raise ClockFellError
            if self._stamp:
                return self._stamp
            now_ms = self._last_ms
        self._last_ms = now_ms
        second, millisecond = divmod(now_ms, 1000)
        if second != self._second:
            self._second = second
            self._iso_second = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        self._stamp = b'{"ts":"%b.%03dZ","unix_ts":%d.%03d' % (
            self._iso_second.encode("ascii"),
            millisecond,
            second,
            millisecond,
        )
        return self._stamp
