"""Formats JSON text as jq does: indented, sorted or coloured, with the original digits of numbers."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_KEY, _STRING, _NULL, _FALSE, _TRUE, _NUMBER = "1;34", "0;32", "0;90", "0;39", "0;39", "0;39"
_MARK = "1;39"
_UNSAFE = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"


class _Digits(str):
    """A number as it was written."""

    __slots__ = ()


class Style(NamedTuple):
    """How values are written. ``unit`` is the indentation of one level; None means compact.

    ``safe`` escapes characters that control a terminal or reorder its lines.
    """

    unit: str | None = None
    sort_keys: bool = False
    color: bool = False
    safe: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether compact JSON text needs no change."""
        return self == Style()


def restyle(text: str, style: Style) -> str:
    """Return the same value in another style. Raises ``ValueError`` for text that is not JSON."""
    value = json.loads(text, parse_int=_Digits, parse_float=_Digits, parse_constant=lambda _: None)
    return _write(value, style, 0)


def quote(text: str) -> str:
    """Return a string as jq writes it."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def escape_unsafe(text: str) -> str:
    r"""Control characters but newline and tab, and those that reorder text, as ``\u`` escapes that JSON reads back."""
    if text.isascii() and text.isprintable():
        return text
    return re.sub(_UNSAFE, lambda match: f"\\u{ord(match[0]):04x}", text)


def _paint(text: str, code: str, style: Style) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if style.color else text


def _quoted(text: str, style: Style) -> str:
    return escape_unsafe(quote(text)) if style.safe else quote(text)


def _write(value: Any, style: Style, depth: int) -> str:
    if isinstance(value, _Digits):
        return _paint(str(value), _NUMBER, style)
    if isinstance(value, str):
        return _paint(_quoted(value, style), _STRING, style)
    if value is None:
        return _paint("null", _NULL, style)
    if isinstance(value, bool):
        return _paint("true" if value else "false", _TRUE if value else _FALSE, style)
    if isinstance(value, list):
        return _enclose("[", [_write(item, style, depth + 1) for item in value], "]", style, depth)
    keys = sorted(value) if style.sort_keys else value
    colon = _paint(":", _MARK, style) + ("" if style.unit is None else " ")
    items = [_paint(_quoted(key, style), _KEY, style) + colon + _write(value[key], style, depth + 1) for key in keys]
    return _enclose("{", items, "}", style, depth)


def _enclose(left: str, items: list[str], right: str, style: Style, depth: int) -> str:
    if not items:
        return _paint(left + right, _MARK, style)
    left, right = _paint(left, _MARK, style), _paint(right, _MARK, style)
    comma = _paint(",", _MARK, style)
    if style.unit is None:
        return left + comma.join(items) + right
    inner, outer = "\n" + style.unit * (depth + 1), "\n" + style.unit * depth
    return left + inner + f"{comma}{inner}".join(items) + outer + right
