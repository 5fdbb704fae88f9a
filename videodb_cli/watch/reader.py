"""Reads a log by window: the last lines, those before and after a place, and what is appended. Never the whole log."""

from __future__ import annotations

import os
import re
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.errors import NotFoundError
from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.eventlog.query.scan import Scanner, plan_of
from videodb_cli.eventlog.read.block import iter_lines
from videodb_cli.eventlog.read.blocks import iter_blocks, iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.follow import Change, Follower
from videodb_cli.eventlog.read.log_files import log_sources
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.eventlog.query.scan import Line
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.eventlog.read.block import Block
    from videodb_cli.render.rows import Row
    from videodb_cli.rundir.paths import RunDir

# Of what comes between two looks, only so many of the last lines are kept; the others can be scrolled to.
MOST_NEWS = 2000
FileId = tuple[int, int]


class Place(NamedTuple):
    """Where a line begins: in which file, which keeps its identity when it is rotated, and at which byte."""

    file: FileId
    offset: int


@dataclass(slots=True, eq=False)
class Entry:
    """One event of the window. ``rows`` is how it was drawn last."""

    place: Place
    raw: bytes
    event: Any
    rows: list[Row] | None = None


class Filter(NamedTuple):
    """What is shown: all of it, or one channel, one stream, one text. None: no condition."""

    channel: str | None = None
    stream: str | None = None
    text: str | None = None

    def selection(self, also: str | None = None) -> Selection:
        """Return the selection that this filter means; ``also`` is one more text that an event must hold."""
        texts = [re.escape(text) for text in (self.text, also) if text]
        return Criteria(
            channel=None if self.channel is None else [self.channel],
            stream=None if self.stream is None else [self.stream],
            grep=texts or None,
        ).resolve([])


@dataclass(slots=True)
class News:
    """What one look at the log found.

    Attributes:
        entries: The appended events that the filter selects, at most `MOST_NEWS`, in order.
        counts: All appended events by channel.
        streams: The streams that they came from.
        changes: What happened to the file, in order.
        is_emptied: The log was emptied: what was shown is gone. ``entries`` came after that.
        left_out: How many selected events came before ``entries`` and are not among them.
    """

    entries: list[Entry] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    streams: set[str] = field(default_factory=set)
    changes: list[Change] = field(default_factory=list)
    is_emptied: bool = False
    left_out: int = 0


class LogReader:
    """The log of a directory with its rotated files. Not for use by two threads at once, but for `before` and `after`.

    Args:
        run_dir: The directory. Neither it nor the log need exist yet.
    """

    def __init__(self, run_dir: RunDir) -> None:
        self.run_dir = run_dir
        self._follower = Follower(run_dir.log, private=True, from_end=True)

    @property
    def is_without_log(self) -> bool:
        """Whether there is no log."""
        return self._follower.source is None

    def close(self) -> None:
        """Close the log. Idempotent."""
        self._follower.close()

    def last(self, shown: Selection, count: int) -> list[Entry]:
        """Return the last ``count`` selected events that `poll` has not returned, or will not return."""
        place = _end_of(self._follower)
        return [] if place is None else self.before(place, shown, count) or []

    def before(self, place: Place, shown: Selection, count: int) -> list[Entry] | None:
        """Return the last ``count`` selected events before a place, in order; None if its file is gone."""
        sources = self._sources()
        index = next((number for number, (ident, _) in enumerate(sources) if ident == place.file), None)
        if index is None:
            return None
        scanner = _scanner(shown)
        found: list[Entry] = []
        for ident, source in reversed(sources[: index + 1]):
            end = place.offset if ident == place.file else None
            for line in _backwards(scanner, source, end, count - len(found)):
                found.append(_entry(ident, line))
                if len(found) == count:
                    return found[::-1]
        return found[::-1]

    def after(self, place: Place, shown: Selection, count: int) -> list[Entry] | None:
        """Return the first ``count`` selected events from a place on, in order; None if its file is gone."""
        sources = self._sources()
        index = next((number for number, (ident, _) in enumerate(sources) if ident == place.file), None)
        if index is None:
            return None
        scanner = _scanner(shown)
        found: list[Entry] = []
        for ident, source in sources[index:]:
            start = place.offset if ident == place.file else 0
            for line in _forwards(scanner, source, start):
                found.append(_entry(ident, line))
                if len(found) == count:
                    return found
        return found

    def poll(self, shown: Selection) -> News:
        """Return what was appended since the last call. Never waits."""
        news = News()
        kept: deque[Entry] = deque(maxlen=MOST_NEWS)
        taken = 0
        for item in self._follower.poll():
            if isinstance(item, Change):
                news.changes.append(item)
                if item is Change.TRUNCATED:
                    kept.clear()
                    taken, news.is_emptied = 0, True
                continue
            ident = _file_of(self._follower) or (0, 0)
            for entry in _entries(ident, item):
                if isinstance(entry.event, dict):
                    news.counts[ev.channel_of(entry.event) or "event"] += 1
                    news.streams.add(ev.stream_label(entry.event))
                if shown.matches(entry.event):
                    kept.append(entry)
                    taken += 1
        news.entries, news.left_out = list(kept), taken - len(kept)
        news.streams.discard("")
        return news

    def _sources(self) -> list[tuple[FileId, LogSource]]:
        found: list[tuple[FileId, LogSource]] = []
        for source in log_sources(self.run_dir):
            try:
                status = source.path.stat(follow_symlinks=False) if source.path is not None else None
            except OSError:
                continue
            if status is not None:
                found.append(((status.st_dev, status.st_ino), source))
        held, source_held = _file_of(self._follower), self._follower.source
        if held is not None and source_held is not None and all(ident != held for ident, _ in found):
            # The log was deleted: its open file can still be read.
            found.append((held, source_held))
        return found


def _file_of(follower: Follower) -> FileId | None:
    source = follower.source
    if source is None or source.fd is None:
        return None
    status = os.fstat(source.fd)
    return status.st_dev, status.st_ino


def _end_of(follower: Follower) -> Place | None:
    ident = _file_of(follower)
    return None if ident is None else Place(ident, follower.offset)


def _scanner(shown: Selection) -> Scanner:
    return Scanner(plan_of(shown), BrokenLines(), thorough=False)


def _entry(ident: FileId, line: Line) -> Entry:
    return Entry(Place(ident, line.offset), line.raw, line.decode())


def _entries(ident: FileId, block: Block) -> Iterator[Entry]:
    for offset, raw in iter_lines(block):
        try:
            event = decode(raw)
        except ValueError:
            continue
        yield Entry(Place(ident, offset), raw, event)


def _backwards(scanner: Scanner, source: LogSource, end: int | None, wanted: int) -> Iterator[Line]:
    """Yield selected lines before a byte, last line first."""
    try:
        if source.is_seekable:
            for block in iter_blocks_backwards(source, end, broken=scanner.broken):
                yield from scanner.lines_backwards(source, block)
        else:
            # A compressed file can be read from its beginning only; what is kept of it is bounded all the same.
            lines = (line for line in _forwards(scanner, source, 0) if end is None or line.offset < end)
            yield from reversed(deque(lines, maxlen=wanted))
    except NotFoundError:
        return


def _forwards(scanner: Scanner, source: LogSource, start: int) -> Iterator[Line]:
    try:
        for block in iter_blocks(source, start, broken=scanner.broken):
            yield from scanner.lines(source, block)
    except NotFoundError:
        return


def without_replaced(entries: Sequence[Entry]) -> list[Entry]:
    """Leave out interim transcripts behind which another transcript of their stream came."""
    kept: list[Entry] = []
    spoken: set[str] = set()
    for entry in reversed(entries):
        event = entry.event
        if isinstance(event, dict) and ev.channel_of(event) == "transcript":
            stream = ev.stream_label(event)
            if stream in spoken and ev.is_interim(event):
                continue
            spoken.add(stream)
        kept.append(entry)
    return kept[::-1]
