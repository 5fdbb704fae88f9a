"""Shows found events with what came around them: each hit marked, its words highlighted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from videodb_cli import console
from videodb_cli.commands.events.row_output import event_rows
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.views.search_words import found_spans

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from collections.abc import Set as AbstractSet

    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.views.search_words import Term


class AroundRows:
    """Prints events as rows and marks those that were found.

    Args:
        hits: The lines that were found, as they stand in the log.
        terms: What is highlighted in them.
        shown: Returns a line as it is shown; without it, that is as it was logged.
    """

    def __init__(
        self, hits: AbstractSet[bytes], terms: list[Term], shown: Callable[[bytes], bytes] | None = None
    ) -> None:
        self._shown = shown
        self._hits = hits
        self._found = partial(found_spans, terms=terms)
        self._rows = event_rows()

    def write(self, lines: Sequence[Line]) -> None:
        """Print lines of the log as rows."""
        events = [(self._decoded(line), line.raw in self._hits) for line in lines]
        self._rows.resize(console.row_width())
        self._rows.measure(event for event, _ in events)
        for event, is_hit in events:
            for row in self._rows.render(event, found=self._found if is_hit else None, is_marked=is_hit):
                console.data(row)
        console.flush()

    def _decoded(self, line: Line) -> Any:
        return line.decode() if self._shown is None else decode(self._shown(line.raw))

    def close(self) -> None:
        """Do nothing: every row is printed already."""
