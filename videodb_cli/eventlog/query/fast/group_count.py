"""Counts whole blocks by group: fields are read as columns, without a function call for each line."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from datetime import datetime
from math import isfinite
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from videodb_cli.eventlog.query.fast.columns import Columns, Path
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from videodb_cli.model.event import Event

# Events without a channel, stream, name or time are counted under this.
NONE = "(none)"

_STAMP, _CHANNEL, _RECOVERED = ("unix_ts",), ("channel",), ("recovered",)
# What is read besides stamp and channel. The first is the group's name; without it, the others are looked at.
_MORE: dict[str, tuple[Path, ...]] = {
    "channel": ev.CHANNEL_PATHS,
    "event": (("event",), *ev.CHANNEL_PATHS[2:]),
    "stream": (("rtstream_name",), ("rtstream_id",), ("rtstreamName",), ("rtstreamId",)),
    "minute": (),
    "hour": (),
}
BY = ("channel", "stream", "minute", "hour", "event")
_PATTERNS = {"minute": "%Y-%m-%dT%H:%M", "hour": "%Y-%m-%dT%H:00"}
# msgspec distinguishes up to so many names; a log with more of them has names that are no channels.
_KNOWN = 64
# Before 1973 some time zones differed from UTC by seconds, so that minutes began at other moments.
_SAFE = (1e8, 1e10)

Row = tuple[str, int, float, float]


class Counted(NamedTuple):
    """Rows of name, count, first and last stamp; and the indexes of lines that were not counted."""

    rows: list[Row]
    odd: Sequence[int]


class GroupCount:
    """Counts blocks. Recovered events, our own lines, and lines without a stamp are left to the caller."""

    def __init__(self, by: str) -> None:
        self._by = by
        # In the order of the log, because msgspec finds fields faster in that order.
        self._paths = list(dict.fromkeys((_STAMP, _CHANNEL, *_MORE[by])))
        self._name = self._paths.index(_MORE[by][0]) if _MORE[by] else None
        self._any = Columns([*self._paths, _RECOVERED])
        self._known: dict[Path, set[str]] = {_CHANNEL: set(), **{path: set() for path in _MORE[by][:1]}}
        self._usual: Columns | None = None

    def count(self, data: bytes | memoryview, lines: int) -> Counted | None:
        """Count a block of so many lines; None when it is not so regular, or the stamps are not in order."""
        try:
            rows = self._count_usual(self._usual, data, lines) if self._usual else None
            return self._count_any(data, lines) if rows is None else Counted(rows, ())
        except (ValueError, RecursionError):
            return None

    def _count_usual(self, usual: Columns, data: bytes | memoryview, lines: int) -> list[Row] | None:
        try:
            events = usual.decode(data)
        except ValueError:
            return None
        stamps = usual.column(events, 0)
        if len(events) != lines or stamps != sorted(stamps):
            return None
        return self._rows(usual, events, stamps)

    def _count_any(self, data: bytes | memoryview, lines: int) -> Counted | None:
        events = self._any.decode(data)
        if len(events) != lines:
            return None
        stamps, channels = self._any.column(events, 0), self._any.column(events, 1)
        recovered = self._any.column(events, len(self._paths))
        names = channels if self._name is None else self._any.column(events, self._name)
        odd: list[int] = []
        plain: list[int] = []
        for index, (stamp, channel, again, name) in enumerate(zip(stamps, channels, recovered, names, strict=True)):
            is_plain = again is None and type(stamp) in {float, int} and channel != ev.OWN_CHANNEL
            is_named = type(channel) in _NAMES and type(name) in _NAMES
            (plain if is_plain and is_named else odd).append(index)
        stamps = [ev.number(stamps[index]) for index in plain]
        if stamps != sorted(stamps) or (stamps and not (isfinite(stamps[0]) and isfinite(stamps[-1]))):
            return None
        self._learn(_CHANNEL, [channels[index] for index in plain])
        if self._name is not None:
            self._learn(self._paths[self._name], [names[index] for index in plain])
        return Counted(self._rows(self._any, [events[index] for index in plain], stamps), odd)

    def _rows(self, columns: Columns, events: list[Any], stamps: list[float]) -> list[Row]:
        if self._name is None:
            return list(_rows_by_time(stamps, self._by))
        names = columns.column(events, self._name)
        rows = _rows_by_name(names, stamps)
        called = ev.canonical_channel if self._by == "channel" else str
        named = [(called(name), count, first, last) for name, count, first, last in rows if name]
        if len(named) < len(rows):
            # Few events of a block have no name, so the field that replaces it is read only for those.
            named += [
                (self._stand_in(columns, events[index]), 1, stamps[index], stamps[index])
                for index, name in enumerate(names)
                if not name
            ]
        return named

    def _stand_in(self, columns: Columns, event: Any) -> str:
        fields = {path[0]: columns.value(event, self._paths.index(path)) for path in _MORE[self._by]}
        return group_name(fields, self._by)

    def _learn(self, path: Path, names: Collection[str | None]) -> None:
        """Let msgspec return the same string object for the same name, which halves the time for counting."""
        known = self._known[path]
        new = {name for name in names if name is not None} - known
        if (new or self._usual is None) and len(known) + len(new) <= _KNOWN:
            known |= new
            kinds: dict[Path, Any] = dict.fromkeys(self._paths, str | None)
            kinds |= {path: Literal[tuple(sorted(known))] | None for path, known in self._known.items() if known}
            kinds |= {_STAMP: float, _RECOVERED: None}
            if not self._known[_CHANNEL]:
                kinds[_CHANNEL] = None  # and a line of our own must not count as an ordinary one
            self._usual = Columns(self._paths, kinds=kinds, required={_STAMP})


_NAMES = {str, type(None)}


def _rows_by_name(names: list[Any], stamps: list[float]) -> list[tuple[Any, int, float, float]]:
    backwards = names[::-1]
    return [
        (name, number, stamps[names.index(name)], stamps[-1 - backwards.index(name)])
        for name, number in Counter(names).items()
    ]


def _rows_by_time(stamps: list[float], by: str) -> Iterator[Row]:
    """Return one row for each minute. Raises ValueError for stamps of other centuries."""
    if stamps and not _SAFE[0] <= stamps[0] <= stamps[-1] <= _SAFE[1]:
        raise ValueError("no time of ours")
    begin = 0
    while begin < len(stamps):
        first = stamps[begin]
        end = bisect_left(stamps, (first // 60 + 1) * 60, begin)
        yield time_name(first, by), end - begin, first, stamps[end - 1]
        begin = end


def group_name(event: Event, by: str) -> str:
    """Return the name of the group that an event belongs to."""
    if by == "channel":
        return ev.channel_of(event) or NONE
    if by == "stream":
        return ev.stream_of(event) or NONE
    if by == "event":
        return ev.name_of(event) or NONE
    return time_name(ev.happened_at(event), by)


def time_name(at: float | None, by: str) -> str:
    """Return the local minute or hour of a time in Unix seconds."""
    if at is None:
        return NONE
    try:
        return datetime.fromtimestamp(at).strftime(_PATTERNS[by])  # noqa: DTZ006 - local time is meant
    except (OverflowError, ValueError, OSError):
        return NONE
