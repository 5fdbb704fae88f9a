"""Selects lines of raw blocks in stages, each of which leaves less work for the next.

1. Times become a byte range before a block is read (`read.time_range`).
2. Bytes that a selected line must hold (`prefilter`); this stage can only reject lines.
3. Only the fields in question are decoded (`fast.partial_decode`), many lines in one call.
4. Lines that the third stage cannot decode are decoded as a whole.
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

# If more than this share of lines holds the bytes, searching for them costs more than decoding every line.
_DENSE = 0.35
_USUAL_LINE = 300
_RECOUNT = 64
_OPEN = ord("{")


class Line(NamedTuple):
    """One selected line: its offset, and its bytes without the newline."""

    offset: int
    raw: bytes

    def decode(self) -> Any:
        """Decode the whole line as ``json.loads`` does."""
        return decode(self.raw)


class SelectionPlan(NamedTuple):
    """The conditions of a selection.

    Attributes:
        tests: Conditions on a decoded event that must all hold.
        paths: The fields that the tests look at.
        needles: Bytes that a selected line must hold.
        by_columns: A faster form of ``tests`` for a whole block: returns the number of its lines, and the indexes of
            those that are selected. It raises as `Columns.read` does.
        takes_any: The tests accept values of any type; otherwise only an object can be selected.
    """

    tests: tuple[Callable[[Event], bool], ...] = ()
    paths: frozenset[tuple[str, ...]] = frozenset()
    needles: tuple[Prefilter, ...] = ()
    by_columns: Callable[[bytes], tuple[int, list[int]]] | None = None
    takes_any: bool = False

    def and_(self, other: SelectionPlan) -> SelectionPlan:
        """Return the plan that both plans together make."""
        if not self.tests or not other.tests:
            return self if self.tests else other
        return SelectionPlan(self.tests + other.tests, self.paths | other.paths, self.needles + other.needles)


def plan_of(selection: Selection) -> SelectionPlan:
    """Return the plan that selects exactly the lines for which ``selection.matches`` is true."""
    tests = tuple(selection.tests())
    if not tests:
        return SelectionPlan()
    from videodb_cli.eventlog.query.prefilter import of_selection

    return SelectionPlan(tests, frozenset(selection.paths()), tuple(of_selection(selection)))


class Scanner:
    """Applies one plan to blocks. Lines that are not JSON are added to ``broken``.

    Unless ``thorough``, a line that the second stage rejects is only checked for its shape (``{…}``), so an error
    inside of it is not noticed. The selected lines are the same in both cases.
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
        """Return the selected lines of a block, in order, without their newlines."""
        data = block.data
        if self._tests and is_regular(data):
            kept = self._staged(data)
            if kept is not None:
                return kept
        return [line.raw for line in self._one_by_one(source, iter_lines(block))]

    def lines(self, source: LogSource, block: Block) -> list[Line]:
        """Return the selected lines of a block with their offsets."""
        data = block.data
        if self._tests and is_regular(data):
            kept = self._staged(data)
            if kept is not None:
                return list(locate(block, kept))
        return list(self._one_by_one(source, iter_lines(block)))

    def lines_backwards(self, source: LogSource, block: Block) -> Iterator[Line]:
        """Yield the selected lines of a block, last line first; of a small block only as many as are asked for."""
        if self._tests and len(block.data) > 1 << 15:
            yield from reversed(self.lines(source, block))
        else:
            yield from self._one_by_one(source, reversed(list(iter_lines(block))))

    def _staged(self, data: bytes) -> list[bytes] | None:
        """Apply stages two and three to a block of regular lines; None if its lines must be decoded one by one."""
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
            return None  # a line holds two values, so values and lines do not correspond
        kept = [lines[index] for index in hits]
        # The third stage does not check the encoding of fields that it skips.
        return kept if is_utf8(data if self._thorough else b"\n".join(kept)) else None

    def _hits(self, data: bytes) -> tuple[int, list[int]]:
        """Return the number of lines, and the indexes of those that fulfil all tests."""
        if self._by_columns is not None:
            return self._by_columns(data)
        events = self._decoder.decode_lines(data)
        hits: list[int] = [index for index, event in enumerate(events) if self._tests[0](event)]
        for test in self._tests[1:]:
            hits = [index for index in hits if test(events[index])]
        return len(events), hits

    def _sparse(self, lines: list[bytes]) -> list[bytes] | None:
        """Return the selected ones of some lines; None if one is broken, so that it is reported with its place."""
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
        """Return the lines that hold the needed bytes; None if searching for them would not be faster."""
        most = int(len(data) / _USUAL_LINE * _DENSE) + 16
        if self._blocks % _RECOUNT == 0:
            # The rarest bytes are mostly the same in the following blocks, so they are counted only now and then.
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
    """Return the number of lines if every line looks like ``{…}``: none is blank, torn or holds half a value. Else 0.

    If a decode then gives as many values as there are lines, each line holds exactly one.
    """
    import stringzilla as sz

    if len(data) < 3 or data[0] != _OPEN or bytes(data[-2:]) != b"}\n":
        return 0
    count = int(sz.count(data, b"\n"))
    return count if int(sz.count(data, b"}\n{")) == count - 1 else 0


def countable_lines(data: bytes | memoryview, *, thorough: bool) -> int:
    """Return the number of values that a decode of the whole block must give; 0 if its lines are not regular.

    Unless ``thorough``, encoding errors in fields that are not read are not noticed.
    """
    return is_regular(data) if not thorough or is_utf8(bytes(data)) else 0


def is_utf8(data: bytes) -> bool:
    """Tell whether bytes are valid UTF-8."""
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
    """Tell whether the value of each of these keys in a block is an object or null."""
    import stringzilla as sz

    left = int(sz.count(data, key))
    for value in (b":{", b": {", b":null", b": null"):  # usually the first one accounts for all
        left -= int(sz.count(data, key + value)) if left else 0
    return not left


def _count(needles: Prefilter, data: bytes) -> int:
    """Return how often the bytes occur in a block."""
    import stringzilla as sz

    if needles.uncased:
        return len(_lines_with(needles, data, limit=len(data)) or ())
    return sum(int(sz.count(data, needle)) for needle in needles.any_of)


def _lines_with(needles: Prefilter, data: bytes, limit: int) -> list[bytes] | None:
    """Return the lines that hold one of the byte strings, in order; None if there are more than ``limit``."""
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
    """Yield the lines of a block that may hold one of the byte strings."""
    lines = None
    if all(_find(undone, block.data) < 0 for undone in needles.undone_by):
        lines = _lines_with(needles, block.data, limit=1 << 30)
    return locate(block, [raw for _, raw in iter_lines(block)] if lines is None else lines)


def locate(block: Block, kept: Sequence[bytes]) -> Iterator[Line]:
    """Yield the lines of a block that were kept, in order, with their offsets."""
    data, at = block.data, 0
    for raw in kept:
        # The next line with the same bytes: equal lines are selected alike, so it does not matter which one is found.
        while True:
            at = data.find(raw + b"\n", at)
            if at == 0 or data[at - 1] == 10:
                break
            at += 1
        yield Line(block.offset + at, raw)
        at += len(raw) + 1
