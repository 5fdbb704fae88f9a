"""What could not be read: lines that are not JSON, with their places, and files that are damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.damage import DamagedError
    from videodb_cli.eventlog.read.sources import LogSource


class LinePlace(NamedTuple):
    """Where a line begins in a source. ``number`` is its line number, known only in a stream, which is read once."""

    source: LogSource
    offset: int
    number: int | None = None


class BrokenLines:
    """Collects the places of lines that are not JSON, and the errors of damaged files."""

    def __init__(self) -> None:
        self.count = 0
        self.damaged = 0
        self._places: list[LinePlace] = []
        self._damage: list[DamagedError] = []
        self._stream: LogSource | None = None
        self._block: Block | None = None
        self._lines_before = 0

    def enter(self, stream: LogSource, block: Block) -> None:
        """Begin a block of a stream. Its lines are counted now, because a stream cannot be read again."""
        if self._stream != stream:
            self._stream, self._lines_before = stream, 0
        elif self._block is not None:
            self._lines_before += self._block.data.count(b"\n")
        self._block = block

    def place(self, source: LogSource, offset: int) -> LinePlace:
        """Return the place of a line, with its number if it is in the stream that is being read."""
        if self._block is None or source != self._stream:
            return LinePlace(source, offset)
        before = self._block.data.count(b"\n", 0, offset - self._block.offset)
        return LinePlace(source, offset, self._lines_before + before + 1)

    def add(self, source: LogSource, offset: int) -> None:
        """Add a broken line that begins at ``offset``."""
        self.count += 1
        self._places.append(self.place(source, offset))

    def add_numbered(self, source: LogSource, numbers: Iterable[int], count: int) -> None:
        """Take note of so many broken lines, of which the first have these numbers."""
        self.count += count
        self._places += [LinePlace(source, 0, number) for number in numbers]

    def add_damage(self, error: DamagedError) -> None:
        """Add the error of a file that could not be read to its end."""
        self.damaged += 1
        self._damage.append(error)

    def peek_places(self) -> list[LinePlace]:
        """Places noted since the last call of `take_places`, which still gives them."""
        return self._places

    @property
    def has_damage(self) -> bool:
        """Whether damage was noted since the last call of `take_damage`."""
        return bool(self._damage)

    def take_places(self) -> list[LinePlace]:
        """Places noted since the last call."""
        noted, self._places = self._places, []
        return noted

    def take_damage(self) -> list[DamagedError]:
        """Return the errors of damaged files that were added since the last call."""
        noted, self._damage = self._damage, []
        return noted
