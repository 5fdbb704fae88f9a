"""A tally of whole files, in one process or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.eventlog import parallel
from videodb_cli.eventlog.query import THOROUGH, iter_parts
from videodb_cli.eventlog.reader import iter_blocks
from videodb_cli.eventlog.scan import BrokenLines, Scanner, countable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.parallel import Chunk, State
    from videodb_cli.eventlog.query import Part
    from videodb_cli.eventlog.reader import Block
    from videodb_cli.eventlog.scan import Plan
    from videodb_cli.eventlog.sources import Source
    from videodb_cli.eventlog.stats import Tally
    from videodb_cli.eventlog.streaming import Limit


def count_parts(
    parts: Sequence[Part], plan: Plan, tally: Tally, *, limit: Limit | None = None, strict: bool = False
) -> BrokenLines:
    """Count the selected lines of all parts in ``tally``; gives what was not JSON."""
    total = sum(part.size for part in parts)
    counter = _Counter(plan, tally, thorough=strict or total <= THOROUGH)
    sources = [part.source for part in parts]
    if limit is None and all(part.end is not None for part in parts) and parallel.can_fork(total):
        return _count_in_two(parts, sources, counter)
    for source, block in iter_parts(parts):
        if limit is None:
            counter.count(source, block)
            continue
        tally.add_lines(line.raw for line in limit.take(counter.scanner.lines(source, block)))
        if limit.is_reached:
            break
    return counter.broken


def _count_in_two(parts: Sequence[Part], sources: list[Source], counter: _Counter) -> BrokenLines:
    def work(chunk: Chunk) -> list[list[int]]:
        for block in iter_blocks(chunk.source, chunk.start, chunk.end):
            counter.count(chunk.source, block)
        number = sources.index(chunk.source)
        return [[number, offset] for offset in counter.broken.take_offsets()]

    def commit(done: list[list[int]], state: State) -> None:
        state["broken"].extend(done)

    chunks = [c for p in parts for c in parallel.chunks_of(p.source, p.start, p.end or 0)]
    # The second process begins with a copy of the empty tally, so what it has at the end is its own.
    state = parallel.run_in_order(chunks, work, commit, {"broken": []}, counter.tally.dump)
    counter.tally.merge(state["second"])
    broken = BrokenLines()
    for number, offset in state["broken"]:
        broken.add(sources[number], offset)
    return broken


class _Counter:
    """Counts blocks: at once where that is possible, else line by line."""

    def __init__(self, plan: Plan, tally: Tally, *, thorough: bool) -> None:
        self.broken = BrokenLines()
        self.tally = tally
        self.scanner = Scanner(plan, self.broken, thorough=thorough)
        self._takes_all = not plan.tests
        self._thorough = thorough

    def count(self, source: Source, block: Block) -> None:
        """Count what is selected of a block."""
        count = countable_lines(block.data, thorough=self._thorough) if self._takes_all else 0
        if not self.tally.add_block(block.data, count):
            self.tally.add_lines(self.scanner.raw_lines(source, block))
