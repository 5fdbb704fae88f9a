"""From blocks of raw lines to the events that a selection means."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.eventlog.decode import decode
from videodb_cli.eventlog.reader import Block, count_lines, iter_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from videodb_cli.eventlog.selection import Selection
    from videodb_cli.eventlog.sources import Source


class Line(NamedTuple):
    """One selected line: where it stands, its bytes without the newline, and what they decode to."""

    offset: int
    raw: bytes
    event: Any


class BrokenLines:
    """Counts lines that are not JSON, and knows where they stand."""

    def __init__(self) -> None:
        self.count = 0
        self._where: list[tuple[Source, int]] = []
        self._lines_before: tuple[Source | None, int, int] = (None, 0, 0)

    def add(self, source: Source, offset: int) -> None:
        """Take note of a broken line that begins at ``offset``."""
        self.count += 1
        self._where.append((source, offset))

    def take(self) -> Iterator[tuple[str, int | None]]:
        """Name and line number of each one noted since the last call; no number where it cannot be read again."""
        noted, self._where = self._where, []
        for source, offset in noted:
            yield source.name, None if source.is_stream else count_lines(source, offset) + 1


class Scanner:
    """Applies one selection to blocks. Lines that are not JSON go to ``broken`` instead."""

    def __init__(self, selection: Selection, broken: BrokenLines) -> None:
        self._tests = selection.tests()
        self._broken = broken

    def lines(self, source: Source, block: Block) -> list[Line]:
        """The selected lines of a block, in order."""
        return list(self._select(source, iter_lines(block)))

    def lines_backwards(self, source: Source, block: Block) -> Iterator[Line]:
        """The same, last line first, looking no further than the caller asks."""
        return self._select(source, reversed(list(iter_lines(block))))

    def _select(self, source: Source, lines: Iterable[tuple[int, bytes]]) -> Iterator[Line]:
        for offset, raw in lines:
            try:
                event = decode(raw)
            except ValueError:
                if not raw.isspace():
                    self._broken.add(source, offset)
                continue
            if self._means(event):
                yield Line(offset, raw, event)

    def _means(self, event: Any) -> bool:
        if not self._tests:
            return True
        return isinstance(event, dict) and all(test(event) for test in self._tests)
