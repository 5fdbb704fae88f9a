"""Prints selected lines on a terminal, with interim transcripts redrawn in place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.events.view import Rows
from videodb_cli.commands.live import LiveRows
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.query.scan import Line

_LIVE_ROWS = 4


class RowOutput:
    """Prints rows on a terminal. An interim transcript is in a row at the bottom until a later one replaces it."""

    def __init__(self) -> None:
        self._rows = Rows(console.terminal_width(), color=console.wants_color(sys.stdout))
        self._pending: dict[str, ev.Event] = {}
        self._live = LiveRows(sys.stdout)

    def write(self, lines: Sequence[Line]) -> None:
        """Print selected events as rows. Interim transcripts stay below them until their final text comes."""
        self._rows.resize(console.terminal_width())
        printed: list[str] = []
        for line in lines:
            event = line.decode()
            if isinstance(event, dict) and ev.channel_of(event) == "transcript":
                stream = ev.stream_of(event) or ""
                self._pending.pop(stream, None)
                if not ev.is_final(event):
                    self._pending[stream] = event
                    continue
            printed.extend(self._rows.render(event))
        live = [self._rows.one_row(event) for event in list(self._pending.values())[-_LIVE_ROWS:]]
        self._live.show(live, above="".join(f"{row}\n" for row in printed))

    def close(self) -> None:
        """Leave the interim transcripts that stand below the rows where they are."""
        self._live.close(keep=True)
