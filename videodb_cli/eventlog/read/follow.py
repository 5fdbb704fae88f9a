"""Follows a log as ``tail -F`` does: through growth, rotation, truncation and deletion, also before it exists.

Polling ``stat`` every 40 ms costs 0.3 % of a core and needs nothing of the platform. A file is recognised by its first
line and by the bytes read last, never by inode or size alone: inodes are reused, and a truncated file grows again.
"""

from __future__ import annotations

import io
import os
import time
from enum import Enum
from typing import TYPE_CHECKING

from videodb_cli.errors import NotFoundError, UsageError, VideodbError
from videodb_cli.eventlog.read.block import BLOCK_SIZE, Block
from videodb_cli.eventlog.read.blocks import count_lines, iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.log_files import rotated_sources
from videodb_cli.eventlog.read.sources import BOM, LogSource, open_source
from videodb_cli.eventlog.views.lookup import first_and_last_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

POLL_S = 0.04
_HEAD = 256
_RECENT = 64


class Change(Enum):
    """What happened to a followed file, apart from growing."""

    APPEARED = "appeared"
    ROTATED = "rotated"
    TRUNCATED = "truncated"
    REMOVED = "removed"


class Follower:
    """One followed file. ``poll`` never waits; ``close`` when done.

    ``offset`` is that of the first byte that was not returned yet, in the file that is open now.
    """

    def __init__(self, path: Path, *, private: bool = False, from_end: bool = False) -> None:
        self.path = path
        self.offset = 0
        # What could not be read of files that were rotated away.
        self.broken = BrokenLines()
        self._private = private
        self._file: io.FileIO | None = None
        self._held: list[bytes] = []
        self._held_size = 0
        self._head = b""
        self._recent = b""
        self._checked = (-1, 0)
        self._told_removed = False
        self._was_there = self._open()
        if from_end:
            self._go_to_end()

    @property
    def source(self) -> LogSource | None:
        """The open file as a source, for reading what is before ``offset``; None while there is no file."""
        return None if self._file is None else LogSource(self.path, self._private, self._file.fileno())

    def close(self) -> None:
        """Close the file. Idempotent."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def poll(self) -> Iterator[Block | Change]:
        """Return the whole lines since the last poll, and what happened to the file, in order."""
        if self._file is None:
            if not self._open():
                return
            if not self._was_there or self._told_removed:
                yield Change.APPEARED
            self._was_there, self._told_removed = True, False
        yield from self._read_on()
        yield from self._look_at_path()

    def _open(self) -> bool:
        source = LogSource(self.path, self._private)
        try:
            file = open_source(source)
        except NotFoundError:
            return False
        if not isinstance(file, io.FileIO):
            file.close()
            raise UsageError(
                f"{self.path} is compressed or a pipe: it cannot be followed", hint="read it without --follow"
            )
        self._file = file
        self.offset = 0
        self._forget()
        return True

    def _forget(self) -> None:
        self._held, self._held_size = [], 0
        self._head = self._recent = b""
        self._checked = (-1, 0)

    def _go_to_end(self) -> None:
        if self._file is None:
            return
        fd = self._file.fileno()
        end = os.fstat(fd).st_size
        while end > 0:
            start = max(0, end - BLOCK_SIZE)
            cut = os.pread(fd, end - start, start).rfind(b"\n") + 1
            if cut or not start:
                end = start + cut
                break
            end = start
        self.offset = end
        self._head = os.pread(fd, min(_HEAD, end), 0)
        begin = max(0, end - _RECENT)
        self._recent = os.pread(fd, end - begin, begin)

    def _read_on(self) -> Iterator[Block | Change]:
        assert self._file is not None  # noqa: S101 - for the type checker; poll has seen to it
        fd = self._file.fileno()
        status = os.fstat(fd)
        # The time of change detects a file that was truncated and has grown to the same size.
        if (status.st_size, status.st_mtime_ns) == self._checked:
            return
        if not self._is_same(fd, status.st_size):
            yield from self._rest_of_copy()
            self.offset = 0
            self._forget()
            yield Change.TRUNCATED
        self._checked = (status.st_size, status.st_mtime_ns)
        yield from self._drain(fd)

    def _is_same(self, fd: int, size: int) -> bool:
        """Tell whether the file still holds what we have read; one that was truncated and grew again does not."""
        if size < self.offset + self._held_size:
            return False
        if os.pread(fd, len(self._head), 0) != self._head:
            return False
        return os.pread(fd, len(self._recent), self.offset - len(self._recent)) == self._recent

    def _drain(self, fd: int) -> Iterator[Block]:
        while chunk := os.pread(fd, BLOCK_SIZE, self.offset + self._held_size):
            cut = chunk.rfind(b"\n") + 1
            if not cut:
                self._held.append(chunk)
                self._held_size += len(chunk)
                continue
            data = b"".join((*self._held, chunk[:cut]))
            block = _without_mark(Block(self.offset, data))
            if len(self._head) < _HEAD:
                self._head += data[: _HEAD - len(self._head)]
            self._recent = (self._recent + data[-_RECENT:])[-_RECENT:]
            self.offset += len(data)
            # The bytes after the last newline are read again next time; only those of a long line are kept.
            self._held, self._held_size = [], 0
            yield block

    def _look_at_path(self) -> Iterator[Block | Change]:
        assert self._file is not None  # noqa: S101 - as above
        mine = os.fstat(self._file.fileno())
        try:
            there = self.path.stat(follow_symlinks=not self._private)
        except FileNotFoundError:
            if not self._told_removed:
                self._told_removed = True
                yield Change.REMOVED
            return
        if (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
            self._told_removed = False
            return
        # Its last lines may have been written between our last read and the rename.
        yield from self._drain(self._file.fileno())
        yield from self._last_line(self._file.fileno())
        newer = self._rotated_after_mine(mine)
        self.close()
        self._told_removed = False
        yield Change.ROTATED
        for source in newer:
            yield from iter_blocks(source, broken=self.broken)
        if self._open():
            yield from self._read_on()

    def _last_line(self, fd: int) -> Iterator[Block]:
        """Return the bytes after the last newline of a rotated file, which nobody completes any more."""
        rest = os.pread(fd, max(os.fstat(fd).st_size - self.offset, 0), self.offset)
        if not rest or rest.isspace():
            return
        try:
            decode(rest)
        except ValueError:
            source = LogSource(self.path, self._private, fd)
            self.broken.add_numbered(source, [count_lines(source, 0, self.offset) + 1], 1)
        else:
            yield _without_mark(Block(self.offset, rest + b"\n"))

    def _rotated_after_mine(self, mine: os.stat_result) -> list[LogSource]:
        """Return the files that were begun after ours and rotated before we looked, oldest first."""
        rotated = self._rotated()
        for index, source in enumerate(rotated):
            if self._is_now(source, mine):
                return rotated[index + 1 :]
        return []

    def _rotated(self) -> list[LogSource]:
        return [
            source
            for source in rotated_sources(self.path, is_private=self._private)
            if source.path is not None and source.path.is_file() and not source.path.is_symlink()
        ]

    def _is_now(self, source: LogSource, mine: os.stat_result) -> bool:
        """Tell whether a rotated file is the one that we read, renamed or compressed."""
        assert source.path is not None  # noqa: S101 - for the type checker
        try:
            status = source.path.stat(follow_symlinks=False)
        except OSError:
            return False
        if (status.st_dev, status.st_ino) == (mine.st_dev, mine.st_ino):
            return True
        return source.is_compressed and self.offset > 0 and self._begins_as_read(source)

    def _begins_as_read(self, source: LogSource) -> bool:
        """Tell whether a file holds what we have read, by its first line and the bytes read last."""
        try:
            found = first_and_last_bytes(source, self.offset, len(self._head), len(self._recent))
        except VideodbError:
            return False
        return found == (self._head, self._recent)

    def _rest_of_copy(self) -> Iterator[Block]:
        """Return what copytruncate copied and we had not read, from the newest rotated file if it is that copy."""
        rotated = self._rotated()
        if self._head and rotated and self._begins_as_read(rotated[-1]):
            yield from iter_blocks(rotated[-1], self.offset, broken=self.broken)


def _without_mark(block: Block) -> Block:
    """Return the first block of a file without its byte order mark, which is no part of the first line."""
    if block.offset or not block.data.startswith(BOM):
        return block
    return Block(len(BOM), block.data[len(BOM) :])


def iter_follow(
    followers: Iterable[Follower], sleep: Callable[[float], object] = time.sleep
) -> Iterator[tuple[Follower, Block | Change] | None]:
    """Poll for ever. Yields None after each round without news, so that the caller can check deadlines."""
    watched = list(followers)
    while True:
        busy = False
        for follower in watched:
            for item in follower.poll():
                busy = True
                yield follower, item
        if not busy:
            yield None
            sleep(POLL_S)
