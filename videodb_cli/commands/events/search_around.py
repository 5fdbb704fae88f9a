"""Shows found events with what came around them: each hit marked, its words highlighted."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.commands.events.row_output import event_rows
from videodb_cli.eventlog.views.search_words import found_spans

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.views.search_words import Term


class AroundRows:
    """Prints events as rows and marks those that were found.

    Args:
        hits: The lines that were found, as they stand in the log.
        terms: What is highlighted in them.
    """

    def __init__(self, hits: AbstractSet[bytes], terms: list[Term]) -> None:
        self._hits = hits
        self._found = partial(found_spans, terms=terms)
        self._rows = event_rows()

    def write(self, lines: Sequence[Line]) -> None:
        """Print lines of the log as rows."""
        events = [(line.decode(), line.raw in self._hits) for line in lines]
        self._rows.resize(console.row_width())
        self._rows.measure(event for event, _ in events)
        for event, is_hit in events:
            for row in self._rows.render(event, found=self._found if is_hit else None, is_marked=is_hit):
                console.data(row)
        console.flush()

    def close(self) -> None:
        """Do nothing: every row is printed already."""
