"""Reads whole lines of a log with their offsets, forwards in blocks and backwards from the end.

A byte order mark is no part of the first line. A last line without its newline counts if it is whole (JSON); a torn
one is reported and left out. In the log that a listener is writing neither counts, because the listener completes the
line. At the end of standard input and of pipes everything counts, because nobody completes the line.
"""

from __future__ import annotations

import io
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from videodb_cli.errors import NotFoundError, RefusedError, VideodbError
from videodb_cli.eventlog.read.block import BLOCK_SIZE, Block, View
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.eventlog.read.sequential import finished, skip, split, unreadable
from videodb_cli.eventlog.read.sources import BOM, LogSource, as_damage, open_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from videodb_cli.eventlog.read.broken import BrokenLines, LinePlace


def iter_blocks(
    source: LogSource,
    start: int = 0,
    end: int | None = None,
    size: int = BLOCK_SIZE,
    *,
    broken: BrokenLines | None = None,
) -> Iterator[Block]:
    """Yield whole lines of a source from byte ``start`` (a line's beginning) up to byte ``end``, in blocks.

    A block has about ``size`` bytes, more only if one line is longer. Offsets of a compressed source count decompressed
    bytes. A torn last line and damage are noted in ``broken``. Raises the errors of ``open_source``; without
    ``broken``, also ``DamagedError`` after having yielded what could be read.
    """
    with _noting(source, broken), open_source(source) as file:
        if isinstance(file, io.FileIO) and hasattr(os, "pread"):
            yield from _cut_at_lines(source, file.fileno(), start, end, size, broken)
            return
        if start:
            skip(file, start)
        yield from split(file, source, start, end, size, broken)


@contextmanager
def _noting(source: LogSource, broken: BrokenLines | None) -> Iterator[None]:
    """Add damage to ``broken`` instead of raising it, also that of a rotated file that cannot be opened."""
    try:
        yield
    except OSError as error:
        failure = unreadable(source, error)
        if broken is None:
            raise failure from None
        broken.add_damage(failure)
    except (RefusedError, NotFoundError) as error:
        is_damage = isinstance(error, DamagedError) or source.is_rotated
        if broken is None or not is_damage:
            raise
        broken.add_damage(as_damage(source, error))


def first_line_at(fd: int) -> int:
    """Return where the first line of a file begins: after its byte order mark, if it has one."""
    return len(BOM) if os.pread(fd, len(BOM), 0) == BOM else 0


def _cut_at_lines(
    source: LogSource, fd: int, offset: int, end: int | None, size: int, broken: BrokenLines | None
) -> Iterator[Block]:
    """Find the end of a line, then read exactly up to it, so that no byte is copied twice."""
    limit = os.fstat(fd).st_size if end is None else end
    offset = offset or first_line_at(fd)
    want = size
    while offset < limit:
        reach = min(offset + want, limit)
        cut = _last_line_end(fd, offset, reach)
        if cut is not None:
            data = os.pread(fd, cut - offset, offset)
            if len(data) == cut - offset and data.endswith(b"\n"):
                yield Block(offset, data)
                offset, want = cut, size
                continue
            if len(data) < cut - offset:
                return  # cut off while we read
        if reach == limit:
            if line := _unfinished_line(source, fd, offset, limit, broken):
                yield Block(offset, line)
            return
        want *= 2  # a line longer than a block


def _unfinished_line(source: LogSource, fd: int, offset: int, limit: int, broken: BrokenLines | None) -> bytes:
    """Return the last line of a file without a newline at its end, with one added; nothing if it does not count."""
    rest = os.pread(fd, limit - offset, offset)
    if len(rest) < limit - offset:
        return b""  # cut off while we read
    line = finished(source, rest)
    if line is None:
        # If it has grown since, somebody is writing it.
        if broken is not None and os.fstat(fd).st_size == limit:
            broken.add(source, offset)
        return b""
    return line


def iter_views(
    source: LogSource, start: int, end: int, size: int = BLOCK_SIZE, *, broken: BrokenLines | None = None
) -> Iterator[View]:
    """Yield what `iter_blocks` yields of a seekable source, in one buffer that stays in the CPU's cache.

    Reading into fresh memory each time costs three times as much.
    """
    with _noting(source, broken), open_source(source) as file:
        buffer = memoryview(bytearray(size))
        offset = start or first_line_at(file.fileno())
        while offset < end:
            file.seek(offset)
            got = file.readinto(buffer[: end - offset])  # type: ignore[attr-defined]
            cut = _after_last_newline(buffer, got)
            if cut:
                yield View(offset, buffer[:cut])
                offset += cut
            elif got == end - offset:
                if line := _unfinished_line(source, file.fileno(), offset, end, broken):
                    yield View(offset, memoryview(line))
                return
            elif got < len(buffer):
                return  # cut off while we read
            else:
                buffer = memoryview(bytearray(2 * len(buffer)))  # a line longer than the buffer


def _after_last_newline(view: memoryview, end: int) -> int:
    step = 1 << 12
    while end > 0:
        begin = max(0, end - step)
        found = bytes(view[begin:end]).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end, step = begin, step * 4
    return 0


def _last_line_end(fd: int, start: int, end: int) -> int | None:
    step = 1 << 12
    while end > start:
        begin = max(start, end - step)
        found = os.pread(fd, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end, step = begin, step * 4
    return None


def iter_blocks_backwards(
    source: LogSource, end: int | None = None, size: int = BLOCK_SIZE, *, broken: BrokenLines | None = None
) -> Iterator[Block]:
    """Yield whole lines of a seekable source, block by block from byte ``end`` to its beginning.

    Lines within a block are in file order. The first block is small (16 KiB), because usually ten lines are wanted.
    """
    with _noting(source, broken), open_source(source) as file:
        fd = file.fileno()
        limit = os.fstat(fd).st_size if end is None else end
        begin = first_line_at(fd)
        position = _last_line_end(fd, begin, limit) or begin
        if position < limit and (line := _unfinished_line(source, fd, position, limit, broken)):
            yield Block(position, line)
        tail: list[bytes] = []  # pieces, last first, of a line whose beginning has not been read yet
        step = 1 << 14
        while position > begin:
            start = max(begin, position - step)
            chunk = os.pread(fd, position - start, start)
            if len(chunk) < position - start:
                return  # truncated while we read: nothing older belongs to it any more
            position, step = start, size
            first = 0 if start == begin else chunk.find(b"\n", 0, len(chunk) - (0 if tail else 1)) + 1
            if start > begin and not first:
                tail.append(chunk)
                continue
            whole = b"".join((chunk[first:], *reversed(tail)))
            tail = [chunk[:first]] if first else []
            if whole:
                yield Block(start + first, whole)


def count_lines(source: LogSource, start: int, end: int) -> int:
    """Return the number of newlines from byte ``start`` to byte ``end`` of a seekable source."""
    return sum(block.data.count(b"\n") for block in iter_blocks(source, start, end, 1 << 20))


def line_numbers(places: Iterable[LinePlace]) -> Iterator[tuple[str, int | None]]:
    """Return the source's name and the line number of each place; no number if the source cannot be read again."""
    last: LogSource | None = None
    begin = lines = 0
    for source, offset, number in places:
        if number is not None or source.is_stream:
            yield source.name, number
            continue
        if source != last or offset < begin:
            last, begin, lines = source, 0, 0
        try:
            lines += count_lines(source, begin, offset)
        except VideodbError:  # it was rotated away meanwhile
            yield source.name, None
            continue
        begin = offset
        yield source.name, lines + 1
