"""The widths of the columns, from what is in them and from the width of the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from videodb_cli import cells

if TYPE_CHECKING:
    from collections.abc import Iterable

GAP = "  "
NARROWEST = 20
_FULL_TIME, _SHORT_TIME = 12, 8
_LEAST_KIND, _MOST_KIND, _WIDE_KIND = 10, 10, 16
_LEAST_STREAM, _MOST_STREAM = 3, 32
_FOLLOWED_STREAM = 12
_WIDE = 100
# Milliseconds are left out when the words have fewer cells; the columns are put above the words with still fewer.
_WORDS_BESIDE_MILLISECONDS, _LEAST_WORDS = 36, 24
_INDENT_BELOW = 2


class Layout(NamedTuple):
    """Where things are in a row.

    Attributes:
        room: The cells of a row; None if it may be of any width, as in a pipe.
        time: The cells of the time.
        kind: The cells of the kind of an event.
        stream: The cells of the name of its stream.
        is_stacked: Whether time, kind and stream are above the words instead of before them.
    """

    room: int | None
    time: int
    kind: int
    stream: int
    is_stacked: bool = False

    @property
    def indent(self) -> int:
        """The cells before the words."""
        return _INDENT_BELOW if self.is_stacked else self.time + self.kind + self.stream + 3 * len(GAP)


class ColumnWidths:
    """Finds the widths of the columns. They grow with what comes, and never shrink, so that columns stay columns.

    Args:
        width: The cells of the terminal; None if rows may be of any width.
        time: The cells of the time, if it is not a time of day.
        is_followed: Whether more will come than can be measured now.
    """

    def __init__(self, width: int | None, *, time: int | None = None, is_followed: bool = False) -> None:
        self._time = time
        self._kind = _LEAST_KIND
        self._stream = _FOLLOWED_STREAM if is_followed else _LEAST_STREAM
        self.layout = Layout(None, 0, 0, 0)
        self.resize(width)

    def resize(self, width: int | None) -> None:
        """Use another width from now on."""
        # The last cell stays empty, because some terminals wrap as soon as it is written.
        self._room = None if width is None else max(width, NARROWEST) - 1
        self._lay_out()

    def measure(self, labels: Iterable[tuple[str, str]]) -> None:
        """Make room for kinds and streams that will be shown."""
        for kind, stream in set(labels):
            self._kind = max(self._kind, cells.width(kind))
            self._stream = max(self._stream, cells.width(stream))
        self._lay_out()

    def _lay_out(self) -> None:
        room = self._room
        most_kind = _WIDE_KIND if room is None or room >= _WIDE else _MOST_KIND
        most_stream = _MOST_STREAM if room is None else min(max(_FOLLOWED_STREAM, room // 6), _MOST_STREAM)
        full = Layout(room, self._time or _FULL_TIME, min(self._kind, most_kind), min(self._stream, most_stream))
        if room is None or room - full.indent >= _WORDS_BESIDE_MILLISECONDS:
            self.layout = full
            return
        short = full._replace(time=self._time or _SHORT_TIME)
        self.layout = short._replace(is_stacked=room - short.indent < _LEAST_WORDS)
