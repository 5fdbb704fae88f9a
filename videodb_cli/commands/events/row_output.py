"""Prints events in columns for people; on a terminal interim transcripts are redrawn in place."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from videodb_cli import console
from videodb_cli.commands.live import LiveRows
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.model import event as ev
from videodb_cli.render.rows import EventRows
from videodb_cli.render.style import painter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from videodb_cli.eventlog.query.scan import Line

_LIVE_ROWS = 4


def event_rows(**shape: Any) -> EventRows:
    """Return rows for stdout as it is now. Takes what `EventRows` takes beside width and painter."""
    return EventRows(console.row_width(), painter(os.environ), **shape)


class RowOutput:
    """Prints events as rows.

    Args:
        redraws: Keep an interim transcript in a row at the bottom until a later one replaces it. Where no row can be
            redrawn, only what was said last is printed. Otherwise an interim transcript is a row like any other.
        is_followed: More events come than those of the first call.
        shown: Returns a line as it is shown; without it, that is as it was logged.
    """

    def __init__(
        self, *, redraws: bool = False, is_followed: bool = False, shown: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._rows = event_rows(is_followed=is_followed)
        self._shown = shown
        self._pending: dict[str, ev.Event] = {}
        self._live = LiveRows(sys.stdout) if redraws else None

    def write(self, lines: Sequence[Line]) -> None:
        """Print selected lines."""
        if self._shown is None:
            self.show(line.decode() for line in lines)
        else:
            self.show([decode(self._shown(line.raw)) for line in lines])

    def show(self, events: Iterable[Any]) -> None:
        """Print decoded lines, and flush. Raises as `console.writing` does."""
        self._rows.resize(console.row_width())
        final = [event for event in events if self._live is None or not self._is_kept(event)]
        self._rows.measure([*final, *self._pending.values()])
        above = "".join(f"{row}\n" for event in final for row in self._rows.render(event))
        if self._live is None:
            console.data_text(above)
            console.flush()
            return
        live = [self._rows.one_row(event, dim=True) for event in list(self._pending.values())[-_LIVE_ROWS:]]
        self._live.show(live, above=above)

    def _is_kept(self, event: Any) -> bool:
        """Keep an interim transcript below the others, and tell whether it is one; a final one replaces it."""
        if not isinstance(event, dict) or ev.channel_of(event) != "transcript":
            return False
        stream = ev.stream_of(event) or ""
        self._pending.pop(stream, None)
        if ev.is_final(event):
            return False
        self._pending[stream] = event
        return True

    def close(self) -> None:
        """Leave the interim transcripts that nothing has replaced where they are, or print them."""
        if self._live is None:
            return
        is_drawn = self._live.is_drawn
        self._live.close(keep=True)
        if not is_drawn and not self._live.is_possible:
            for event in self._pending.values():
                for row in self._rows.render(event):
                    console.data(row)
            console.flush()
