"""Counts over whole files, in one process or two."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli import diagnostics
from videodb_cli.eventlog.query.fast import parallel
from videodb_cli.eventlog.query.run import THOROUGH, iter_ranges
from videodb_cli.eventlog.query.scan import Scanner, countable_lines
from videodb_cli.eventlog.read.block import Block, View
from videodb_cli.eventlog.read.blocks import iter_views
from videodb_cli.eventlog.read.broken import BrokenLines

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.query.fast.parallel import Chunk, State
    from videodb_cli.eventlog.query.limit import Limit
    from videodb_cli.eventlog.query.run import SourceRange
    from videodb_cli.eventlog.query.scan import SelectionPlan
    from videodb_cli.eventlog.read.sources import LogSource
    from videodb_cli.eventlog.views.stats import EventCounts

_log = diagnostics.Logger("videodb_cli.eventlog")


def count_parts(
    parts: Sequence[SourceRange],
    plan: SelectionPlan,
    counts: EventCounts,
    *,
    limit: Limit | None = None,
    strict: bool = False,
) -> BrokenLines:
    """Count the selected lines of all parts into ``counts``; returns what was not JSON."""
    total = sum(part.size for part in parts)
    counter = _Counter(plan, counts, thorough=strict or total <= THOROUGH)
    sources = [part.source for part in parts]
    if limit is None and all(part.end is not None for part in parts) and parallel.can_fork(total):
        size = parallel.chunk_size(total)
        chunks = [chunk for p in parts for chunk in parallel.chunks_of(p.source, p.start, p.end or 0, size)]
        if len(chunks) <= parallel.MOST_CHUNKS:
            _log.debug("counting in two processes, in %d chunks", len(chunks))
            return _count_in_two(chunks, sources, counter)
    _log.debug("counting in one process")
    for source, block in iter_ranges(parts, counter.broken):
        if limit is None:
            counter.count(source, block)
            continue
        counts.add_lines(line.raw for line in limit.take(counter.scanner.lines(source, block)))
        if limit.is_reached:
            break
    return counter.broken


def _count_in_two(chunks: Sequence[Chunk], sources: list[LogSource], counter: _Counter) -> BrokenLines:
    def work(chunk: Chunk) -> None:
        for view in iter_views(chunk.source, chunk.start, chunk.end, broken=counter.broken):
            counter.count_view(chunk.source, view)

    def keep() -> State:
        places = [[sources.index(place.source), place.offset] for place in counter.broken.take_places()]
        return {"counts": counter.counts.dump(), "broken": places}

    # Modules that both processes need are imported before the fork.
    import msgspec  # noqa: F401
    import stringzilla  # noqa: F401

    # The second process begins with a copy of the empty counts, so at the end it has its own counts only.
    second = parallel.run_in_any_order(chunks, work, keep)
    counter.counts.merge(second["counts"])
    broken = BrokenLines()
    for number, offset in sorted(keep()["broken"] + second["broken"]):
        broken.add(sources[number], offset)
    return broken


class _Counter:
    """Counts blocks as a whole where that is possible, else line by line."""

    def __init__(self, plan: SelectionPlan, counts: EventCounts, *, thorough: bool) -> None:
        self.broken = BrokenLines()
        self.counts = counts
        self.scanner = Scanner(plan, self.broken, thorough=thorough)
        self._takes_all = not plan.tests
        self._thorough = thorough

    def count(self, source: LogSource, block: Block) -> None:
        """Count the selected lines of a block."""
        self.count_view(source, View(block.offset, memoryview(block.data)))

    def count_view(self, source: LogSource, view: View) -> None:
        """Count the selected lines of a view, which is copied only if it has to be split into lines."""
        count = countable_lines(view.data, thorough=self._thorough) if self._takes_all else 0
        if self.counts.add_block(view.data, count):
            return
        lines = self.scanner.raw_lines(source, Block(view.offset, bytes(view.data)))
        if not self.counts.add_block(b"\n".join((*lines, b"")), len(lines)):
            self.counts.add_lines(lines)
