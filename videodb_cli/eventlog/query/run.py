"""Runs a selection and a shaper over whole files, in one process or two."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from videodb_cli import diagnostics
from videodb_cli.eventlog.query.fast import parallel
from videodb_cli.eventlog.query.jq_run import Halt
from videodb_cli.eventlog.query.output import OneField, Shaped
from videodb_cli.eventlog.query.scan import Scanner, countable_lines, locate
from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.read.blocks import iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines, LinePlace
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.read.time_range import byte_range

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from videodb_cli.eventlog.query.fast.parallel import Chunk, State
    from videodb_cli.eventlog.query.output import Shaper
    from videodb_cli.eventlog.query.scan import Line, SelectionPlan
    from videodb_cli.eventlog.query.selection import Selection

# Below this, every line is decoded, so that broken lines are noticed even if they are not selected.
THOROUGH = 16 << 20
_KEPT_FAILURES = 10
_KEPT_BROKEN = 1000
_log = diagnostics.Logger("videodb_cli.eventlog")


class SourceRange(NamedTuple):
    """The part of one source that is read, up to ``end``; None means up to the end of the source."""

    source: LogSource
    start: int
    end: int | None
    is_ordered: bool = True

    @property
    def size(self) -> int:
        """The number of bytes, as far as it is known; else 0."""
        return 0 if self.end is None else self.end - self.start


def ranges_of(
    sources: Sequence[LogSource], selection: Selection, end_of: Callable[[LogSource], int | None] = lambda _: None
) -> list[SourceRange]:
    """Return the part of each source that has to be read. ``end_of`` returns where a source must end, or None."""
    parts = []
    for source in sources:
        if source.is_seekable:
            found = byte_range(source, selection.since, selection.until, end_of(source))
            parts.append(SourceRange(source, found.start, found.end, found.is_ordered))
        else:
            parts.append(SourceRange(source, 0, None))
    return parts


def log_ranges(parts: Sequence[SourceRange], *, is_followed: bool) -> None:
    """Log what will be read, as far as it is known."""
    if not _log.is_enabled:
        return
    _log.debug("%d files, %d bytes to read%s", len(parts), sum(p.size for p in parts), ", followed" * is_followed)
    for part in parts:
        if not part.is_ordered:
            _log.debug("%s is out of order in time: all of it is read", part.source.name)


class Query:
    """A plan and a shaper. `run` reads whole files, `shaped` returns the output of a single block."""

    def __init__(self, plan: SelectionPlan, shaper: Shaper, *, thorough: bool) -> None:
        self.broken = BrokenLines()
        self.scanner = Scanner(plan, self.broken, thorough=thorough)
        self._shaper = shaper
        self._takes_all = not plan.tests
        self._thorough = thorough

    def shaped(self, source: LogSource, block: Block) -> tuple[Shaped, list[tuple[int, str]]]:
        """Return the output of a block, and the offsets and messages of failures."""
        whole = self._whole(block)
        if whole is not None:
            return whole, []
        lines = self.scanner.raw_lines(source, block)
        done = self._shaper.shape(lines)
        if not done.failures:
            return done, []
        return done, _placed(done, list(locate(block, lines)))

    def shaped_lines(self, lines: Sequence[Line]) -> tuple[Shaped, list[tuple[int, str]]]:
        """Return the same for lines that are already selected."""
        done = self._shaper.shape([line.raw for line in lines])
        return done, _placed(done, lines)

    def _whole(self, block: Block) -> Shaped | None:
        """Return the output of a block without splitting it into lines; None if the plan or shaper needs lines."""
        if not self._takes_all or not isinstance(self._shaper, OneField):
            return None
        count = countable_lines(block.data, thorough=self._thorough)
        return self._shaper.shape_block(block.data, count) if count else None

    def run(
        self,
        parts: Sequence[SourceRange],
        write: Callable[[bytes], object],
        *,
        tell: Callable[[bytes], object] = lambda _: None,
        strict: bool = False,
    ) -> Outcome:
        """Read all parts and write their output in order, with two processes if that is faster.

        ``tell`` gets what a program writes to standard error, in the same order.
        """
        state: State = {"last": None, "failure_count": 0, "broken_count": 0, "halt": None}
        state |= {"failures": [], "broken": [], "damage": []}
        sources = [part.source for part in parts]

        def work(chunk: Chunk) -> list[_Done]:
            blocks = iter_blocks(chunk.source, chunk.start, chunk.end, broken=self.broken)
            return [*(self._work(chunk.source, block, strict=strict) for block in blocks), self._found(chunk.source)]

        def commit(done: list[_Done], state: State) -> None:
            for one in done:
                if one.told:
                    tell(one.told)
                if one.output:
                    write(one.output)
                _note(one, state, sources, strict=strict)
                if state.get("stop"):
                    return

        total = sum(part.size for part in parts)
        if all(part.end is not None for part in parts) and parallel.can_fork(total):
            chunks = [c for p in parts for c in parallel.chunks_of(p.source, p.start, p.end or 0)]
            _log.debug("filtering whole files in two processes, in %d chunks", len(chunks))
            return _outcome(parallel.run_in_order(chunks, work, commit, state), sources)
        _log.debug("filtering whole files in one process")
        for source, block in iter_ranges(parts, self.broken):
            # What was noted while this block was read belongs to the end of the source before.
            commit([self._found(source), self._work(source, block, strict=strict)], state)
            if state.get("stop"):
                break
        else:
            commit([self._found(LogSource(None))], state)
        return _outcome(state, sources)

    def _found(self, source: LogSource) -> _Done:
        """Return what the reader has noted: a torn last line, a damaged file."""
        return _Done(source, Shaped(b"", None), [], self.broken.take_places(), self.broken.take_damage())

    def _work(self, source: LogSource, block: Block, *, strict: bool) -> _Done:
        done, failures = self.shaped(source, block)
        broken = self.broken.take_places()
        if strict and (failures or broken):
            # Output before the first broken or failing line is still written, and nothing after it.
            first = min([offset for offset, _ in failures] + [place.offset for place in broken])
            failures = [failure for failure in failures if failure[0] == first]
            broken = [place for place in broken if place.offset == first]
            before = Block(block.offset, block.data[: first - block.offset])
            done = self.shaped(source, before)[0] if before.data else Shaped(b"", None)
            self.broken.take_places()
        return _Done(source, done, [(self.broken.place(source, at), why) for at, why in failures], broken, [])


def _placed(done: Shaped, lines: Sequence[Line]) -> list[tuple[int, str]]:
    return [(lines[failure.place].offset, failure.message) for failure in done.failures]


class _Done(NamedTuple):
    """The outcome of one block."""

    source: LogSource
    shaped: Shaped
    failures: list[tuple[LinePlace, str]]
    broken: list[LinePlace]
    damage: list[DamagedError]

    @property
    def output(self) -> bytes:
        return self.shaped.output

    @property
    def told(self) -> bytes:
        return self.shaped.told


class Outcome(NamedTuple):
    """How a run ended. Only the first broken lines and failures are kept, but all are counted.

    ``last`` tells whether the last result was true; None if there was none. ``halt`` is how the program ended the run.
    """

    last: bool | None
    failures: list[tuple[LinePlace, str]]
    failure_count: int
    broken: list[LinePlace]
    broken_count: int
    damage: list[DamagedError]
    halt: Halt | None


def _note(done: _Done, state: State, sources: list[LogSource], *, strict: bool) -> None:
    """Add the outcome of a block to the state, which is JSON."""
    if done.shaped.last is not None:
        state["last"] = done.shaped.last
    if done.shaped.halt is not None:
        state["halt"] = list(done.shaped.halt)
        state["stop"] = True
    if not (done.failures or done.broken or done.damage):
        return
    for place, message in done.failures[: _KEPT_FAILURES - len(state["failures"])]:
        state["failures"].append([*_as_json(place, sources), message])
    state["failure_count"] += len(done.failures)
    for place in done.broken[: _KEPT_BROKEN - len(state["broken"])]:
        state["broken"].append(_as_json(place, sources))
    state["broken_count"] += len(done.broken)
    state["damage"] += [[error.message, error.hint] for error in done.damage]
    if strict:
        state["stop"] = True


def _as_json(place: LinePlace, sources: list[LogSource]) -> list[int | None]:
    return [sources.index(place.source), place.offset, place.number]


def _outcome(state: State, sources: list[LogSource]) -> Outcome:
    return Outcome(
        state["last"],
        [(LinePlace(sources[index], offset, number), why) for index, offset, number, why in state["failures"]],
        state["failure_count"],
        [LinePlace(sources[index], offset, number) for index, offset, number in state["broken"]],
        state["broken_count"],
        [DamagedError(message, hint=hint) for message, hint in state["damage"]],
        None if state["halt"] is None else Halt(*state["halt"]),
    )


def iter_ranges(parts: Sequence[SourceRange], broken: BrokenLines) -> Iterator[tuple[LogSource, Block]]:
    """Yield the blocks of all parts, in order. Torn last lines and damage are added to ``broken``."""
    for part in parts:
        for block in iter_blocks(part.source, part.start, part.end, broken=broken):
            yield part.source, block
