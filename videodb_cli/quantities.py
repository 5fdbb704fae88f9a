"""Words for lengths of time, ages and sizes: the one place where seconds and bytes become text for people."""

from __future__ import annotations

from math import isfinite

_MINUTE_S, _HOUR_S, _DAY_S = 60, 3600, 86400
_BYTE_UNITS = ("kB", "MB", "GB", "TB")
_ONE_DECIMAL_BELOW = 100
_MOST = 10**18


def span(seconds: float | None) -> str:
    """Return a length of time: ``0.4 s``, ``12 s``, ``38 min``, ``2 h 04 min``, ``3 d 4 h``; ``?`` if nobody knows."""
    if seconds is None or not isfinite(seconds):
        return "?"
    seconds = max(seconds, 0.0)
    if seconds < 1:
        return "0 s" if seconds < 0.05 else "1 s" if seconds >= 0.95 else f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < _MINUTE_S:
        return f"{whole} s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S} min"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S} h {whole % _HOUR_S // _MINUTE_S:02d} min"
    return f"{whole // _DAY_S} d {whole % _DAY_S // _HOUR_S} h"


def ago(seconds: float | None) -> str:
    """Return an age: ``3 min ago``; ``never`` if it is None."""
    return "never" if seconds is None else f"{span(seconds)} ago"


def size(count: int) -> str:
    """Return a number of bytes in powers of 1000: ``512 B``, ``9 kB``, ``14.9 MB``, ``366 MB``, ``1.2 GB``."""
    if count < 1000:
        return f"{count} B"
    amount = float(min(count, _MOST))
    for unit in _BYTE_UNITS:
        amount /= 1000
        # 999.6 kB would be shown as 1000 kB.
        if round(amount) < 1000 or unit == _BYTE_UNITS[-1]:
            break
    if unit == "kB" or amount >= _ONE_DECIMAL_BELOW - 0.05:
        return f"{amount:.0f} {unit}"
    return f"{amount:.1f} {unit}"


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number and its noun: ``1 event``, ``41,208 events``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"
