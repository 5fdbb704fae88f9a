"""Times as people type them: ``10m``, ``2h30m``, ``10:15``, ``2026-03-02T10:15``, epoch seconds or milliseconds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from videodb_cli.errors import UsageError

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
# Compiled where they are used: most commands are given no time, and all of them pay for an import.
_DURATION = r"(?:\d+(?:\.\d+)?(?:ms|[smhdw]))+"
_PART = r"(\d+(?:\.\d+)?)(ms|[smhdw])"
_CLOCK = r"(\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,6}))?)?"
_NUMBER = r"\d+(?:\.\d+)?"
_HINT = "for example 10m, 2h30m, 10:15, 2026-03-02T10:15, 1772446530"


def parse_duration(text: str) -> float:
    """Seconds of ``30s``, ``2h30m`` or a bare number of seconds. Raises ``UsageError``."""
    if re.fullmatch(_NUMBER, text, re.ASCII):
        return float(text)
    if not re.fullmatch(_DURATION, text, re.ASCII):
        raise UsageError(f"not a length of time: {text}", hint="for example 30s, 10m, 2h30m")
    return sum(float(number) * _UNITS[unit] for number, unit in re.findall(_PART, text, re.ASCII))


def parse_time(text: str, now: float) -> float:
    """Unix seconds of a moment, given the present one.

    A length of time means that long ago; a clock time is the latest one past; a bare number is epoch seconds, or
    milliseconds from 1e11 on; no zone means local. Raises ``UsageError``.
    """
    text = text.strip()
    if re.fullmatch(_NUMBER, text, re.ASCII):
        value = float(text)
        return value / 1000 if value >= 1e11 else value
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
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"not a time: {text}", hint=_HINT) from None
    return moment.timestamp() if moment.tzinfo else _local(moment)


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
    return moment.timestamp()
