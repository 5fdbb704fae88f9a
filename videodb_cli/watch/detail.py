"""One event in full, as rows: its JSON with an indent, coloured, every character of it safe for a terminal."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from videodb_cli import cells
from videodb_cli.render.style import Piece
from videodb_cli.render.words import safe

if TYPE_CHECKING:
    from videodb_cli.render.rows import Row

_MOST_LINES = 5000
_MOST_OF_A_LINE = 20_000
_KEY = re.compile(r'(\s*)("(?:[^"\\]|\\.)*")(: )')
_ADDRESS_KEYS = ("player_url", "stream_url", "url")


def detail_rows(event: Any, width: int) -> list[Row]:
    """Return an event as rows of at most so many cells; of one that is very long, the beginning."""
    lines = json.dumps(event, indent=2, ensure_ascii=False, default=str).split("\n")
    rows: list[Row] = []
    for line in lines[:_MOST_LINES]:
        rows += _wrapped(line, width)
    if len(lines) > _MOST_LINES:
        rows.append([Piece(f"… {len(lines) - _MOST_LINES:,} more lines", ("dim",))])
    return rows


def _wrapped(line: str, width: int) -> list[Row]:
    cut = len(line) - _MOST_OF_A_LINE
    indent = len(line) - len(line.lstrip(" "))
    key = _KEY.match(line)
    head = safe(key[2]) + ": " if key else ""
    text = safe(line[key.end() if key else indent : _MOST_OF_A_LINE])
    style = _style_of_value(text)
    margin = min(indent, max(width - 10, 0))
    whole = head + text + (f" … {cut:,} more characters" if cut > 0 else "")
    rows: list[Row] = []
    for begin, end in cells.wrapped(whole, max(width - margin, 4)):
        row = [Piece(" " * margin)]
        if begin < len(head):
            row.append(Piece(whole[begin : min(end, len(head))], ("bold", "blue")))
        row.append(Piece(whole[max(begin, len(head)) : end], style))
        rows.append(row)
    return rows


def _style_of_value(text: str) -> tuple[str, ...]:
    if text.startswith('"'):
        return ("green",)
    return () if text[:1] in {"{", "[", "}", "]", ""} else ("cyan",)


def player_address(event: Any) -> str | None:
    """Return the address of the player or stream that an event names; None unless it is a web address."""
    places = [event, event.get("data")] if isinstance(event, dict) else []
    for key in _ADDRESS_KEYS:
        for place in places:
            value = place.get(key) if isinstance(place, dict) else None
            if isinstance(value, str) and re.fullmatch(r"https?://[!-~]+", value):
                return value
    return None
