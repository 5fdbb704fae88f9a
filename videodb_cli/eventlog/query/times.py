"""Times as people type them: ``3 min ago``, ``yesterday 14:00``, ``10m``, ``2026-03-02T10:15``, or a count since 1970.

docs/reading.md has a table of all forms, which a test reads and runs.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo

from videodb_cli.errors import UsageError

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_NAMES = {
    "ms": "ms msec msecs millisecond milliseconds",
    "s": "s sec secs second seconds",
    "m": "m min mins minute minutes",
    "h": "h hr hrs hour hours",
    "d": "d day days",
    "w": "w week weeks",
}
# Compiled at first use: most commands get no time, and would pay for it at import.
_NUMBER = r"\d+(?:\.\d+)?"
_PART = rf"({_NUMBER}) ?([a-z]+)"
_DURATION = rf"(?:{_NUMBER} ?[a-z]+(?: and)? ?)+"
_EPOCH = rf"-?{_NUMBER}"
_ANY_YEAR = r"([+-]?\d{4,})(-\d{2}-\d{2}(?:[T ].*)?)"
_LONGEST_YEAR = 20
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_HINT = "for example 10m, 'yesterday 14:00', 2026-03-02T10:15"


def parse_duration(text: str) -> float:
    """Return the seconds of ``30s``, ``2h30m``, ``3 min`` or a bare number of seconds. Raises ``UsageError``."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return float(text)
    seconds = _span(_words(text))
    if seconds is None:
        raise UsageError(f"not a length of time: {text}", hint="for example 30s, 10m, 2h30m")
    return seconds


def parse_time(text: str, now: float, zone: tzinfo | None = None) -> float:
    """Return the Unix seconds of a moment that was typed.

    Args:
        text: A length of time means that long ago; a time of day, a day of the week or a date without its year the
            latest one that has passed; a day its beginning. A bare number counts seconds, milliseconds, microseconds
            or nanoseconds since 1970, by its size. A date outside of the calendar is far in the past or future, up to
            infinity.
        now: The present in Unix seconds.
        zone: The zone of a time that names none; None is that of this machine.

    Raises:
        UsageError: The text is no time.
    """
    typed = " ".join(text.split())
    if re.fullmatch(_EPOCH, typed, re.ASCII):
        return _epoch(float(typed))
    words = _words(typed)
    if words == "now":
        return now
    span = _span(re.sub(r"^an? ", "1 ", words).removesuffix(" ago"))
    if span is not None:
        return now - span
    from videodb_cli.eventlog.query.calendar_words import instant, instant_in_words

    try:
        moment = datetime.fromisoformat(typed.upper())  # RFC 3339 allows a small t and z
    except ValueError:
        pass
    else:
        return (moment - _BEGIN).total_seconds() if moment.tzinfo else instant(moment, zone)
    try:
        is_utc = words.endswith(" utc")
        said = instant_in_words(words.removesuffix(" utc"), now, UTC if is_utc else zone)
    except (ValueError, OverflowError):
        raise UsageError(f"not a time: {text}", hint=_HINT) from None
    return _beyond_calendar(typed) if said is None else said


def _words(text: str) -> str:
    return " ".join(text.lower().split())


def _span(words: str) -> float | None:
    """Return the seconds of a length of time; None for anything else."""
    if not re.fullmatch(_DURATION, words, re.ASCII) or words.endswith((" ", " and")):
        return None
    total = 0.0
    for number, name in re.findall(_PART, words, re.ASCII):
        unit = next((unit for unit, names in _NAMES.items() if name in names.split()), None)
        if unit is None:
            return None
        total += float(number) * _SECONDS[unit]
    return total


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
