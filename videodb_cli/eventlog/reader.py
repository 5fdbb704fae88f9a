"""Raw lines of a log with their offsets, forwards in blocks and backwards from the end.

Only whole lines come out: what stands behind the last newline of a file is still being written, or torn. Standard
input and pipes are the exception: at their end nobody will finish the line, so it counts.
"""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.sources import Source, open_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

# 64 KiB to 1 MiB measured alike; a quarter keeps the first answer early and the memory small.
BLOCK_SIZE = 1 << 18


class Block(NamedTuple):
    """Whole lines, each with its newline, that begin at ``offset`` of their source."""

    offset: int
    data: bytes


def iter_blocks(source: Source, start: int = 0, end: int | None = None, size: int = BLOCK_SIZE) -> Iterator[Block]:
    """Whole lines of a source from byte ``start`` (a line's beginning) up to byte ``end``, in blocks.

    A block is about ``size`` bytes, longer only where one line is. Offsets of a compressed source count decompressed
    bytes. Raises the errors of ``open_source``, and ``RefusedError`` for a gzip file that is damaged, after having
    yielded what could be read.
    """
    with open_source(source) as file:
        if source.is_seekable and hasattr(os, "pread"):
            yield from _cut_at_lines(file.fileno(), start, end, size)
            return
        if start:
            _skip(file, start)
        yield from _split(file, source, start, end, size)


def _cut_at_lines(fd: int, offset: int, end: int | None, size: int) -> Iterator[Block]:
    """Look where a line ends, then read exactly up to there: no byte is copied twice."""
    limit = os.fstat(fd).st_size if end is None else end
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
            return
        want *= 2  # a line longer than a block


class View(NamedTuple):
    """Whole lines that begin at ``offset`` of their source, on loan: the next one overwrites them."""

    offset: int
    data: memoryview


def iter_views(source: Source, start: int, end: int, size: int = BLOCK_SIZE) -> Iterator[View]:
    """What ``iter_blocks`` gives of a source that can be read again, in one buffer that stays in the CPU's cache.

    Reading into fresh memory each time costs three times as much.
    """
    with open_source(source) as file:
        buffer = memoryview(bytearray(size))
        offset = start
        while offset < end:
            file.seek(offset)
            got = file.readinto(buffer[: end - offset])  # type: ignore[attr-defined]
            cut = _after_last_newline(buffer, got)
            if cut:
                yield View(offset, buffer[:cut])
                offset += cut
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


def _split(file: BinaryIO, source: Source, offset: int, end: int | None, size: int) -> Iterator[Block]:
    parts: list[bytes] = []  # pieces of a line that is longer than a block, so that growing it stays linear
    held = 0
    while True:
        want = size if end is None else min(size, end - offset - held)
        chunk = _read(file, source, want) if want > 0 else b""
        if not chunk:
            break
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            parts.append(chunk)
            held += len(chunk)
            continue
        whole = b"".join((*parts, chunk[:cut])) if parts else chunk[:cut]
        yield Block(offset, whole)
        offset += len(whole)
        parts = [chunk[cut:]] if cut < len(chunk) else []
        held = len(chunk) - cut
    if parts and source.is_stream:
        yield Block(offset, b"".join(parts) + b"\n")


def _read(file: BinaryIO, source: Source, size: int) -> bytes:
    try:
        return file.read(size) or b""
    except (EOFError, OSError, zlib.error) as error:
        raise RefusedError(f"{source.name} cannot be read to its end: {error}", code="unreadable") from None


def _skip(file: BinaryIO, count: int) -> None:
    while count > 0 and (chunk := file.read(min(count, BLOCK_SIZE))):
        count -= len(chunk)


def iter_blocks_backwards(source: Source, end: int | None = None, size: int = BLOCK_SIZE) -> Iterator[Block]:
    """Whole lines from byte ``end`` of a seekable source to its beginning; lines within a block stand in file order.

    The first block is small (16 KiB), because most who look backwards want ten lines.
    """
    with open_source(source) as file:
        fd = file.fileno()
        end = os.fstat(fd).st_size if end is None else end
        tail: list[bytes] = []  # pieces, last first, of the lines' ends whose beginning has not been read yet
        position = end
        step = 1 << 14
        seen_newline = False
        while position > 0:
            start = max(0, position - step)
            chunk = os.pread(fd, position - start, start)
            if len(chunk) < position - start:
                return  # truncated while we looked: there is nothing older that still belongs to it
            position, step = start, size
            if not seen_newline:
                cut = chunk.rfind(b"\n") + 1
                if not cut:
                    continue
                seen_newline = True
                chunk = chunk[:cut]
            first = 0 if start == 0 else chunk.find(b"\n", 0, len(chunk) - (0 if tail else 1)) + 1
            if start and not first:
                tail.append(chunk)
                continue
            whole = b"".join((chunk[first:], *reversed(tail)))
            tail = [chunk[:first]] if first else []
            if whole:
                yield Block(start + first, whole)


def iter_lines(block: Block) -> Iterator[tuple[int, bytes]]:
    """The lines of a block with their offsets, without their newline; blank ones are left out."""
    offset, data = block
    for line in data.split(b"\n"):
        if line:
            yield offset, line
        offset += len(line) + 1


def count_lines(source: Source, start: int, end: int) -> int:
    """How many newlines stand from byte ``start`` to byte ``end`` of a source that can be read again."""
    return sum(block.data.count(b"\n") for block in iter_blocks(source, start, end, 1 << 20))
