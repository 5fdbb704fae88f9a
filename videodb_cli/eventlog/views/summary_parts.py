"""The values that a summary of a log is made of."""

from __future__ import annotations

from typing import Any

import msgspec


class At(msgspec.Struct, omit_defaults=True):
    """One thing at one time. ``at`` is Unix seconds; ``stream`` or ``name`` says whose or what it is."""

    at: float | None
    text: str
    stream: str = ""
    name: str = ""


class NameCount(msgspec.Struct):
    """A name and how often it came."""

    name: str
    count: int


class Part(msgspec.Struct, omit_defaults=True):
    """One part of the summary: how many there are in all, and those that found room.

    Attributes:
        count: How many there are in all; None if there was no room even for that.
        seconds: For how long, all together, where that has a meaning.
        how: How the shown ones were chosen, where they are a choice.
        names: Names with their counts, most frequent first.
        shown: Those that found room, in their order.
    """

    count: int | None = None
    seconds: float | None = None
    how: str | None = None
    names: list[NameCount] = []
    shown: list[Any] = []


class ScreenShare(msgspec.Struct):
    """A screen, for what share of the time it was seen, and when first (Unix seconds)."""

    share: float
    seconds: float
    first: float
    text: str


class SessionLine(msgspec.Struct, omit_defaults=True):
    """A capture session. Times are Unix seconds."""

    id: str
    status: str | None
    first: float | None
    last: float | None
    video_id: str | None = None
    stream_url: str | None = None


class SummaryParts(msgspec.Struct):
    """What happened in the events, as values.

    Attributes:
        events: How many events there were, the listener's own lines not counted.
        first: When the first one happened, Unix seconds.
        last: When the last one happened.
        next: The commands that show more.
    """

    events: int = 0
    first: float | None = None
    last: float | None = None
    channels: Part = msgspec.field(default_factory=Part)
    streams: Part = msgspec.field(default_factory=Part)
    said: Part = msgspec.field(default_factory=Part)
    screens: Part = msgspec.field(default_factory=Part)
    alerts: Part = msgspec.field(default_factory=Part)
    sessions: Part = msgspec.field(default_factory=Part)
    gaps: Part = msgspec.field(default_factory=Part)
    errors: Part = msgspec.field(default_factory=Part)
    next: list[str] = msgspec.field(default_factory=list)
