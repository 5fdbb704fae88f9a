"""Limits a selection to its first events."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.eventlog.read.decode import is_own_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.query.scan import Line


class Limit:
    """Counts events up to a number; the listener's own lines pass without being counted."""

    def __init__(self, number: int | None) -> None:
        self._left = number

    @property
    def is_reached(self) -> bool:
        """Whether no more lines may pass."""
        return self._left is not None and self._left <= 0

    def take(self, lines: Sequence[Line]) -> list[Line]:
        """Return those of the lines that may still pass."""
        if self._left is None:
            return list(lines)
        kept: list[Line] = []
        for line in lines:
            if self._left <= 0:
                break
            kept.append(line)
            self._left -= not is_own_line(line.raw)
        return kept
