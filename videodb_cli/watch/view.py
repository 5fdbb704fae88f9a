"""One directory in the live view: what is read of it and what is shown. No terminal; the reads may run in a thread."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.eventlog.query.selection import compile_grep
from videodb_cli.eventlog.read.follow import Change
from videodb_cli.model import event as ev
from videodb_cli.render.rows import EventRows
from videodb_cli.render.style import Painter, Piece
from videodb_cli.watch.detail import player_address
from videodb_cli.watch.header import Facts, Observer, Rates
from videodb_cli.watch.reader import Entry, Filter, LogReader, News, Place
from videodb_cli.watch.window import Window

if TYPE_CHECKING:
    from videodb_cli.render.rows import Row
    from videodb_cli.rundir.paths import RunDir

PAGE = 300
_MARGIN = 60
_MOST_ROWS = 40
_LARGE, _MOST_TEXT, _MOST_ITEMS = 20_000, 4_000, 50
_CHANGES = {
    Change.APPEARED: "a log appeared",
    Change.ROTATED: "the log was rotated",
    Change.TRUNCATED: "the log was emptied",
    Change.REMOVED: "the log was deleted; a new one will be followed",
}


class SearchHit(NamedTuple):
    """What a search found: events around it, and which of them it is (``at``); ``has_end`` as in `Window`."""

    entries: list[Entry]
    at: int
    has_end: bool


class DirectoryView:
    """Reads and shows one directory.

    Attributes:
        filter: Which events are shown; change it with `choose`.
        search: The text that is highlighted.
        notice: What happened last, in words.
        channels: The channels of all events that were seen, and ``streams`` their streams.
        is_stale: The events must be read anew, because the filter or the place has changed.
        search_step: A search that waits to be done: -1 to older events, 1 to newer ones.
    """

    def __init__(self, run_dir: RunDir, painter: Painter) -> None:
        self.run_dir = run_dir
        self.reader = LogReader(run_dir)
        self.observer = Observer(run_dir)
        self.rates = Rates(time.monotonic())
        self.facts = Facts()
        self.filter = Filter()
        self.selection = self.filter.selection()
        self.search = ""
        self.notice = ""
        self.channels: set[str] = set()
        self.streams: set[str] = set()
        self.is_stale, self.search_step = True, 0
        self.rows = EventRows(80, painter, is_followed=True)
        self.window = Window(self._rows_of)

    # ---- reads: they may run in a thread ---------------------------------------------------------------------------

    def read_last(self) -> list[Entry]:
        """Return the last events."""
        return self.reader.last(self.selection, PAGE)

    def read_older(self) -> list[Entry] | None:
        """Return events from before the first one; None if they cannot be found any more."""
        return self.reader.before(self.window.entries[0].place, self.selection, PAGE)

    def read_newer(self) -> list[Entry] | None:
        """Return events from after the last one; None if they cannot be found any more."""
        return self.reader.after(_behind(self.window.entries[-1]), self.selection, PAGE)

    def find(self, step: int) -> SearchHit | None:
        """Return the next event with the text of the search, in a direction, with the events around it."""
        selected = self.window.selected
        if selected is None or not self.search:
            return None
        wanted = self.filter.selection(self.search)
        if step < 0:
            found = self.reader.before(selected.place, wanted, 1)
        else:
            found = self.reader.after(_behind(selected), wanted, 1)
        if not found:
            return None
        older = self.reader.before(found[0].place, self.selection, PAGE) or []
        newer = self.reader.after(_behind(found[0]), self.selection, PAGE) or []
        return SearchHit([*older, found[0], *newer], len(older), len(newer) < PAGE)

    # ---- what is done with what was read ---------------------------------------------------------------------------

    def show_last(self, entries: list[Entry]) -> None:
        """Show the end of the log, and follow it."""
        self._learn(entries)
        self.window.reset(entries)
        self.is_stale = False

    def show_older(self, entries: list[Entry] | None) -> None:
        """Put older events above those that are shown."""
        if entries is None:
            self.notice = "older events are in a file that is gone: press End"
        self._learn(entries or [])
        self.window.prepend(entries or [])

    def show_newer(self, entries: list[Entry] | None) -> None:
        """Put newer events below those that are shown."""
        if entries is None:
            self.notice = "newer events are in another log: press End"
            self.window.has_end = True
            return
        self._learn(entries)
        self.window.extend(entries, is_end=len(entries) < PAGE)

    def show_found(self, found: SearchHit | None) -> None:
        """Go to what a search has found."""
        if found is None:
            self.notice = f"not found: {self.search}"
            return
        wanted = found.entries[found.at].place
        index = next((n for n, entry in enumerate(self.window.entries) if entry.place == wanted), None)
        if index is not None:
            self.window.move(index - self.window.cursor)
            return
        self._learn(found.entries)
        self.window.reset(found.entries, cursor=found.at, has_end=found.has_end)

    def take(self, news: News, now: float) -> bool:
        """Take what one look at the log has found. Return whether anything has changed."""
        self.rates.add(news.counts, now)
        self.channels |= news.counts.keys()
        self.streams |= news.streams
        for change in news.changes:
            self.notice = _CHANGES[change]
        if news.is_emptied:
            self.window.reset([])
        last = self.window.entries[-1].place if self.window.entries else None
        entries = [
            entry for entry in news.entries if last is None or not _is_until(entry.place, last)
        ]  # those that were read to the end of the file before
        self._learn(entries)
        if news.left_out and self.window.is_following:
            self.window.reset(entries)
        else:
            self.window.append(entries)
        return bool(news.counts or news.changes)

    def choose(self, chosen: Filter) -> None:
        """Show other events."""
        self.filter = chosen
        self.selection = chosen.selection()
        self.window.redraw()
        self.is_stale = True

    def look_for(self, text: str) -> None:
        """Highlight a text and go to the last event that has it; an empty one ends the search."""
        self.search = text
        self.window.redraw()
        if not text:
            return
        selected = self.window.selected
        if selected is not None and self.filter.selection(text).matches(selected.event):
            self.window.pause()
            return
        self.search_step = -1

    def follow(self) -> None:
        """Go to the end of the log and follow it."""
        self.notice = ""
        if self.window.has_end and self.window.entries:
            self.window.is_following = True
            self.window.cursor = len(self.window.entries) - 1
            self.window.waiting = 0
        else:
            self.is_stale = True

    def resize(self, width: int) -> None:
        """Draw for another width."""
        self.rows.resize(width)
        self.window.redraw()

    @property
    def wants_older(self) -> bool:
        """Whether older events should be read."""
        window = self.window
        return bool(window.entries) and not window.is_following and window.is_near_start(_MARGIN)

    @property
    def wants_newer(self) -> bool:
        """Whether newer events should be read."""
        window = self.window
        return bool(window.entries) and not window.is_following and window.is_near_end(_MARGIN)

    def address(self) -> str | None:
        """Return the address of the player: that of the selected event, else that of the capture."""
        selected = self.window.selected
        found = None if selected is None else player_address(selected.event)
        state = self.facts.capture.state if self.facts.capture is not None else None
        if found is None and state is not None:
            found = player_address({"player_url": state.player_url}) or player_address({"url": state.stream_url})
        return found

    def _learn(self, entries: list[Entry]) -> None:
        """Note channels and streams, and make room for them in the columns."""
        events = [entry.event for entry in entries if isinstance(entry.event, dict)]
        self.channels |= {ev.channel_of(event) or "event" for event in events}
        self.streams |= {ev.stream_label(event) for event in events} - {""}
        before = self.rows.layout
        self.rows.measure(events)
        if self.rows.layout != before:
            self.window.redraw()

    def _rows_of(self, entry: Entry, before: Entry | None) -> list[Row]:
        self.rows.follow_on({"unix_ts": time.time()} if before is None else before.event)
        event = entry.event if len(entry.raw) <= _LARGE else _shortened(entry.event)
        rows = self.rows.pieces(event, found=self._spans)
        if len(rows) > _MOST_ROWS:
            rows = [*rows[: _MOST_ROWS - 1], [Piece("  … Enter shows the whole event", ("dim",))]]
        return rows or [[]]

    def _spans(self, text: str) -> list[tuple[int, int]]:
        texts = [wanted for wanted in (self.search, self.filter.text) if wanted]
        return [match.span() for wanted in texts for match in compile_grep(re.escape(wanted)).finditer(text)]


def _behind(entry: Entry) -> Place:
    return Place(entry.place.file, entry.place.offset + len(entry.raw) + 1)


def _is_until(place: Place, last: Place) -> bool:
    return place.file == last.file and place.offset <= last.offset


def _shortened(value: Any) -> Any:
    """Return an event of megabytes with the beginning of each of its values."""
    if isinstance(value, str):
        return value if len(value) <= _MOST_TEXT else value[:_MOST_TEXT] + "…"
    if isinstance(value, dict):
        return {key[:_MOST_TEXT]: _shortened(one) for key, one in list(value.items())[:_MOST_ITEMS]}
    return [_shortened(one) for one in value[:_MOST_ITEMS]] if isinstance(value, list) else value
