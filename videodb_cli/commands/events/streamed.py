"""Filtering block by block: with a limit, surroundings, a cursor, or for as long as the log goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from videodb_cli import console
from videodb_cli.commands.events.output import Failures, tell_broken
from videodb_cli.commands.events.pipe_writer import PipeWriter
from videodb_cli.errors import ReaderGoneError, UsageError
from videodb_cli.eventlog.query.run import SourceRange, iter_ranges
from videodb_cli.eventlog.query.streaming import Streaming, StreamingStep
from videodb_cli.eventlog.views.sessions import learn

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.commands.events.feed import Feed
    from videodb_cli.commands.events.output import Batch
    from videodb_cli.eventlog.query.jq_run import Halt
    from videodb_cli.eventlog.query.run import Query
    from videodb_cli.eventlog.query.selection import Session
    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.eventlog.read.broken import BrokenLines
    from videodb_cli.eventlog.read.cursor import Cursor
    from videodb_cli.eventlog.read.sources import LogSource


class StreamedOptions(NamedTuple):
    """What of the command line concerns filtering block by block."""

    limit: int | None = None
    around_s: float | None = None
    strict: bool = False
    session: Session | None = None


def from_cursor(cursor: Cursor | None, parts: Sequence[SourceRange]) -> list[SourceRange]:
    """The parts that are left to read after the last run with this cursor."""
    found = cursor.find([part.source for part in parts]) if cursor is not None else None
    if found is None:
        return list(parts)
    if found.offset < 0:
        console.talk("the log is not the one that the cursor file knows; starting at its beginning")
        return list(parts)
    first, *later = parts[found.number :]
    return [first._replace(start=max(first.start, found.offset)), *later]


class Ended(NamedTuple):
    """How filtering ended: the last result (None: there was none), whether some line failed, and a halt."""

    last: bool | None
    has_failed: bool
    halt: Halt | None

    def status(self, *, exit_status: bool) -> int:
        """The exit status; ``exit_status`` is jq's ``-e``. Writes the last words of a program that halted."""
        if self.halt is not None:
            console.pass_on(self.halt.message.encode())
            return self.halt.status
        if self.has_failed:
            return UsageError.exit_status
        if not exit_status or self.last:
            return 0
        return 4 if self.last is None else 1


def run_streamed(
    feed: Feed, parts: Sequence[SourceRange], query: Query, wishes: StreamedOptions, cursor: Cursor | None = None
) -> Ended:
    """Write what becomes of every block, in order."""
    streaming = Streaming(query, limit=wishes.limit, around_s=wishes.around_s)
    out = PipeWriter() if cursor is not None else None
    failures = Failures()
    last: bool | None = None
    halt: Halt | None = None
    for source, block in _blocks(feed, parts, wishes.session, query.broken):
        if streaming.is_done():
            break
        step = streaming.step(source, block)
        tell_broken(query.broken, strict=wishes.strict)
        console.pass_on(step.told)
        failures.tell(step.failures, strict=wishes.strict)
        last = last if step.last is None else step.last
        if out is not None and cursor is not None:
            _hand_over(out, cursor, source, block.offset, step)
        elif step.output:
            console.data_bytes(step.output)
            console.flush()
        halt = step.halt
        if halt is not None or streaming.is_done():
            break  # without waiting for what a followed log may say next
    tell_broken(query.broken, strict=wishes.strict)
    failures.close()
    return Ended(last, failures.count > 0, halt)


def _blocks(
    feed: Feed, parts: Sequence[SourceRange], session: Session | None, broken: BrokenLines
) -> Iterator[tuple[LogSource, Block]]:
    yield from iter_ranges(parts, broken)
    if feed.follows:
        for source, news in feed.iter_news(broken):
            if news is not None:
                learn(news, session)
                yield source, news


def hand_over(out: PipeWriter, cursor: Cursor, batch: Batch) -> None:
    """Write lines as they are; the cursor stands behind what the reader has taken, whatever happens."""
    if batch.source is not None:
        output = b"".join(line.raw + b"\n" for line in batch.lines)
        ends = [line.offset + len(line.raw) + 1 for line in batch.lines if line.offset >= batch.begin]
        one_each = len(ends) == len(batch.lines)
        step = StreamingStep(output, batch.end, ends if one_each else [])
        _hand_over(out, cursor, batch.source, batch.begin, step)


def _hand_over(out: PipeWriter, cursor: Cursor, source: LogSource, begin: int, step: StreamingStep) -> None:
    before = out.written
    try:
        out.write(step.output)
        if step.output:
            out.drain()
    except ReaderGoneError:
        cursor.save(source, _taken_until(step, begin, out.taken - before))
        raise
    cursor.save(source, step.end)


def _taken_until(step: StreamingStep, begin: int, taken: int) -> int:
    """The offset behind the last line whose output the reader has taken whole."""
    whole = step.output.rfind(b"\n", 0, max(taken, 0)) + 1
    if whole == len(step.output):
        return step.end
    count = step.output.count(b"\n", 0, whole)
    ends = step.ends
    return ends[count - 1] if 0 < count <= len(ends) else begin
