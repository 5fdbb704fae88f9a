"""Moments as the public API writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: float) -> str:
    """``at`` (unix seconds) as ISO 8601 in UTC."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
