"""Extracts from a log what its search index holds: the texts of lines, and what could not be read."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, Self

import orjson

from videodb_cli.eventlog.query.fast.partial_decode import partial_decoder
from videodb_cli.eventlog.query.scan import is_regular, is_utf8
from videodb_cli.eventlog.read.block import iter_lines
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.views.search_tokens import for_index
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.broken import LinePlace
    from videodb_cli.eventlog.read.sources import LogSource

# The numbers of the first broken lines are kept; the others are only counted.
_KEPT_NUMBERS = 100
_PATHS = [("channel",), *ev.TEXT_PATHS]


class ReadFaults:
    """What could not be read of an indexed file. It is stored, because the next search does not read the file again."""

    def __init__(
        self,
        lines: int = 0,
        count: int = 0,
        numbers: Sequence[int] = (),
        damage: Sequence[tuple[str, str | None]] = (),
        *,
        is_torn: bool = False,
    ) -> None:
        """``lines`` were read; ``count`` of them are not JSON, of which the first have these ``numbers``.

        ``damage`` ended the reading; ``is_torn`` says that a line followed that has no end.
        """
        self.lines = lines
        self.count = count
        self.numbers = list(numbers)
        self.damage = list(damage)
        self.is_torn = is_torn

    @classmethod
    def of(cls, text: str) -> Self:
        """Read the JSON that `text` returned."""
        if not text:
            return cls()
        *fields, is_torn = orjson.loads(text)
        return cls(*fields, is_torn=is_torn)

    def text(self) -> str:
        """Return the faults as JSON."""
        return orjson.dumps([self.lines, self.count, self.numbers, self.damage, self.is_torn]).decode()

    def take(self, places: Sequence[LinePlace], block: Block) -> None:
        """Count the lines of a block and the broken ones among them."""
        for place in places:
            self.count += 1
            if len(self.numbers) < _KEPT_NUMBERS:
                self.numbers.append(self.lines + block.data.count(b"\n", 0, place.offset - block.offset) + 1)
        self.lines += block.data.count(b"\n")

    def tell(self, source: LogSource, broken: BrokenLines) -> None:
        """Hand on what is known."""
        numbers = [*self.numbers, self.lines + 1] if self.is_torn else self.numbers
        broken.add_numbered(source, numbers, self.count + self.is_torn)
        for message, hint in self.damage:
            broken.add_damage(DamagedError(message, hint=hint))


class Indexer:
    """Finds the texts of a file's lines with their offsets, and counts the lines that are broken."""

    def __init__(self, source: LogSource) -> None:
        self._source = source
        self._decoder = partial_decoder(_PATHS)
        self.broken = BrokenLines()
        self.faults = ReadFaults()

    def begin(self, faults: ReadFaults) -> None:
        """Continue after what was read before. A last line that was torn may be whole by now."""
        self.faults = faults
        self.faults.is_torn = False
        self.broken = BrokenLines()

    def take(self, block: Block) -> int:
        """Count the lines of a block whose texts were taken. Returns the offset after the block."""
        self.faults.take(self.broken.take_places(), block)
        return block.offset + len(block.data)

    def end(self) -> ReadFaults:
        """Return what could not be read, a torn last line and damage included."""
        self.faults.is_torn = bool(self.broken.take_places())
        self.faults.damage += [(error.message, error.hint) for error in self.broken.take_damage()]
        return self.faults

    def texts(self, block: Block) -> Iterator[tuple[int, str]]:
        """Yield offset and words of every event with a text that is not the listener's own."""
        data = block.data
        count = is_regular(data)
        if count and is_utf8(data):
            try:
                events: list[Any] = self._decoder.decode_lines(data)
            except (ValueError, RecursionError):
                events = []
            if len(events) == count:
                lengths = (len(line) + 1 for line in data.split(b"\n"))
                offsets = itertools.accumulate(lengths, initial=block.offset)
                yield from _with_text(zip(offsets, events, strict=False))
                return
        yield from _with_text(self._decoded(block))

    def _decoded(self, block: Block) -> Iterator[tuple[int, Any]]:
        for offset, raw in iter_lines(block):
            try:
                yield offset, decode(raw)
            except ValueError:
                if not raw.isspace():
                    self.broken.add(self._source, offset)


def _with_text(events: Any) -> Iterator[tuple[int, str]]:
    for offset, event in events:
        if isinstance(event, dict) and not ev.is_own(event):
            text = ev.text_of(event)
            if text:
                yield offset, for_index(text)
