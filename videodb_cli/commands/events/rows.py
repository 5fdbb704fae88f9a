"""Selected lines onto a terminal, interim transcripts redrawn in place."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.events.view import Rows
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.scan import Line

_LIVE_ROWS = 4


class RowOutput:
    """Rows on a terminal. An interim transcript stands in a few rows at the bottom until its stream says more."""

    def __init__(self) -> None:
        self._rows = Rows(console.terminal_width(), color=console.wants_color(sys.stdout))
        self._pending: dict[str, ev.Event] = {}
        self._drawn = 0

    def write(self, lines: Sequence[Line]) -> None:
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
        console.data_text(self._erase() + "".join(row + "\n" for row in printed) + "\n".join(live))
        self._drawn = len(live)
        console.flush()

    def close(self) -> None:
        if self._drawn:
            console.data_text("\n")
            self._drawn = 0
            console.flush()

    def _erase(self) -> str:
        if not self._drawn:
            return ""
        up = f"\x1b[{self._drawn - 1}A" if self._drawn > 1 else ""
        return f"{up}\r\x1b[J"
