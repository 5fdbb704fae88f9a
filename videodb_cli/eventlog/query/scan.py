"""From blocks of raw lines to the lines that are meant, in stages that each leave less for the next.

1. Time becomes a byte range before a block is read (``timerange``).
2. Bytes that a line must hold (``needles``); may only reject.
3. A decode of just the fields that are asked about (``partial``), many lines in one call.
4. A full decode, for what the third stage could not make out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.eventlog.read.block import Block, iter_lines
from videodb_cli.eventlog.read.decode import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from videodb_cli.eventlog.query.prefilter import Prefilter
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.broken import BrokenLines
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.model.event import Event

# Above this share of lines that hold a needle, going from one to the next costs more than decoding every line.
_DENSE = 0.35
_USUAL_LINE = 300
_RECOUNT = 64
_OPEN = ord("{")


class Line(NamedTuple):
    """One selected line: where it stands, and its bytes without the newline."""

    offset: int
    raw: bytes

    def decode(self) -> Any:
        """The whole of it, as ``json.loads`` gives it."""
        return decode(self.raw)


class SelectionPlan(NamedTuple):
    """What is asked of a line: conditions that must all hold, the fields they look at, and bytes it must hold.

    ``by_columns`` is the same as ``tests`` for a whole block, faster: how many lines it has, and which are selected.
    It raises as ``Columns.read`` does. ``takes_any`` says that the tests are made for values of any kind;
    otherwise only an object can be selected.
    """

    tests: tuple[Callable[[Event], bool], ...] = ()
    paths: frozenset[tuple[str, ...]] = frozenset()
    needles: tuple[Prefilter, ...] = ()
    by_columns: Callable[[bytes], tuple[int, list[int]]] | None = None
    takes_any: bool = False

    def and_(self, other: SelectionPlan) -> SelectionPlan:
        """What both ask."""
        if not self.tests or not other.tests:
            return self if self.tests else other
        return SelectionPlan(self.tests + other.tests, self.paths | other.paths, self.needles + other.needles)


def plan_of(selection: Selection) -> SelectionPlan:
    """The plan that finds exactly what ``selection.matches``."""
    tests = tuple(selection.tests())
    if not tests:
        return SelectionPlan()
    from videodb_cli.eventlog.query.prefilter import of_selection

    return SelectionPlan(tests, frozenset(selection.paths()), tuple(of_selection(selection)))


class Scanner:
    """Applies one plan to blocks. Lines that are not JSON go to ``broken`` instead.

    Unless ``thorough``, a line that the second stage rejects is looked at only for its shape (``{…}``), so what is
    broken inside of it goes unnoticed; what is selected is the same either way.
    """

    def __init__(self, plan: SelectionPlan, broken: BrokenLines, *, thorough: bool = True) -> None:
        self._tests = plan.tests
        self.broken = broken
        self._thorough = thorough
        self._needles = list(plan.needles)
        self._blocks = 0
        self._is_dense = False
        self._by_columns = plan.by_columns
        self._takes_any = plan.takes_any
        self._decoder: Any = None
        if self._tests:
            from videodb_cli.eventlog.query.fast.partial_decode import partial_decoder

            self._decoder = partial_decoder(plan.paths)

    def raw_lines(self, source: LogSource, block: Block) -> list[bytes]:
        """The selected lines of a block, in order, without their newlines."""
        data = block.data
        if self._tests and is_regular(data):
            kept = self._staged(data)
            if kept is not None:
                return kept
        return [line.raw for line in self._one_by_one(source, iter_lines(block))]

    def lines(self, source: LogSource, block: Block) -> list[Line]:
        """The same with their offsets."""
        data = block.data
        if self._tests and is_regular(data):
            kept = self._staged(data)
            if kept is not None:
                return list(locate(block, kept))
        return list(self._one_by_one(source, iter_lines(block)))

    def lines_backwards(self, source: LogSource, block: Block) -> Iterator[Line]:
        """The same, last line first, looking no further than the caller asks where that is cheaper."""
        if self._tests and len(block.data) > 1 << 15:
            yield from reversed(self.lines(source, block))
        else:
            yield from self._one_by_one(source, reversed(list(iter_lines(block))))

    def _staged(self, data: bytes) -> list[bytes] | None:
        """Stages two and three for a block of regular lines; None when a line needs a look of its own."""
        lines = None if self._thorough or not self._needles else self._holding(data)
        if lines is not None and not lines:
            return []
        try:
            count, hits = self._hits(data if lines is None else b"\n".join(lines))
        except (ValueError, RecursionError):
            return None if lines is None else self._sparse(lines)
        if not hits and not self._thorough:
            return []
        if lines is None:
            lines = data.split(b"\n")
            lines.pop()
        if count != len(lines):
            return None  # a line holds two values, so that they do not stand side by side
        kept = [lines[index] for index in hits]
        # The third stage does not look at the encoding of what it skips.
        return kept if is_utf8(data if self._thorough else b"\n".join(kept)) else None

    def _hits(self, data: bytes) -> tuple[int, list[int]]:
        """How many lines there are, and which of them fulfil all tests."""
        if self._by_columns is not None:
            return self._by_columns(data)
        events = self._decoder.decode_lines(data)
        hits: list[int] = [index for index, event in enumerate(events) if self._tests[0](event)]
        for test in self._tests[1:]:
            hits = [index for index in hits if test(events[index])]
        return len(events), hits

    def _sparse(self, lines: list[bytes]) -> list[bytes] | None:
        """The same one by one; None when a line is broken, so that it is reported with its place."""
        kept: list[bytes] = []
        for raw in lines:
            try:
                event = decode(raw)
            except ValueError:
                return None
            if self._means(event):
                kept.append(raw)
        return kept

    def _holding(self, data: bytes) -> list[bytes] | None:
        """The lines that hold what is needed; None when that is no help."""
        most = int(len(data) / _USUAL_LINE * _DENSE) + 16
        if self._blocks % _RECOUNT == 0:
            # Which needle is the rarest, and whether it is rare enough, is much the same in the blocks that follow.
            self._needles.sort(key=lambda needles: _count(needles, data))
            self._is_dense = _count(self._needles[0], data) > most
        self._blocks += 1
        needles = self._needles[0]
        if self._is_dense or any(_find(undone, data) >= 0 for undone in needles.undone_by):
            return None
        if not all(_leads_to_objects(key, data) for key in needles.objects):
            return None
        return _lines_with(needles, data, limit=most)

    def _one_by_one(self, source: LogSource, lines: Iterable[tuple[int, bytes]]) -> Iterator[Line]:
        for offset, raw in lines:
            try:
                event = decode(raw)
            except ValueError:
                if not raw.isspace():
                    self.broken.add(source, offset)
                continue
            if self._means(event):
                yield Line(offset, raw)

    def _means(self, event: Any) -> bool:
        if not self._tests:
            return True
        return (self._takes_any or isinstance(event, dict)) and all(test(event) for test in self._tests)


def is_regular(data: bytes | memoryview) -> int:
    """How many lines there are if every one looks like ``{…}``, so that none is blank, torn, or spans two; else 0.

    If a decode then gives as many values, each line holds one: a line with two would need one with none.
    """
    import stringzilla as sz

    if len(data) < 3 or data[0] != _OPEN or bytes(data[-2:]) != b"}\n":
        return 0
    count = int(sz.count(data, b"\n"))
    return count if int(sz.count(data, b"}\n{")) == count - 1 else 0


def countable_lines(data: bytes | memoryview, *, thorough: bool) -> int:
    """How many values a decode of the whole block must give, if its lines can be told apart by that; else 0.

    Unless ``thorough``, what is broken in the encoding of fields that nobody asks for goes unnoticed.
    """
    return is_regular(data) if not thorough or is_utf8(bytes(data)) else 0


def is_utf8(data: bytes) -> bool:
    """Whether bytes are valid UTF-8."""
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _find(needle: bytes, data: bytes, start: int = 0) -> int:
    import stringzilla as sz

    return int(sz.find(data, needle, start))


def _leads_to_objects(key: bytes, data: bytes) -> bool:
    """Whether behind each of these keys in a block stands an object, or null."""
    import stringzilla as sz

    left = int(sz.count(data, key))
    for value in (b":{", b": {", b":null", b": null"):  # mostly the first accounts for all
        left -= int(sz.count(data, key + value)) if left else 0
    return not left


def _count(needles: Prefilter, data: bytes) -> int:
    """How often needles stand in a block."""
    import stringzilla as sz

    if needles.uncased:
        return len(_lines_with(needles, data, limit=len(data)) or ())
    return sum(int(sz.count(data, needle)) for needle in needles.any_of)


def _lines_with(needles: Prefilter, data: bytes, limit: int) -> list[bytes] | None:
    """The lines that hold one of the needles, in order; None when they are more than ``limit``."""
    import stringzilla as sz

    search = sz.find
    if needles.uncased:
        search = getattr(sz, "utf8_uncased_search", None) or sz.utf8_case_insensitive_find  # its name before 5
    found: dict[int, bytes] = {}
    for needle in needles.any_of:
        at = search(data, needle)
        while at >= 0:
            begin, end = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
            found[begin] = data[begin:end]
            if len(found) > limit:
                return None
            at = search(data, needle, end)
    if len(needles.any_of) > 1:
        return [found[begin] for begin in sorted(found)]
    return list(found.values())


def lines_holding(needles: Prefilter, block: Block) -> Iterator[Line]:
    """The lines of a block that can hold one of the needles."""
    lines = None
    if all(_find(undone, block.data) < 0 for undone in needles.undone_by):
        lines = _lines_with(needles, block.data, limit=1 << 30)
    return locate(block, [raw for _, raw in iter_lines(block)] if lines is None else lines)


def locate(block: Block, kept: Sequence[bytes]) -> Iterator[Line]:
    """Where the lines of a block stand that were kept, in order."""
    data, at = block.data, 0
    for raw in kept:
        # The first line from here on that reads like this one: one that reads the same is selected just as well.
        while True:
            at = data.find(raw + b"\n", at)
            if at == 0 or data[at - 1] == 10:
                break
            at += 1
        yield Line(block.offset + at, raw)
        at += len(raw) + 1
