"""Turns rows of pieces into what Textual draws. Texts are never read as markup."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from videodb_cli import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.render.style import Piece

_NAMED = {"bold", "dim", "red", "green", "yellow", "blue", "cyan", "magenta", "underline", "reverse"}
_BRIGHT = {"94": "bright_blue"}
_BASIC = {"31": "red", "32": "green", "33": "yellow", "34": "blue", "35": "magenta", "36": "cyan"}
SELECTED = Style(reverse=True)
PLAIN = Style()


@cache
def style_of(styles: tuple[str, ...], *, color: bool = True) -> Style:
    """Return the style that these words and codes of `render.style` mean; without colour only bold, dim and such."""
    found = PLAIN
    for name in styles:
        if name in {"bold", "dim", "underline", "reverse"}:
            found += Style.parse(name)
        elif not color:
            continue
        elif name in _NAMED:
            found += Style(color=name)
        elif name.startswith("38;5;"):
            found += Style(color=f"color({name.removeprefix('38;5;')})")
        else:
            found += Style(color=_BASIC.get(name) or _BRIGHT.get(name))
    return found


def strip_of(row: Sequence[Piece], width: int, *, is_selected: bool = False, color: bool = True) -> Strip:
    """Return a row as a line of the screen, filled up to its width."""
    segments: list[Segment] = []
    left = width
    for piece in row:
        text = piece.text if cells.width(piece.text) <= left else cells.cut(piece.text, left)
        left -= cells.width(text)
        segments.append(Segment(text, style_of(piece.styles, color=color)))
        if left <= 0:
            break
    segments.append(Segment(" " * max(left, 0), PLAIN))
    if is_selected:
        segments = [Segment(text, (style or PLAIN) + SELECTED) for text, style, _ in segments]
    # Our own widths hold: they count what terminals draw, by grapheme clusters.
    return Strip(segments, width)
