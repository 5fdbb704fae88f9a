"""Lines of text on a screen, and which of them are new. Pure: boxes and texts in, decisions out."""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]

_MIN_ALPHANUMERIC = 2
_SAME_LINE_RATIO = 0.92
_SAME_ROW = 0.4  # of the height: how far the middles of two boxes of one line may lie apart
_STRIP_MARGIN = 24
_STRIP_MOST = 0.6
_CONFUSED = str.maketrans({"0": "o", "θ": "o", "1": "i", "l": "i", "|": "i", "!": "i"})


class Box(NamedTuple):
    """A rectangle in pixels of the picture."""

    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class TextLine:
    """A line of text and its box in pixels of the picture that was read."""

    text: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def height(self) -> float:
        """The height of the box in pixels."""
        return self.bottom - self.top


def join_boxes(boxes: Iterable[Box]) -> list[Box]:
    """Join boxes that stand close together on one baseline, and give the lines from top to bottom.

    Boxes further apart than they are high stay apart: they are columns.
    """
    rows: list[list[Box]] = []
    for box in sorted(boxes, key=_middle):
        row = rows[-1] if rows else []
        height = min(box.bottom - box.top, row[0].bottom - row[0].top) if row else 0.0
        if row and abs(_middle(box) - sum(map(_middle, row)) / len(row)) < _SAME_ROW * height:
            row.append(box)
        else:
            rows.append([box])
    joined: list[Box] = []
    for row in rows:
        row.sort()
        current = row[0]
        for box in row[1:]:
            if box.left - current.right <= min(current.bottom - current.top, box.bottom - box.top):
                top, bottom = min(current.top, box.top), max(current.bottom, box.bottom)
                current = Box(current.left, top, max(current.right, box.right), bottom)
            else:
                joined.append(current)
                current = box
        joined.append(current)
    return joined


def is_text(text: str) -> bool:
    """Whether this is more than a speck, a bullet or a cursor that was taken for a letter."""
    return sum(map(str.isalnum, text)) >= _MIN_ALPHANUMERIC


def strip_to_read(changed: Mask, known: Sequence[TextLine], height: int) -> tuple[int, int] | None:
    """The rows (top, bottom) of the picture that hold everything that changed, or None if all of it must be read.

    The strip never cuts a known line in two. ``changed`` may be of any size; it is stretched over the picture.
    """
    rows = [index for index, row in enumerate(changed) if row.any()]
    if not rows:
        return None
    scale = height / changed.shape[0]
    top = max(0.0, float(rows[0]) * scale - _STRIP_MARGIN)
    bottom = min(float(height), float(rows[-1] + 1) * scale + _STRIP_MARGIN)
    grown = True
    while grown:
        grown = False
        for line in known:
            if line.top < bottom and line.bottom > top and (line.top < top or line.bottom > bottom):
                top, bottom = min(top, line.top), max(bottom, line.bottom)
                grown = True
    top, bottom = max(0.0, top - 4), min(float(height), bottom + 4)
    if bottom - top > _STRIP_MOST * height:
        return None
    return int(top), int(bottom)


def new_lines(
    before: Sequence[TextLine], now: Sequence[TextLine], changed: Mask, size: tuple[int, int]
) -> list[TextLine]:
    """The lines of ``now`` that were not there before, in order.

    A line counts as new only if the picture changed where it stands, so that a misread letter on a still screen is
    never news; and a line that only moved (scrolling) is not new either. ``size`` is (width, height) of the picture.
    """
    known = {_canonical(line.text) for line in before}
    return [
        line
        for line in now
        if _canonical(line.text) not in known
        and _is_changed(line, changed, size)
        and not any(_is_moved(line, other) for other in before)
    ]


def gone_lines(
    before: Sequence[TextLine], now: Sequence[TextLine], changed: Mask, size: tuple[int, int]
) -> list[TextLine]:
    """The lines of ``before`` that are not there any more, in order."""
    return new_lines(now, before, changed, size)


def _middle(box: Box) -> float:
    return (box.top + box.bottom) / 2


def _canonical(text: str) -> str:
    """What is left of a text when everything is removed that text recognition gets wrong from one frame to the next."""
    return "".join(character for character in text.lower().translate(_CONFUSED) if character.isalnum())


def _is_changed(line: TextLine, changed: Mask, size: tuple[int, int]) -> bool:
    width, height = size
    rows, columns = changed.shape
    left = max(0, int(line.left * columns / width) - 1)
    right = int(line.right * columns / width) + 2
    top = max(0, int(line.top * rows / height) - 1)
    bottom = int(line.bottom * rows / height) + 2
    return bool(changed[top:bottom, left:right].any())


def _is_moved(line: TextLine, other: TextLine) -> bool:
    """The same words elsewhere, give or take a misread letter. Numbers must agree: `step 1` is not `step 2`."""
    if abs(line.top - other.top) < 0.5 * line.height and abs(line.left - other.left) < line.height:
        return False
    if re.findall(r"\d+", line.text) != re.findall(r"\d+", other.text):
        return False
    return SequenceMatcher(None, line.text.lower(), other.text.lower()).ratio() >= _SAME_LINE_RATIO
