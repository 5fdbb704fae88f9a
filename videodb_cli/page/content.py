"""What a page shows, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

RECOVERED: Final = 1  # read back after a gap
INTERIM: Final = 2  # a transcript that a later one replaces
CUT: Final = 4  # the page holds only the beginning of the text


class Entry(NamedTuple):
    """One event that the page lists. Times are in seconds; ``lane`` is an index into the lanes of the page."""

    at: float
    until: float
    lane: int
    text: str
    flags: int = 0


class Gap(NamedTuple):
    """A time in which nothing could be heard. Times are in seconds."""

    start: float
    end: float
    text: str


@dataclass(slots=True)
class Lane:
    """One row of the time line: a channel of a stream.

    Attributes:
        channel: The channel of its events.
        stream: The name of their stream; empty for events without one.
        count: How many events it has, listed or not.
        recovered: How many of them were read back after a gap.
        bins: How many events there are in each bin of time; see `density.Density`.
    """

    channel: str
    stream: str
    count: int = 0
    recovered: int = 0
    bins: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Video:
    """A recording that the page can play.

    Attributes:
        title: What it is called.
        start: The time of the page at its first second.
        hls: The address of an HLS playlist.
        mp4: The address of a finished MP4.
        growing: The address of a fragmented MP4 that still grows; ``hls`` is its playlist.
        parts: Spans of MP4s, one after the other: address, first and last second.
        player: The address of a page that plays it.
        download: The address of a file to keep.
        is_estimated: Whether ``start`` is a guess.
    """

    title: str
    start: float
    hls: str = ""
    mp4: str = ""
    growing: str = ""
    parts: tuple[tuple[str, float, float], ...] = ()
    player: str = ""
    download: str = ""
    is_estimated: bool = False


@dataclass(slots=True, kw_only=True)
class PageContent:
    """Everything on a page.

    Attributes:
        title: What the page is about.
        is_wall_clock: Whether times are Unix seconds; otherwise they count from the beginning of a recording.
        is_player: Whether the recording is what the page is for.
        lanes: The rows of the time line.
        bin_s: The width of the bins of the lanes, in seconds.
        entries: The listed events.
        gaps: The times in which nothing could be heard.
        videos: The recordings.
        notes: Sentences about what the page leaves out, and where it comes from.
        events: How many events there are, listed or not.
        interim: How many of them are interim transcripts.
        first: The time of the first event, listed or not.
        last: The time of the last one.
    """

    title: str
    is_wall_clock: bool = True
    is_player: bool = False
    lanes: list[Lane] = field(default_factory=list)
    bin_s: float = 1.0
    entries: list[Entry] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    videos: list[Video] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    events: int = 0
    interim: int = 0
    first: float | None = None
    last: float | None = None
