"""Typed reading of what a request brings. Each reader raises `ServiceError` 400 that names the field."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from videodb_cli.local.http.answers import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

MAX_TEXT = 16 * 1024


def text(body: Mapping[str, Any], name: str, *, limit: int = MAX_TEXT) -> str:
    """A required string that is not empty."""
    value = optional_text(body, name, limit=limit)
    if value is None:
        raise invalid(f"{name} is required")
    return value


def optional_text(body: Mapping[str, Any], name: str, *, limit: int = MAX_TEXT) -> str | None:
    """A string, or ``None`` for null, an empty string or nothing."""
    value = body.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > limit:
        raise invalid(f"{name} must be a string of at most {limit} characters")
    return value


def choice(body: Mapping[str, Any], name: str, allowed: Sequence[str], default: str | None = None) -> str:
    """One of ``allowed``; required unless there is a default."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if value not in allowed:
        raise invalid(f"{name} must be one of: {', '.join(allowed)}")
    return str(value)


def flag(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    """A boolean."""
    value = body.get(name)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise invalid(f"{name} must be true or false")
    return value


def integer(body: Mapping[str, Any], name: str, default: int, *, low: int = 1, high: int = 2**31) -> int:
    """A whole number within bounds."""
    value = body.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise invalid(f"{name} must be a whole number between {low} and {high}")
    return value


def number(body: Mapping[str, Any], name: str, default: float | None = None) -> float:
    """A finite number; required unless there is a default."""
    value = body.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise invalid(f"{name} must be a number")
    return float(value)


def mapping(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """An object, ``{}`` for null or nothing."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid(f"{name} must be an object")
    return value


def query_number(query: Mapping[str, str], name: str) -> float | None:
    """A finite number of a query string, or ``None``."""
    raw = query.get(name)
    if raw is None or raw == "":
        return None
    try:
        value = float(raw)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise invalid(f"{name} must be a number")
    return value


def query_integer(query: Mapping[str, str], name: str, default: int, *, low: int, high: int) -> int:
    """A whole number of a query string; above ``high`` it is taken as ``high``, as pages are in the service."""
    raw = query.get(name)
    if raw is None or raw == "":
        return default
    try:
        value = int(raw)
    except ValueError:
        value = low - 1
    if value < low:
        raise invalid(f"{name} must be a whole number from {low} on")
    return min(value, high)


def query_span(request: Request) -> tuple[float, float] | None:
    """The seconds ``start`` and ``end`` of a query string, None if neither is there. Raises `ServiceError` 400."""
    start, end = query_number(request.query_params, "start"), query_number(request.query_params, "end")
    if start is None and end is None:
        return None
    return start or 0.0, 1e9 if end is None else end
