"""Whole blocks counted by channel: fields are read as columns, and no function is called for an ordinary line."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from videodb_cli.eventlog import event as ev
from videodb_cli.eventlog.columns import Columns, Path

if TYPE_CHECKING:
    from collections.abc import Sequence

# In the order of the log, so that msgspec finds each field at its first guess.
_PATHS = (("unix_ts",), ("channel",), ("event",), ("recovered",))
# What has neither a channel nor a name is counted under this.
NONE = "(none)"
# So many names are told apart by msgspec itself; more would come from a log where a name is no channel.
_KNOWN = 64


class Counted(NamedTuple):
    """Rows of channel, count, first and last stamp; and the indexes of the lines that are not in them."""

    rows: list[tuple[str, int, float, float]]
    odd: Sequence[int]


class ChannelCount:
    """Counts blocks. What is recovered, our own, or without channel or stamp is left to the caller, line by line."""

    def __init__(self) -> None:
        self._any = Columns(_PATHS)
        self._known: tuple[str, ...] = ()
        self._usual: Columns | None = None

    def count(self, data: bytes | memoryview, lines: int) -> Counted | None:
        """Count a block of so many lines; None when it is not so regular, or the stamps are not in order."""
        try:
            counted = self._count_usual(self._usual, data, lines) if self._usual else None
            return counted or self._count_any(data, lines)
        except (ValueError, RecursionError):
            return None

    def _count_usual(self, usual: Columns, data: bytes | memoryview, lines: int) -> Counted | None:
        try:
            events = usual.decode(data)
        except ValueError:
            return None
        stamps, channels = usual.column(events, 0), usual.column(events, 1)
        if len(events) != lines or stamps != sorted(stamps):
            return None
        rows = _rows(channels, stamps)
        if None in channels:
            # Life-cycle events of some sources have no channel: a few a block, so their names are not made a column.
            for index in [index for index, channel in enumerate(channels) if channel is None]:
                name = ev.channel_of({"event": usual.value(events[index], 2)})
                rows.append((name or NONE, 1, stamps[index], stamps[index]))
        return Counted(rows, ())

    def _count_any(self, data: bytes | memoryview, lines: int) -> Counted | None:
        events = self._any.decode(data)
        if len(events) != lines:
            return None
        columns = zip(*(self._any.column(events, index) for index in range(len(_PATHS))), strict=True)
        odd: list[int] = []
        channels: list[str] = []
        stamps: list[float] = []
        for index, (stamp, channel, _, recovered) in enumerate(columns):
            if type(channel) is str and channel != ev.OWN_CHANNEL and type(stamp) is float and recovered is None:
                channels.append(channel)
                stamps.append(stamp)
            else:
                odd.append(index)
        if stamps != sorted(stamps):
            return None
        self._learn(channels)
        return Counted(_rows(channels, stamps), odd)

    def _learn(self, channels: Sequence[str]) -> None:
        """Have msgspec give the same string for the same channel: it is counted in half of the time."""
        names = tuple(sorted({*self._known, *channels}))
        if names == self._known or not 0 < len(names) <= _KNOWN:
            return
        self._known = names
        kinds: dict[Path, Any] = {
            ("unix_ts",): float,
            ("channel",): Literal[names] | None,
            ("event",): str | None,
            ("recovered",): None,
        }
        self._usual = Columns(_PATHS[:3], kinds=kinds, required={("unix_ts",)})


def _rows(channels: Sequence[str | None], stamps: list[float]) -> list[tuple[str, int, float, float]]:
    backwards = channels[::-1]
    return [
        (ev.canonical_channel(name), number, stamps[channels.index(name)], stamps[-1 - backwards.index(name)])
        for name, number in Counter(channels).items()
        if name is not None
    ]
