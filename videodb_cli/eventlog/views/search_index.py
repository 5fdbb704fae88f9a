"""Full-text index of a log: an SQLite FTS5 table in a file beside it, derived from the log alone.

The id of a row holds the file and the offset of the line; the text itself is not stored. A file is recognised by its
first line and by the bytes before the indexed end. So entries of a rotated file stay valid, and those of a log that was
cleared or truncated are ignored. A log only grows: if it has changed without growing, somebody has edited or replaced
it, and it is indexed again.
"""

from __future__ import annotations

import itertools
import os
import sys
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.read.blocks import iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.cursor import marked_end, marks_of
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.eventlog.read.log_files import rotated_sources
from videodb_cli.eventlog.read.sources import LogSource, open_source
from videodb_cli.eventlog.views import search_db
from videodb_cli.eventlog.views.indexing import Indexer, ReadFaults

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path


_T = TypeVar("_T")
_OFFSET_BITS = 44
_COMMIT_BYTES = 64 << 20
_BEST_FIRST = "SELECT rowid, rank FROM words WHERE words MATCH ? ORDER BY rank, rowid DESC"


class Found(NamedTuple):
    """A line that holds the words: its place, and its rank (less is better)."""

    source: LogSource
    offset: int
    rank: float


class SearchIndex:
    """An open index. ``close`` when done."""

    def __init__(self, path: Path | None, *, in_memory: bool = False) -> None:
        """Open or create the index at ``path`` (0600); None means an unnamed file, for this run only.

        ``in_memory`` is for small logs when no file can be created: the index of a big log does not fit into memory.
        Raises IndexUnusableError.
        """
        self._path = path
        self._in_memory = in_memory
        self._known: dict[int, LogSource] = {}
        # Files that could not be opened.
        self._closed: list[DamagedError] = []
        self._sources: Sequence[LogSource] = ()
        self._progress: Callable[[int, int], None] = lambda _done, _total: None
        self._db = self._open()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        if self._path is None:
            return search_db.open_for_this_run(in_memory=self._in_memory)
        return search_db.open_file(self._path)

    def faults(self) -> BrokenLines:
        """What could not be read of the files that were updated."""
        found = BrokenLines()
        for ident, source in self._known.items():
            for (text,) in self._db.execute("SELECT faults FROM files WHERE id = ?", (ident,)):
                ReadFaults.of(text).tell(source, found)
        for error in self._closed:
            found.add_damage(error)
        return found

    def update(self, sources: Sequence[LogSource], progress: Callable[[int, int], None]) -> None:
        """Index what was written since the last time. ``progress`` gets the bytes done, and all bytes.

        Raises IndexUnusableError when the index cannot be written.
        """
        self._sources, self._progress = sources, progress
        self._mended(self._refresh)

    def _mended(self, ask: Callable[[], _T]) -> _T:
        """Run a query. If the database turns out to be damaged, it is removed and built again."""
        import sqlite3

        try:
            return ask()
        except sqlite3.Error as error:
            if self._path is None or not search_db.is_damaged(error):
                raise search_db.unusable(error) from error
        self._begin_again(self._path)
        self._refresh()
        return ask()

    def _refresh(self) -> None:
        if self._path is not None and self._is_mostly_stale(self._path):
            self._begin_again(self._path)
        self._take_up()

    def _begin_again(self, path: Path) -> None:
        self._db.close()
        self._known.clear()
        self._db = search_db.open_anew(path)

    def _take_up(self) -> None:
        todo: list[tuple[LogSource, int | None, int]] = []
        for source in self._sources:
            ident, offset = self._find(source)
            if ident is not None:
                self._known[ident] = source
            if ident is None or not _is_indexed(source, offset):
                todo.append((source, ident, offset))
        total = sum(max(_size(source) - offset, 0) for source, _, offset in todo)
        done = 0
        for source, _, _ in todo:
            for count in self._index(source):
                done += count
                self._progress(done, max(total, done))

    def _is_mostly_stale(self, path: Path) -> bool:
        """Tell whether most of the index is about removed files, which distort the ranking and would stay for ever."""
        log = path.with_suffix("")
        here = {*self._sources, *rotated_sources(log), *([LogSource(log, private=True)] if log.exists() else [])}
        rows = self._db.execute("SELECT id, offset FROM files").fetchall()
        if len(rows) <= len(here):
            return False
        alive = {ident for ident, _ in map(self._find, here)}
        gone: int = sum(offset for ident, offset in rows if ident not in alive)
        whole: int = sum(offset for _, offset in rows)
        return 2 * gone > whole

    def _find(self, source: LogSource) -> tuple[int | None, int]:
        """Return the id of a file in the index, and the offset up to which it was indexed."""
        stamp = _stamp(source)
        rows = self._db.execute("SELECT id, head, recent, offset, stamp FROM files ORDER BY id DESC").fetchall()
        is_compressed = source.is_compressed
        for ident, head, recent, offset, kept in rows:
            if is_compressed:
                if kept == stamp:
                    return ident, offset
                continue
            try:
                if marks_of(source, offset) == (head, recent) and _only_grew(kept, stamp):
                    return ident, offset
            except VideodbError:
                return None, 0
        return None, 0

    def _index(self, source: LogSource) -> Iterator[int]:
        """Index the rest of a file in transactions of limited size; yields the bytes of each."""
        try:
            open_source(source).close()
        except DamagedError as error:
            self._closed.append(error)
            return
        indexer = Indexer(source)
        # A compressed file is recognised as a whole, so it is indexed as a whole.
        most = sys.maxsize if source.is_compressed else _COMMIT_BYTES
        at_end = False
        while not at_end:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                # Another process may have indexed more of it since we looked.
                ident, start = self._find(source)
                if ident is None:
                    ident = self._db.execute("INSERT INTO files VALUES (NULL, '', '', 0, '', '')").lastrowid or 0
                    start = 0
                (text,) = self._db.execute("SELECT faults FROM files WHERE id = ?", (ident,)).fetchone()
                indexer.begin(ReadFaults.of(text))
                base, end = ident << _OFFSET_BITS, start
                at_end = True
                for block in iter_blocks(source, start, broken=indexer.broken):
                    rows = ((base | offset, text) for offset, text in indexer.texts(block))
                    self._db.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", rows)
                    end = indexer.take(block)
                    if end - start >= most:
                        at_end = False
                        break
                at, (head, recent) = marked_end(source, end) or (end, ("", ""))
                # A last line without its newline is read as if it had one; the next line begins after that.
                indexer.faults.lines -= end - at
                end = at
                self._db.execute(
                    "UPDATE files SET head = ?, recent = ?, offset = ?, stamp = ?, faults = ? WHERE id = ?",
                    (head, recent, end, _stamp(source) if at_end else "", indexer.end().text(), ident),
                )
                self._db.execute("COMMIT")
            except BaseException:
                # On a full disk SQLite has rolled back already.
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
            self._known[ident] = source
            yield end - start

    def search(self, query: str) -> Iterator[Found]:
        """Return the found lines of the updated files, best first; of equally good ones the latest first.

        The first row is fetched here, because SQLite ranks all rows before it: if the index cannot be read, this
        raises IndexUnusableError, and not the later iteration.
        """
        return self._lines(self._mended(lambda: _begun(self._db.execute(_BEST_FIRST, (query,)))))

    def _lines(self, rows: Iterator[tuple[int, float]]) -> Iterator[Found]:
        mask = (1 << _OFFSET_BITS) - 1
        for rowid, rank in rows:
            source = self._known.get(rowid >> _OFFSET_BITS)
            if source is not None:
                yield Found(source, rowid & mask, rank)


def _begun(rows: Iterator[tuple[int, float]]) -> Iterator[tuple[int, float]]:
    first = next(rows, None)
    return iter(()) if first is None else itertools.chain((first,), rows)


def _is_indexed(source: LogSource, offset: int) -> bool:
    return source.is_compressed or _size(source) <= offset


def _size(source: LogSource) -> int:
    status = _status(source)
    return 0 if status is None else status.st_size


def _stamp(source: LogSource) -> str:
    """Return inode, size and time of change of a file."""
    status = _status(source)
    return "" if status is None else f"{status.st_dev}:{status.st_ino}:{status.st_size}:{status.st_mtime_ns}"


def _status(source: LogSource) -> os.stat_result | None:
    try:
        if source.fd is not None:
            return os.fstat(source.fd)
        return None if source.path is None else source.path.stat()
    except OSError:
        return None  # rotated away while we looked


def _only_grew(before: str, now: str) -> bool:
    """Tell from two stamps whether a file has at most grown, so that its indexed part is unchanged."""
    if before in {"", now}:
        return True
    *old, old_size, _ = before.split(":")
    *new, size, _ = now.split(":")
    return old == new and int(size) > int(old_size)
