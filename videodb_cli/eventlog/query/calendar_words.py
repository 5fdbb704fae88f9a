"""Days and times of day in words: ``yesterday 14:00``, ``last monday 9am``, ``2 march``, ``noon``.

Nothing here reads a clock: the present and the time zone are arguments. A day is found on the calendar, and only the
result is turned into an instant, so a day on which the clocks change is as long as it is.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

_CLOCK = r"(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?)? ?(am|pm)?"
_ISO_DATE = r"(\d{4}-\d{2}-\d{2}),? (.+)"
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_DAY_MONTH = rf"{_DAY} ([a-z]+)\.?(?:,? (\d{{4}}))?,?(?: (.+))?"
_MONTH_DAY = rf"([a-z]+)\.? {_DAY}(?:,? (\d{{4}}))?,?(?: (.+))?"
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_CLOCK_WORDS = {"noon": time(12), "midnight": time(0)}
_SHORTEST_NAME = 3
_LEAP_YEARS = 9  # within so many years there is a 29th of February
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)


def instant_in_words(words: str, now: float, zone: tzinfo | None) -> float | None:
    """Return the Unix seconds of a day, a time of day, or both.

    A time of day without a day, and a day without its year or week, is the latest one that has passed. A day without a
    time of day is its beginning.

    Args:
        words: In small letters, with single spaces.
        now: The present in Unix seconds.
        zone: The zone that is meant; None is that of this machine.

    Returns:
        None if these are no such words.

    Raises:
        ValueError: They name a time that does not exist, such as ``25:00``.
    """
    today = datetime.fromtimestamp(now, zone).date()
    at = _clock(words)
    if at is not None:
        return _latest([today - timedelta(days=back) for back in range(3)], at, now, zone)
    found = _days(words, today)
    if found is None:
        return None
    days, rest = found
    at = _clock(rest.removeprefix("at ")) if rest else time(0)
    if at is None:
        raise ValueError(rest)
    return _latest(days, at, now, zone) if len(days) > 1 else instant(datetime.combine(days[0], at), zone)


def instant(moment: datetime, zone: tzinfo | None) -> float:
    """Return the Unix seconds of a moment without a zone."""
    try:
        return (moment if zone is None else moment.replace(tzinfo=zone)).timestamp()
    except (OverflowError, ValueError, OSError):
        # In the first and last hours of the calendar the local time is outside of it; a day makes no difference there.
        return (moment.replace(tzinfo=UTC) - _BEGIN).total_seconds()


def _latest(days: Iterable[date], at: time, now: float, zone: tzinfo | None) -> float:
    """Return the latest of these moments that has passed. The days come latest first."""
    earlier = now
    for day in days:
        moment = datetime.combine(day, at)
        earlier, later = instant(moment, zone), instant(moment.replace(fold=1), zone)
        # When the clocks are set back a time of day comes twice. When they are set forward, one that does not come
        # counts as an hour later, and fold=1 would mean an hour earlier.
        if earlier <= later <= now:
            return later
        if earlier <= now:
            return earlier
    return earlier


def _clock(words: str) -> time | None:
    """Return a time of day, such as ``14:00``, ``9am`` or ``noon``; None for anything else."""
    if words in _CLOCK_WORDS:
        return _CLOCK_WORDS[words]
    match = re.fullmatch(_CLOCK, words, re.ASCII)
    if match is None or (match[2] is None and match[5] is None):
        return None  # a bare number is no time of day
    hour = int(match[1])
    if match[5] is not None:
        if not 1 <= hour <= 12:
            raise ValueError(words)
        hour = hour % 12 + 12 * (match[5] == "pm")
    return time(hour, int(match[2] or 0), int(match[3] or 0), int((match[4] or "0").ljust(6, "0")))


def _days(words: str, today: date) -> tuple[list[date], str] | None:
    """Return the days that may be meant, latest first, and the words behind them; None if these are no days."""
    first, _, rest = words.partition(" ")
    if first in {"today", "yesterday"}:
        return [today - timedelta(days=first == "yesterday")], rest
    is_last = first == "last"
    name, _, behind = rest.partition(" ") if is_last else (first, "", rest)
    weekday = _number(name, _WEEKDAYS)
    if weekday is not None:
        back = (today.weekday() - weekday - is_last) % 7 + is_last
        return [today - timedelta(days=back), today - timedelta(days=back + 7)], behind
    if match := re.fullmatch(_ISO_DATE, words, re.ASCII):
        return [date.fromisoformat(match[1])], match[2]
    if match := re.fullmatch(_DAY_MONTH, words, re.ASCII):
        return _dated(match[1], match[2], match[3], match[4], today)
    if match := re.fullmatch(_MONTH_DAY, words, re.ASCII):
        return _dated(match[2], match[1], match[3], match[4], today)
    return None


def _dated(day: str, month: str, year: str | None, rest: str | None, today: date) -> tuple[list[date], str] | None:
    number = _number(month, _MONTHS)
    if number is None:
        return None
    if year is not None:
        return [date(int(year), number + 1, int(day))], rest or ""
    days: list[date] = []
    for candidate in range(today.year, max(today.year - _LEAP_YEARS, 0), -1):
        try:
            days.append(date(candidate, number + 1, int(day)))
        except ValueError:
            continue  # the 29th of February
    if not days:
        raise ValueError(day)
    return [*days, days[-1]], rest or ""


def _number(name: str, names: tuple[str, ...]) -> int | None:
    """Return the index of a name, which may be shortened to its first letters, at least three."""
    if len(name) < _SHORTEST_NAME:
        return None
    return next((index for index, whole in enumerate(names) if whole.startswith(name)), None)
