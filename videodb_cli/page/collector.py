"""Collects events one by one into the content of a page."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from videodb_cli.page.content import CUT, INTERIM, RECOVERED, Entry, Gap, Lane, PageContent, Video
from videodb_cli.page.density import Density
from videodb_cli.page.sample import Sample

if TYPE_CHECKING:
    from collections.abc import Iterable

_MAX_LANES: Final = 40
_MAX_GAPS: Final = 5000
_MAX_VIDEOS: Final = 50
_MAX_TEXT: Final = 4000
_OTHERS: Final = "other streams"
# The rows of the time line, from the top.
_ORDER: Final = ("transcript", "visual_index", "audio_index", "alert", "capture_session", "videodb_cli")


class Collector:
    """Takes the events of a page in any order. ``budget`` bounds the listed ones, in bytes before compression."""

    def __init__(self, *, budget: int, lists_interim: bool = False) -> None:
        self._lists_interim = lists_interim
        self._lanes: list[Lane] = []
        self._numbers: dict[tuple[str, str], int] = {}
        self._density = Density(self._lanes)
        self.sample = Sample(budget)
        self.gaps: list[Gap] = []
        self.videos: list[Video] = []
        self.events = 0
        self.interim = 0
        self._first = math.inf
        self._last = -math.inf
        self._unlisted_gaps = 0
        self._cut = 0

    def add(self, channel: str, stream: str, at: float, until: float, text: str, flags: int = 0) -> None:
        """Add one event: its channel, the name of its stream, its time in seconds, what it says."""
        number = self._numbers.get((channel, stream))
        if number is None:
            number = self._new_lane(channel, stream)
        lane = self._lanes[number]
        self.events += 1
        lane.count += 1
        if flags & RECOVERED:
            lane.recovered += 1
        self._first = min(self._first, at)
        self._last = max(self._last, at)
        self._density.add(lane, at)
        if flags & INTERIM:
            self.interim += 1
            if not self._lists_interim:
                return
        if len(text) > _MAX_TEXT:
            text, flags = text[:_MAX_TEXT], flags | CUT
            self._cut += 1
        self.sample.add(channel, Entry(at, until, number, text, flags))

    def _new_lane(self, channel: str, stream: str) -> int:
        key = (channel, stream)
        if len(self._lanes) >= _MAX_LANES:
            # A log that names thousands of streams gets no thousands of rows.
            number = self._numbers.get(("", _OTHERS))
            if number is None:
                number = self._numbers["", _OTHERS] = len(self._lanes)
                self._lanes.append(Lane("other", _OTHERS))
            return number
        number = self._numbers[key] = len(self._lanes)
        self._lanes.append(Lane(channel, stream))
        return number

    def add_gap(self, gap: Gap) -> None:
        """Add a time in which nothing could be heard."""
        if len(self.gaps) < _MAX_GAPS:
            self.gaps.append(gap)
        else:
            self._unlisted_gaps += 1

    def add_video(self, video: Video) -> None:
        """Add a recording."""
        if len(self.videos) < _MAX_VIDEOS:
            self.videos.append(video)

    def content(self, title: str, notes: Iterable[str] = ()) -> PageContent:
        """Return what was collected. May be called again after `Sample.thin`."""
        rank = {name: place for place, name in enumerate(_ORDER)}
        order = sorted(
            range(len(self._lanes)),
            key=lambda n: (rank.get(self._lanes[n].channel, len(rank)), self._lanes[n].channel, self._lanes[n].stream),
        )
        place = {old: new for new, old in enumerate(order)}
        entries = [Entry(at, until, place[lane], text, flags) for at, until, lane, text, flags in self.sample]
        entries.sort(key=lambda entry: entry.at)
        return PageContent(
            title=title,
            lanes=[self._lanes[old] for old in order],
            bin_s=self._density.width_s,
            entries=entries,
            gaps=sorted(self.gaps),
            videos=list(self.videos),
            first=self._first if self.events else None,
            last=self._last if self.events else None,
            notes=[*notes, *self._own_notes()],
            events=self.events,
            interim=self.interim,
        )

    def _own_notes(self) -> list[str]:
        notes = self.sample.notes()
        if self.interim and not self._lists_interim:
            are = "transcript is" if self.interim == 1 else "transcripts are"
            notes.append(f"{self.interim:,} interim {are} counted and not listed: final ones replace them.")
        if self._cut:
            are = "event is" if self._cut == 1 else "events are"
            notes.append(f"{self._cut:,} long {are} cut to {_MAX_TEXT:,} characters; the log has them whole.")
        if self._unlisted_gaps:
            notes.append(f"{self._unlisted_gaps:,} more gaps are in the log.")
        return notes
