"""A line becomes what ``json.loads`` makes of it, mostly by way of something faster."""

from __future__ import annotations

import json
from typing import Any


def decode(line: bytes) -> Any:
    """The value of one line. Raises ``ValueError`` when it is not JSON.

    orjson refuses what older scripts wrote and ``json.loads`` reads (``NaN``, half a surrogate pair), so its refusal is
    not the last word.
    """
    import orjson

    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return decode_slowly(line)


def decode_slowly(line: bytes) -> Any:
    """By the standard library alone. Raises ``ValueError``."""
    try:
        return json.loads(line.decode())
    except RecursionError:
        raise ValueError("nested too deeply") from None
