"""Decodes a line as ``json.loads`` does, mostly with a faster library."""

from __future__ import annotations

import json
from typing import Any

from videodb_cli.model.event import is_own


def decode(line: bytes) -> Any:
    """Return the value of one line. Raises ``ValueError`` when it is not JSON.

    orjson refuses some lines that older scripts wrote and ``json.loads`` reads (``NaN``, half a surrogate pair). Those
    are decoded again with the standard library.
    """
    import orjson

    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return decode_slowly(line)


def decode_slowly(line: bytes) -> Any:
    """Decode with the standard library alone. Raises ``ValueError``."""
    try:
        return json.loads(line.decode(), parse_int=_parse_int)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _parse_int(digits: str) -> int | float:
    # Python refuses integers of more than 4300 digits, which are valid JSON.
    return int(digits) if len(digits) < 4000 else float(digits)


def is_own_line(line: bytes) -> bool:
    """Tell whether the listener wrote this line about itself."""
    if b"videodb_cli" not in line and b"\\u00" not in line:
        return False
    event = decode(line)
    return isinstance(event, dict) and is_own(event)
