"""A query over blocks as they come: with a limit, with surroundings, and knowing how far it got."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.eventlog.read.decode import is_own_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.eventlog.query.context import TimeContext
    from videodb_cli.eventlog.query.jq_run import Halt
    from videodb_cli.eventlog.query.run import Query
    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.broken import LinePlace
    from videodb_cli.eventlog.read.sources import LogSource


class Limit:
    """Counts events up to a number; the listener's own lines pass without being counted."""

    def __init__(self, number: int | None) -> None:
        self._left = number

    @property
    def is_reached(self) -> bool:
        """Whether nothing more may pass."""
        return self._left is not None and self._left <= 0

    def take(self, lines: Sequence[Line]) -> list[Line]:
        """As many of the lines as may still pass."""
        if self._left is None:
            return list(lines)
        kept: list[Line] = []
        for line in lines:
            if self._left <= 0:
                break
            kept.append(line)
            self._left -= not is_own_line(line.raw)
        return kept


class StreamingStep(NamedTuple):
    """What becomes of a block, and the offset up to which its source is done with.

    ``ends`` are the offsets behind the selected lines, where each gave one line of output; else empty. The others are
    as in ``Shaped``.
    """

    output: bytes
    end: int
    ends: list[int]
    last: bool | None = None
    failures: Sequence[tuple[LinePlace, str]] = ()
    told: bytes = b""
    halt: Halt | None = None


class Streaming:
    """Steps through blocks; ``is_done()`` when the limit is reached."""

    def __init__(self, query: Query, *, limit: int | None = None, around_s: float | None = None) -> None:
        self._query = query
        self._limit = Limit(limit)
        self._around: TimeContext | None = None
        if around_s is not None:
            from videodb_cli.eventlog.query.context import TimeContext

            self._around = TimeContext(around_s)

    def is_done(self) -> bool:
        """Whether nothing more can come out."""
        return self._limit.is_reached and (self._around is None or self._around.is_settled)

    def step(self, source: LogSource, block: Block) -> StreamingStep:
        """Take one block."""
        lines = self._limit.take(self._query.scanner.lines(source, block))
        end = block.offset + len(block.data)
        if self._limit.is_reached and lines:
            end = lines[-1].offset + len(lines[-1].raw) + 1
        if self._around is not None:
            lines = self._around.lines(block, [line.offset for line in lines])
        done, failures = self._query.shaped_lines(lines)
        if done.halt is not None:
            # What follows was not looked at: it is for the next run.
            lines = lines[: done.halt.place + 1]
            end = max(lines[-1].offset + len(lines[-1].raw) + 1, block.offset)
        ends = [line.offset + len(line.raw) + 1 for line in lines if line.offset >= block.offset]
        one_each = self._around is None and done.output.count(b"\n") == len(ends)
        failed = [(self._query.broken.place(source, at), why) for at, why in failures]
        return StreamingStep(done.output, end, ends if one_each else [], done.last, failed, done.told, done.halt)
