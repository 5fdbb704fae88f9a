"""The last row of the screen, the row of tabs, and the page of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli import cells
from videodb_cli.render.style import Piece
from videodb_cli.render.words import safe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.render.rows import Row
    from videodb_cli.watch.view import DirectoryView

_KEYS = (
    ("↑ ↓ PgUp PgDn", "select and scroll, through the whole log"),
    ("Home, End", "oldest in memory; follow the end again"),
    ("Space", "pause, follow again"),
    ("Enter", "one event in full"),
    ("/  n  N", "search; next older, next newer"),
    ("f", "show only events with a text"),
    ("c  s", "show only a channel, a stream"),
    ("Esc", "end search, then filters"),
    ("o", "open the player"),
    ("y", "copy the event"),
    ("Tab", "next directory"),
    ("q", "leave"),
)
HELP: tuple[Row, ...] = (
    [Piece("Keys", ("bold",))],
    *([Piece(f"{keys:14} ", ("bold",)), Piece(words)] for keys, words in _KEYS),
    [Piece("Esc closes this page.", ("dim",))],
)
_HINT = "? help  q leave"


def footer_row(view: DirectoryView, width: int) -> Row:
    """Return whether the end is followed, what is filtered and searched, and what happened last."""
    window = view.window
    row = [Piece(" following ", ("reverse", "green"))]
    if not window.is_following:
        more = f" · {window.waiting} new" if window.waiting else ""
        row = [Piece(f" paused{more} ", ("reverse", "yellow"))]
    chosen = [safe(text) for text in view.filter if text]
    if chosen:
        row.append(Piece(f" only {' + '.join(chosen)}", ("cyan",)))
    if view.search:
        row.append(Piece(f" /{safe(view.search)}", ("bold", "yellow")))
    if view.notice:
        row.append(Piece(f" {safe(view.notice)}"))
    taken = sum(cells.width(piece.text) for piece in row)
    if taken + len(_HINT) + 2 <= width:
        row.append(Piece(" " * (width - taken - len(_HINT)) + _HINT, ("dim",)))
    return row


def tab_row(views: Sequence[DirectoryView], shown: int) -> Row:
    """Return the names of the directories, that of the shown one reversed, with the state of their listeners."""
    row: Row = []
    for number, view in enumerate(views):
        listener = view.facts.listener
        state = listener.state if listener is not None else "…"
        mark = "" if state == "listening" else f" ({state})"
        name = safe(view.run_dir.path.name or str(view.run_dir.path))
        row.append(Piece(f" {name}{mark} ", ("reverse",) if number == shown else ("dim",)))
    return row
