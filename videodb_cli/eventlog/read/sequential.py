"""Reads sources that can only be read forwards: standard input, pipes, and compressed files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.eventlog.read.block import BLOCK_SIZE, Block
from videodb_cli.eventlog.read.compression import HEAD
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.sources import BOM, LogSource, check_encoding, is_being_written

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from videodb_cli.eventlog.read.broken import BrokenLines


def split(
    file: BinaryIO, source: LogSource, offset: int, end: int | None, size: int, broken: BrokenLines | None
) -> Iterator[Block]:
    """Yield blocks of whole lines. Raises DamagedError behind the last whole line if the rest cannot be read."""
    pieces = _Pieces(offset)
    failure: DamagedError | None = None
    is_stream = source.is_stream
    while True:
        want = size if end is None else min(size, end - pieces.end)
        if pieces.end == 0 and want < HEAD and end is None:
            want = HEAD  # a byte order mark must be in one piece
        try:
            chunk = _read(file, source, want) if want > 0 else b""
        except DamagedError as error:
            chunk, failure = b"", error
        if not chunk:
            break
        if pieces.end == 0:
            chunk = pieces.without_mark(source, chunk)
        block = pieces.add(chunk)
        if pieces.held > _LONGEST_LINE:
            # A device such as /dev/zero, or a compressed file of nothing but zeros, would fill the memory.
            pieces.drop()
            failure = DamagedError(
                f"{source.name} has a line of more than {_LONGEST_LINE >> 20} MiB, which is no event; "
                "what stands before was read"
            )
        if block:
            if is_stream and broken is not None:
                broken.enter(source, block)
            yield block
        if failure is not None:
            break
    rest = pieces.rest()
    # Nobody completes the last line of a stream, so it counts even if it is torn.
    line = rest + b"\n" if is_stream and rest and failure is None else finished(source, rest)
    if line:
        block = Block(pieces.offset, line)
        if is_stream and broken is not None:
            broken.enter(source, block)
        yield block
    elif line is None and failure is None and broken is not None:
        broken.add(source, pieces.offset)
    if failure is not None:
        raise failure


# An event has at most 64 MiB (docs/contract.md §5), and some more as JSON text.
_LONGEST_LINE = 256 << 20


class _Pieces:
    """Turns chunks of any size into blocks of whole lines. A line longer than a block is joined only once."""

    def __init__(self, offset: int) -> None:
        # Offsets of the first byte that was not returned yet, and of the end of what was read.
        self.offset = self.end = offset
        self._parts: list[bytes] = []
        # How many bytes of an unfinished line are kept.
        self.held = 0

    def without_mark(self, source: LogSource, chunk: bytes) -> bytes:
        """The first chunk of a source without its byte order mark. Raises ``RefusedError`` for that of another."""
        check_encoding(source, chunk)
        if chunk.startswith(BOM):
            self.offset = self.end = len(BOM)
            return chunk[len(BOM) :]
        return chunk

    def add(self, chunk: bytes) -> Block | None:
        """Add a chunk and return the whole lines that end in it."""
        self.end += len(chunk)
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            self._parts.append(chunk)
            self.held += len(chunk)
            return None
        whole = b"".join((*self._parts, chunk[:cut])) if self._parts else chunk[:cut]
        block = Block(self.offset, whole)
        self.offset += len(whole)
        self._parts = [chunk[cut:]] if cut < len(chunk) else []
        self.held = len(chunk) - cut
        return block

    def drop(self) -> None:
        """Drop the unfinished line."""
        self._parts, self.held = [], 0

    def rest(self) -> bytes:
        """Return the bytes after the last newline."""
        return b"".join(self._parts)


def _read(file: BinaryIO, source: LogSource, size: int) -> bytes:
    try:
        return file.read(size) or b""
    except OSError as error:
        raise unreadable(source, error) from None


def skip(file: BinaryIO, count: int) -> None:
    """Read on by so many bytes."""
    while count > 0 and (chunk := file.read(min(count, BLOCK_SIZE))):
        count -= len(chunk)


def finished(source: LogSource, rest: bytes) -> bytes | None:
    """Return the bytes after the last newline as a line, if nobody is writing it; None if it is torn.

    In the log that a listener is writing these bytes do not count: the listener completes the line in a moment.
    """
    if not rest or rest.isspace() or is_being_written(source):
        return b""
    try:
        decode(rest)
    except ValueError:
        return None
    return rest + b"\n"


def unreadable(source: LogSource, error: OSError) -> DamagedError:
    """Return the error for a read that failed in the middle of a file."""
    return DamagedError(f"{source.name} cannot be read to its end: {error.strerror}; what stands before was read")
