"""A selection and a shape over whole files: where the bytes go through, in one process or two."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.eventlog import parallel
from videodb_cli.eventlog.reader import Block, iter_blocks
from videodb_cli.eventlog.scan import BrokenLines, Scanner, countable_lines, locate
from videodb_cli.eventlog.shape import OneField, Shaped
from videodb_cli.eventlog.timerange import byte_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.parallel import Chunk, State
    from videodb_cli.eventlog.scan import Line, Plan
    from videodb_cli.eventlog.selection import Selection
    from videodb_cli.eventlog.shape import Shaper
    from videodb_cli.eventlog.sources import Source

# Below this, every line is decoded: what is broken inside of a line that nobody asked for is noticed as well.
THOROUGH = 16 << 20
_KEPT_FAILURES = 10
_KEPT_BROKEN = 1000


class Part(NamedTuple):
    """The part of one source that is read: up to ``end``, or to its own end when that is None."""

    source: Source
    start: int
    end: int | None
    is_ordered: bool = True

    @property
    def size(self) -> int:
        """Bytes, as far as known."""
        return 0 if self.end is None else self.end - self.start


def parts_of(
    sources: Sequence[Source], selection: Selection, end_of: Callable[[Source], int | None] = lambda _: None
) -> list[Part]:
    """What has to be read of each source, by its times. ``end_of`` says where reading a source must end."""
    parts = []
    for source in sources:
        if source.is_seekable:
            found = byte_range(source, selection.since, selection.until, end_of(source))
            parts.append(Part(source, found.start, found.end, found.is_ordered))
        else:
            parts.append(Part(source, 0, None))
    return parts


class Query:
    """One plan and one shape. ``run`` goes through files; ``shaped`` gives what becomes of single blocks."""

    def __init__(self, plan: Plan, shaper: Shaper, *, thorough: bool) -> None:
        self.broken = BrokenLines()
        self.scanner = Scanner(plan, self.broken, thorough=thorough)
        self._shaper = shaper
        self._takes_all = not plan.tests
        self._thorough = thorough
        self._lines_before = 0

    def shaped(self, source: Source, block: Block) -> tuple[Shaped, list[tuple[int, str]]]:
        """What becomes of a block, and where and why the program failed."""
        whole = self._whole(block)
        if whole is not None:
            return whole, []
        lines = self.scanner.raw_lines(source, block)
        done = self._shaper.shape(lines)
        if not done.failures:
            return done, []
        return done, _placed(done, list(locate(block, lines)))

    def shaped_lines(self, lines: Sequence[Line]) -> tuple[Shaped, list[tuple[int, str]]]:
        """The same for lines that were selected before."""
        done = self._shaper.shape([line.raw for line in lines])
        return done, _placed(done, lines)

    def _whole(self, block: Block) -> Shaped | None:
        """A block of which every line is wanted, and one field of each: no line has to be cut out."""
        if not self._takes_all or not isinstance(self._shaper, OneField):
            return None
        count = countable_lines(block.data, thorough=self._thorough)
        return self._shaper.shape_block(block.data, count) if count else None

    def run(self, parts: Sequence[Part], write: Callable[[bytes], None], *, strict: bool = False) -> State:
        """Read all parts and write their output in order; two processes where that wins.

        The state holds ``last`` (whether the last result was true; None: there was none), ``broken`` (source number
        and offset of lines that are not JSON) with ``broken_count``, and ``failures`` with ``failure_count``.
        """
        state: State = {"last": None, "broken": [], "broken_count": 0, "failures": [], "failure_count": 0}
        sources = [part.source for part in parts]

        def work(chunk: Chunk) -> list[_Done]:
            return [
                self._work(chunk.source, block, strict=strict)
                for block in iter_blocks(chunk.source, chunk.start, chunk.end)
            ]

        def commit(done: list[_Done], state: State) -> None:
            for one in done:
                _commit(one, state, sources, write, strict=strict)
                if state.get("stop"):
                    return

        total = sum(part.size for part in parts)
        if all(part.end is not None for part in parts) and parallel.can_fork(total):
            chunks = [c for p in parts for c in parallel.chunks_of(p.source, p.start, p.end or 0)]
            return parallel.run_in_order(chunks, work, commit, state)
        for source, block in iter_parts(parts):
            _commit(self._work(source, block, strict=strict), state, sources, write, strict=strict)
            if state.get("stop"):
                break
        return state

    def _work(self, source: Source, block: Block, *, strict: bool) -> _Done:
        done, failures = self.shaped(source, block)
        broken = self.broken.take_offsets()
        if strict and (failures or broken):
            # What stands before the trouble is still given, and nothing after it.
            first = min([offset for offset, _ in failures] + broken)
            failures = [failure for failure in failures if failure[0] == first]
            broken = [offset for offset in broken if offset == first]
            before = Block(block.offset, block.data[: first - block.offset])
            done = self.shaped(source, before)[0] if before.data else Shaped(b"", None)
        if source.path is None:
            # Standard input cannot be read again to count its lines, so that is done now.
            failures = [(self._numbered(block, offset), message) for offset, message in failures]
            broken = [self._numbered(block, offset) for offset in broken]
            self._lines_before += block.data.count(b"\n")
        return _Done(source, done.output, done.last, failures, broken)

    def _numbered(self, block: Block, offset: int) -> int:
        """A line number with its sign turned."""
        return -(self._lines_before + block.data.count(b"\n", 0, offset - block.offset) + 1)


def _placed(done: Shaped, lines: Sequence[Line]) -> list[tuple[int, str]]:
    return [(lines[failure.place].offset, failure.message) for failure in done.failures]


class _Done(NamedTuple):
    source: Source
    output: bytes
    last: bool | None
    failures: list[tuple[int, str]]
    broken: list[int]


def _commit(
    done: _Done, state: State, sources: Sequence[Source], write: Callable[[bytes], None], *, strict: bool
) -> None:
    if done.output:
        write(done.output)
    if done.last is not None:
        state["last"] = done.last
    if not (done.failures or done.broken):
        return
    number = sources.index(done.source)
    for offset, message in done.failures[: _KEPT_FAILURES - len(state["failures"])]:
        state["failures"].append([number, offset, message])
    state["failure_count"] += len(done.failures)
    for offset in done.broken[: _KEPT_BROKEN - len(state["broken"])]:
        state["broken"].append([number, offset])
    state["broken_count"] += len(done.broken)
    if strict:
        state["stop"] = True


def iter_parts(parts: Sequence[Part]) -> Iterator[tuple[Source, Block]]:
    """The blocks of all parts, in order."""
    for part in parts:
        for block in iter_blocks(part.source, part.start, part.end):
            yield part.source, block
