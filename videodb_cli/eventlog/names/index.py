"""Keeps the tallies of a log in a file beside it, so that only what was appended since has to be read.

The file is derived from the log alone: whatever is wrong with it, it is made anew. A part of the log is recognised by
its inode, its first bytes and the bytes before the end of what was counted, so rotated files stay known, and a log that
was cleared, truncated or replaced is counted again. Two processes at once do no harm: each replaces the whole file.
"""

from __future__ import annotations

import os
import sys
import time
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.names.tally import Tally, merged

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from videodb_cli.eventlog.read.sources import LogSource

SUFFIX = ".names"
_VERSION = 1
# A file that would be larger is not kept: every use would have to load it.
_MOST_BYTES = 4 << 20
_HEAD, _RECENT = 256, 64
# So much of the end of a log is looked at when there is no time for all of it.
_SAMPLE = 256 << 10
# So little is counted again at the next use, instead of replacing the file at each.
_WORTH_KEEPING = 32 << 10
_PIECE = 1 << 16
_LONGEST_LINE = 4 << 20


class LogNames(NamedTuple):
    """The names of a log. Unless ``is_complete``, only the names of a part of it are known."""

    tally: Tally
    is_complete: bool


class _Part(NamedTuple):
    """What is known of one file: its identity, how far it was counted, and what was found."""

    identity: str
    end: int
    marks: int
    tally: Tally


class _Saved:
    """The file with the tallies of one log; without a path nothing is kept."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._fields: dict[str, list[Any]] = {}
        self._kept: dict[str, list[Any]] = {}
        self._is_new = False
        if path is not None:
            with suppress(VideodbError, OSError, ValueError, KeyError, TypeError, RecursionError):
                self._fields = _load(path)

    def find(self, identity: str) -> _Part | None:
        fields = self._fields.get(identity)
        with suppress(KeyError, TypeError, ValueError, AttributeError):
            if fields is not None:
                end, marks, tally = fields
                part = _Part(identity, int(end), int(marks), Tally.from_json(tally))
                self._kept[identity] = fields
                return part
        return None

    def keep(self, part: _Part) -> None:
        """Remember a part for `save`."""
        self._kept[part.identity] = [part.end, part.marks, part.tally.to_json()]
        self._is_new = True

    def save(self) -> None:
        """Replace the file if there is news. A directory that cannot be written to is no error: next time is slower."""
        if self._path is None or not self._is_new:
            return
        import json

        from videodb_cli.rundir import private

        content = json.dumps({"v": _VERSION, "files": self._kept}, separators=(",", ":")).encode()
        if len(content) <= _MOST_BYTES:
            with suppress(VideodbError, OSError):
                private.write_atomic(self._path, content)


def _load(path: Path) -> dict[str, list[Any]]:
    """Return the entries of the file. Raises for one that is not ours, too large, or damaged."""
    import json

    from videodb_cli.rundir import private

    content = private.read_bytes(path, _MOST_BYTES + 1)
    if content is None or len(content) > _MOST_BYTES:
        return {}
    fields = json.loads(content)
    return dict(fields["files"]) if fields["v"] == _VERSION else {}


def read_names(sources: Sequence[LogSource], budget_s: float | None = None, *, reads_streams: bool = False) -> LogNames:
    """Return the names in these files. Never raises for what cannot be read: that is left out.

    Args:
        sources: The files of a log, the oldest first.
        budget_s: Give up counting after so many seconds. What was counted is kept for the next time. Of the rest only
            the end of the youngest file is looked at.
        reads_streams: Read standard input and pipes too, which can be done only once.
    """
    deadline = None if budget_s is None else time.monotonic() + budget_s
    saved: dict[Path | None, _Saved] = {}
    tallies: list[Tally] = []
    is_complete = True
    for number, source in enumerate(reversed(sources)):
        if source.is_stream:
            if reads_streams:
                tallies.append(_tally_of_stream(source))
            continue
        path = _store_of(source)
        store = saved.get(path) or saved.setdefault(path, _Saved(path))
        with suppress(VideodbError, OSError):
            tally, is_whole = _tally_of(source, store, deadline, is_youngest=not number)
            tallies.append(tally)
            is_complete = is_complete and is_whole
    for store in saved.values():
        store.save()
    return LogNames(merged(reversed(tallies)), is_complete)


def _store_of(source: LogSource) -> Path | None:
    """Return the place of the file for this source; None if nothing is kept: it is not in a directory of ours."""
    if source.path is None or not source.private:
        return None
    from videodb_cli.eventlog.write.rotation import log_name_of

    return source.path.with_name(log_name_of(source.path.name) + SUFFIX)


def _tally_of(source: LogSource, store: _Saved, deadline: float | None, *, is_youngest: bool) -> tuple[Tally, bool]:
    """Return what a file holds, and whether all of it was counted."""
    from videodb_cli.eventlog.read.sources import open_source

    if not source.is_seekable:
        return _tally_of_compressed(source, store, deadline)
    with open_source(source) as file:
        status = os.fstat(file.fileno())
        size = status.st_size
        identity = f"{status.st_dev:x}:{status.st_ino:x}"
        part = store.find(identity)
        if part is None or part.end > size or part.marks != _marks(file.fileno(), part.end):
            part = _Part(identity, 0, 0, Tally())
        start = part.end
        if start < size and (deadline is None or time.monotonic() < deadline):
            count = _count if deadline is None else _count_in_time
            end = min(count(source, part.tally, start, size, deadline), size)
            part = part._replace(end=end, marks=_marks(file.fileno(), end))
            if end - start >= _WORTH_KEEPING or not start:
                store.keep(part)
        if part.end >= size or not _has_whole_line(file.fileno(), part.end, size):
            return part.tally, True
    if not is_youngest:
        return part.tally, False
    rest = Tally()
    begin = _line_after(source, max(part.end, size - _SAMPLE))
    _count(source, rest, begin, size, None)
    return merged((part.tally, rest)), begin == part.end


def _tally_of_compressed(source: LogSource, store: _Saved, deadline: float | None) -> tuple[Tally, bool]:
    """The same for a file that is read forwards only: it is counted as a whole, and only if there is time for that."""
    assert source.path is not None  # noqa: S101 - for the type checker: it is not standard input
    status = source.path.stat()
    identity = f"{status.st_dev:x}:{status.st_ino:x}:{status.st_size}:{status.st_mtime_ns}"
    part = store.find(identity)
    if part is None:
        if deadline is not None:
            return Tally(), False
        part = _Part(identity, status.st_size, 0, Tally())
        _count(source, part.tally, 0, None, None)
        store.keep(part)
    return part.tally, True


def _count_in_time(source: LogSource, tally: Tally, start: int, size: int, deadline: float | None) -> int:
    """Count until the deadline. Ends before a line that is too long for that: of damage nobody waits for the end."""
    end = start
    while end < size and (deadline is None or time.monotonic() < deadline):
        reached = _count(source, tally, end, min(size, end + _LONGEST_LINE), deadline)
        if reached == end:
            break
        end = reached
    return end


def _tally_of_stream(source: LogSource) -> Tally:
    tally = Tally()
    with suppress(VideodbError, OSError):
        _count(source, tally, 0, None, None)
    return tally


def _count(source: LogSource, tally: Tally, start: int, size: int | None, deadline: float | None) -> int:
    """Count the lines from ``start`` on, and return the offset after the last one that was counted."""
    from videodb_cli.eventlog.names.counting import KindCounter
    from videodb_cli.eventlog.query.fast import parallel
    from videodb_cli.eventlog.read.blocks import iter_blocks
    from videodb_cli.eventlog.read.broken import BrokenLines

    if size is not None and deadline is None and _has_one_thread() and parallel.can_fork(size - start):
        return _count_in_two(source, tally, start, size)
    counter = KindCounter(tally)
    end = start
    for block in iter_blocks(source, start, size, _PIECE, broken=BrokenLines()):
        counter.add(block)
        end = block.offset + len(block.data)
        if deadline is not None and time.monotonic() >= deadline:
            break
    return end


def _has_one_thread() -> bool:
    """Tell whether a fork is safe: a program that uses the Python API may have threads, which a fork does not copy."""
    threading = sys.modules.get("threading")
    return threading is None or threading.active_count() == 1


def _count_in_two(source: LogSource, tally: Tally, start: int, size: int) -> int:
    """Count with two processes, which takes half the time for a large log."""
    from videodb_cli.eventlog.names.counting import KindCounter
    from videodb_cli.eventlog.query.fast import parallel
    from videodb_cli.eventlog.read.blocks import iter_blocks
    from videodb_cli.eventlog.read.broken import BrokenLines

    found = Tally()
    counter = KindCounter(found)
    reached = [start]

    def work(chunk: parallel.Chunk) -> None:
        for block in iter_blocks(source, chunk.start, chunk.end, _PIECE, broken=BrokenLines()):
            counter.add(block)
            reached[0] = block.offset + len(block.data)

    def keep() -> parallel.State:
        return {"tally": found.to_json(), "end": reached[0]}

    second = parallel.run_in_any_order(
        parallel.chunks_of(source, start, size, parallel.chunk_size(size - start)), work, keep
    )
    tally.merge(found)
    tally.merge(Tally.from_json(second["tally"]))
    return max(reached[0], int(second["end"]))


def _marks(fd: int, end: int) -> int:
    """Return a checksum of the first bytes of a file and of those before an offset."""
    head = os.pread(fd, min(_HEAD, end), 0)
    return zlib.crc32(os.pread(fd, min(_RECENT, end), max(0, end - _RECENT)), zlib.crc32(head))


def _has_whole_line(fd: int, start: int, size: int) -> bool:
    return size - start > _SAMPLE or b"\n" in os.pread(fd, size - start, start)


def _line_after(source: LogSource, offset: int) -> int:
    """Return the beginning of the first line at or after an offset."""
    from videodb_cli.eventlog.read.sources import open_source

    if not offset:
        return 0
    with open_source(source) as file:
        chunk = os.pread(file.fileno(), _SAMPLE, offset - 1)
        found = chunk.find(b"\n")
        return offset + found if found >= 0 else offset + len(chunk)
