"""Bars for numbers: as long as their share of the largest one, in eighths of a cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

_WHOLE = "█"
_PARTS = ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")
_LEAST, _MOST = 8, 40
_GAP = 2


def bar(value: int, largest: int, room: int) -> str:
    """Return a bar of at most ``room`` cells. What is not 0 is at least an eighth of a cell long."""
    if value <= 0 or largest <= 0:
        return ""
    eighths = max(1, round(8 * room * value / largest))
    return _WHOLE * (eighths // 8) + _PARTS[eighths % 8]


def with_bars(rows: Sequence[str], values: Sequence[int], room: int) -> list[str]:
    """Return rows with a bar behind each that has a value; as they are if there is too little room.

    Args:
        rows: Rows of text. The first is a heading, and those behind the values have no bar.
        values: The values of the rows behind the heading.
        room: The cells of a row with its bar.
    """
    taken = max(map(cells.width, rows), default=0)
    left = min(room - taken - _GAP, _MOST)
    if left < _LEAST or not values:
        return list(rows)
    largest = max(values)
    drawn = ["", *(bar(value, largest, left) for value in values)]
    drawn += [""] * (len(rows) - len(drawn))
    return [f"{cells.pad(row, taken + _GAP)}{one}".rstrip() for row, one in zip(rows, drawn, strict=True)]
