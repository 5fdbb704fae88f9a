"""Times as people type them: ``10m``, ``2h30m``, ``10:15``, ``2026-03-02T10:15``, or a count since 1970."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from videodb_cli.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Compiled at first use: most commands get no time, and would pay for it at import.
_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+"
_PART = r"(\d+(?:\.\d+)?)(ms|[smhdw])"
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?"
_NUMBER = r"\d+(?:\.\d+)?"
_EPOCH = rf"-?{_NUMBER}"
_ANY_YEAR = r"([+-]?\d{4,})(-\d{2}-\d{2}(?:[T ].*)?)"
_LONGEST_YEAR = 20
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = "for example 10m, 2h30m, 10:15, 2026-03-02T10:15, 1772446530"


def parse_duration(text: str) -> float:
    """Return the seconds of ``30s``, ``2h30m`` or a bare number of seconds. Raises ``UsageError``."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return float(text)
    if not re.fullmatch(_DURATION, text, re.ASCII):
        raise UsageError(f"not a length of time: {text}", hint="for example 30s, 10m, 2h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text, re.ASCII))


def parse_time(text: str, now: float) -> float:
    """Return the Unix seconds of a moment that was typed, given the present in Unix seconds.

    A duration means that long ago. A time of day is the latest one that has passed. A bare number counts seconds,
    milliseconds, microseconds or nanoseconds since 1970, by its size. A time without a zone is local. A date outside of
    the calendar is far in the past or future, up to infinity. Raises ``UsageError``.
    """
    text = text.strip()
    if re.fullmatch(_EPOCH, text, re.ASCII):
        return _epoch(float(text))
    if re.fullmatch(_DURATION, text, re.ASCII):
        return now - parse_duration(text)
    if text == "now":
        return now
    if text in {"today", "yesterday"}:
        midnight = datetime.fromtimestamp(now).astimezone().replace(hour=0, minute=0, second=0, microsecond=0)
        return _local(midnight.replace(tzinfo=None) - timedelta(days=text == "yesterday"))
    if clock := re.fullmatch(_CLOCK, text, re.ASCII):
        return _latest_past(clock, now, text)
    try:
        moment = datetime.fromisoformat(text.upper())  # RFC 3339 allows a small t and z
    except ValueError:
        return _beyond_calendar(text)
    return (moment - _BEGIN).total_seconds() if moment.tzinfo else _local(moment)


def _epoch(value: float) -> float:
    """Return the seconds of a count since 1970, in the unit that gives a year from 1973 to 5138."""
    size = abs(value)
    if size < 1e11:
        return value
    return value / (1e3 if size < 1e14 else 1e6 if size < 1e17 else 1e9)


def _beyond_calendar(text: str) -> float:
    """Return a time far away for a date whose year Python's calendar does not have. Raises ``UsageError``."""
    dated = re.fullmatch(_ANY_YEAR, text, re.ASCII)
    year = int(dated[1][:_LONGEST_YEAR]) if dated else 1
    if dated is None or 1 <= year <= 9999:
        raise UsageError(f"not a time: {text}", hint=_HINT)
    try:
        datetime.fromisoformat(f"2000{dated[2]}")
    except ValueError:
        raise UsageError(f"not a time: {text}", hint=_HINT) from None
    return float("inf") if year > 0 else float("-inf")


def _latest_past(clock: re.Match[str], now: float, text: str) -> float:
    try:
        today = datetime.fromtimestamp(now).replace(  # noqa: DTZ006 - the user's own clock is meant
            hour=int(clock[1]),
            minute=int(clock[2]),
            second=int(clock[3] or 0),
            microsecond=int((clock[4] or "0").ljust(6, "0")),
        )
    except ValueError:
        raise UsageError(f"not a time: {text}", hint=_HINT) from None
    moment = _local(today)
    return moment if moment <= now else _local(today - timedelta(days=1))


def _local(moment: datetime) -> float:
    try:
        return moment.timestamp()
    except (OverflowError, ValueError, OSError):
        # In the first and last hours of the calendar the local time is outside of it; a day makes no difference there.
        return (moment.replace(tzinfo=UTC) - _BEGIN).total_seconds()
