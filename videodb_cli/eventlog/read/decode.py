"""A line becomes what ``json.loads`` makes of it, mostly by way of something faster."""

from __future__ import annotations

import json
from typing import Any

from videodb_cli.model.event import is_own


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
        return json.loads(line.decode(), parse_int=_parse_int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _parse_int(digits: str) -> int | float:
    # Python refuses to read integers of more than 4300 digits; to everybody else they are numbers.
    return int(digits) if len(digits) < 4000 else float(digits)


def is_own_line(line: bytes) -> bool:
    """Whether the listener wrote this line about itself."""
    if b"videodb_cli" not in line and b"\\u00" not in line:
        return False
    event = decode(line)
    return isinstance(event, dict) and is_own(event)
