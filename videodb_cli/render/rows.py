"""Shows events as rows in columns: time, kind, stream, words. Every command that shows events to people uses this."""

from __future__ import annotations

from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from videodb_cli import cells
from videodb_cli.model import event as ev
from videodb_cli.render import words as said
from videodb_cli.render.layout import GAP, ColumnWidths, Layout
from videodb_cli.render.style import Painter, Piece, addresses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Spans = list[tuple[int, int]]
Row = list[Piece]

_FOUND = ("bold", "yellow")
_MARK = "▸ "
_BELOW = "  "
_LEAST_BESIDE = 16
_NARROW_STREAM = 8
_MOST_IN_A_ROW = 4000


class EventRows:
    """Turns events into rows for one terminal; remembers the day of the last event.

    Args:
        width: The cells of the terminal; None for rows of any width, one for each event.
        painter: What the terminal can show.
        today: The day that needs no rule above its events. By default today.
        time_of: Returns the text of the time of an event, of at most ``time_width`` cells, if it is no time of day.
        is_followed: Whether more events will come than the first ones.
    """

    def __init__(
        self,
        width: int | None,
        painter: Painter = Painter(),  # noqa: B008 - it cannot be changed
        *,
        today: date | None = None,
        time_of: Callable[[ev.Event], str] | None = None,
        time_width: int | None = None,
        is_followed: bool = False,
    ) -> None:
        self._columns = ColumnWidths(width, time=time_width, is_followed=is_followed)
        self._painter = painter
        self._time_of = time_of
        self._day = today or datetime.now().date()  # noqa: DTZ005 - local days are meant

    def resize(self, width: int | None) -> None:
        """Use another width from now on."""
        self._columns.resize(width)

    @property
    def layout(self) -> Layout:
        """Where things are in a row now; rows that were made with another one no longer fit."""
        return self._columns.layout

    def follow_on(self, event: Any) -> None:
        """Show the next event as the one behind this one: of another day it gets a rule above it."""
        if isinstance(event, dict):
            self._new_day(event)

    def measure(self, events: Iterable[Any]) -> None:
        """Make room for these events before they are shown."""
        self._columns.measure(
            # The ids of sessions are long and in few rows: they reach into the words instead.
            (said.channel_label(event)[1], said.stream_label(event) if ev.stream_of(event) else "")
            for event in events
            if isinstance(event, dict) and not said.is_rule(event)
        )

    def render(self, event: Any, *, found: Callable[[str], Spans] | None = None, is_marked: bool = False) -> list[str]:
        """Return the rows of an event: a rule for a gap, a stall or a new day, else its columns with all its words.

        Args:
            event: A decoded line of the log.
            found: Returns the places of the words to highlight.
            is_marked: Mark it as one of those that were looked for.
        """
        return [self._painter.paint(row) for row in self.pieces(event, found=found, is_marked=is_marked)]

    def pieces(self, event: Any, *, found: Callable[[str], Spans] | None = None, is_marked: bool = False) -> list[Row]:
        """Return the rows of `render` before they are painted."""
        layout = self._columns.layout
        if not isinstance(event, dict):
            text = said.plain(event)
            return [[Piece(text[begin:end])] for begin, end in _wrapped(text, layout.room)]
        rows = self._new_day(event)
        if said.is_rule(event):
            return [*rows, *_rule(said.rule_words(event), "yellow", layout.room)]
        text = said.words(event)
        spans = [] if found is None else found(text)
        if ev.is_recovered(event):
            text += " (recovered)"
        dim = ("dim",) if ev.is_own(event) or ev.is_interim(event) else ()
        return [*rows, *self._below_head(event, layout, text, spans, dim, is_marked=is_marked)]

    def one_row(self, event: ev.Event, *, dim: bool = False) -> str:
        """Return an event as one row, its words cut to the width."""
        layout = self._columns.layout
        head = self._head(event, layout)
        if layout.is_stacked:
            _, kind, stream = head
            head = [_cut(stream, _NARROW_STREAM) if stream.text else kind]
        row = _joined(head)
        text = said.words(event, _MOST_IN_A_ROW)
        if layout.room is not None:
            text = cells.cut(text, layout.room - _width(row))
        return self._painter.paint([*row, Piece(text, ("dim",) if dim else ())])

    def excerpt(self, event: ev.Event, cut: Callable[[int | None], tuple[str, Spans]]) -> list[str]:
        """Return an event with one line of its words.

        ``cut`` returns that line, of at most so many cells, and the places to highlight.
        """
        layout = self._columns.layout
        text, spans = cut(None if layout.room is None else layout.room - layout.indent)
        rows = self._below_head(event, layout, text, spans, (), is_marked=False)
        return [self._painter.paint(row) for row in rows]

    def _below_head(
        self, event: ev.Event, layout: Layout, text: str, spans: Spans, styles: tuple[str, ...], *, is_marked: bool
    ) -> list[Row]:
        """Return the head of an event and its words behind it, or below it if there is too little room."""
        head = _joined(self._head(event, layout), aligned=layout)
        room = layout.room
        taken = _width(head)
        is_beside = room is None or (not layout.is_stacked and room - taken >= _LEAST_BESIDE)
        rows = [head] if is_beside else _folded(self._head(event, layout), room or taken)
        margin = " " * taken if is_beside else _BELOW
        links = addresses(text) if self._painter.links else []
        for number, (begin, end) in enumerate(_wrapped(text, None if room is None else room - len(margin))):
            line = _pieces(text, begin, end, spans, links, styles)
            is_first = is_beside and number == 0
            if is_first and room is not None and taken + _width(line) > room and begin < end:
                is_first = False  # an address that is wider than its column: in a row of its own more of it fits
            if is_first:
                if is_marked:
                    rows[-1] = [*_without_gap(head), Piece(_MARK, _FOUND)]
                rows[-1] = [*rows[-1], *line]
            else:
                is_too_wide = room is not None and len(margin) + _width(line) > room
                rows.append([Piece(_BELOW if is_too_wide else margin), *line])
        return [_trimmed(row) for row in rows]

    def _head(self, event: ev.Event, layout: Layout) -> list[Piece]:
        """Return time, kind and stream."""
        channel, label = said.channel_label(event)
        stream = said.stream_label(event)
        time_of = self._time_of or (lambda one: said.clock_text(ev.received_at(one), layout.time))
        return [
            Piece(time_of(event), ("dim",)),
            Piece(cells.cut(label, layout.kind), self._painter.style_of_channel(channel)),
            Piece(said.shortened(stream, layout.stream), self._painter.style_of_name(stream)),
        ]

    def _new_day(self, event: ev.Event) -> list[Row]:
        at = None if self._time_of is not None else ev.received_at(event)
        if at is None:
            return []
        try:
            day = datetime.fromtimestamp(at).date()  # noqa: DTZ006 - local days are meant
        except (OverflowError, ValueError, OSError):
            return []
        if day == self._day:
            return []
        self._day = day
        return _rule(f"{day:%A} {day.day} {day:%B %Y}", "dim", self._columns.layout.room)


def _wrapped(text: str, room: int | None) -> list[tuple[int, int]]:
    return [(0, len(text))] if room is None else cells.wrapped(text, room)


def _width(row: Sequence[Piece]) -> int:
    return sum(cells.width(piece.text) for piece in row)


def _cut(piece: Piece, room: int) -> Piece:
    return piece._replace(text=cells.cut(piece.text, room))


def _joined(head: Sequence[Piece], *, aligned: Layout | None = None) -> Row:
    """Return the parts of a head with gaps between and behind them, filled up to the columns of a layout."""
    columns = (
        (0,) * len(head) if aligned is None or aligned.is_stacked else (aligned.time, aligned.kind, aligned.stream)
    )
    row: Row = []
    for piece, column in zip(head, columns, strict=True):
        row += [piece, Piece(" " * max(0, column - cells.width(piece.text)) + GAP)]
    return row


def _without_gap(head: Row) -> Row:
    *before, gap = head
    return [*before, gap._replace(text=gap.text[: -len(_MARK)])]


def _folded(head: Sequence[Piece], room: int) -> list[Row]:
    """Return the parts of a head in as few rows as they need, single spaces between them."""
    rows: list[Row] = []
    left = 0
    for piece in head:
        if not piece.text:
            continue
        taken = cells.width(piece.text)
        if rows and taken < left:
            rows[-1] += [Piece(" "), piece]
            left -= taken + 1
        else:
            rows.append([piece if cells.is_whole(piece.text) else _cut(piece, room)])
            left = room - taken
    return rows


def _pieces(text: str, begin: int, end: int, spans: Spans, links: Spans, styles: tuple[str, ...]) -> Row:
    """Return a line of a text in pieces: what is highlighted, what is a link, and the rest."""
    edges = sorted({begin, end, *(edge for span in (*spans, *links) for edge in span if begin < edge < end)})
    row = []
    for left, right in pairwise(edges):
        is_found = any(a <= left < b for a, b in spans)
        link = next((text[a:b] for a, b in links if a <= left < b), None)
        row.append(Piece(text[left:right], _FOUND if is_found else styles, link))
    return row


def _trimmed(row: Row) -> Row:
    """Return a row without spaces at its end."""
    row = list(row)
    while row:
        last = row.pop()
        if text := last.text.rstrip(" "):
            return [*row, last._replace(text=text)]
    return row


def _rule(text: str, style: str, room: int | None) -> list[Row]:
    """Return a rule as wide as the terminal with a text in it; the rest of a long text is below."""
    if room is None:
        return [[Piece(f"──── {text} ────", (style,))]]
    (begin, end), *below = cells.wrapped(text, room - 4)
    inside = text[begin:end].removesuffix(" ·")
    left = max(0, (room - cells.width(inside) - 2) // 2)
    rule = f"{'─' * left} {inside} "
    rows = [rule + "─" * max(0, room - cells.width(rule)), *(f"{_BELOW}{text[a:b]}" for a, b in below)]
    return [[Piece(row, (style,))] for row in rows]
