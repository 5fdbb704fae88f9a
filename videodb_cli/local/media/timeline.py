"""Time of a stream: stamps of packets made continuous, and the wall clock that they are played by. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_BACKWARD_BREAK_S = 1.0
_FORWARD_BREAK_S = 10.0
_SAME_BREAK_S = 1.0
_AHEAD_S = 10.0
_AHEAD_BYTES = 64 << 20


@dataclass(slots=True)
class _Track:
    offset: float
    end: float | None = None


class Timeline:
    """Maps the stamps of each track to seconds since the beginning of the stream.

    Sources start anywhere (also below zero), leave stamps out, and jump: back when a recording was joined to another,
    forward when a transport stream was cut. A jump becomes a seam without a hole; when one track has jumped, the other
    follows by the same amount, so that sound and picture stay together.
    """

    def __init__(self, *, start: float | None, forward_jumps_are_breaks: bool) -> None:
        self._start = start
        self._forward_breaks = forward_jumps_are_breaks
        self._tracks: dict[int, _Track] = {}

    def place(self, track: int, stamp: float | None, duration: float) -> float:
        """The seconds to add to the stamps of this packet. ``stamp`` (seconds) is its decoding time, if it has one."""
        if self._start is None:
            self._start = stamp if stamp is not None else 0.0
        state = self._tracks.setdefault(track, _Track(-self._start))
        if stamp is None:
            state.end = (state.end or 0.0) + duration
            return state.offset
        placed = stamp + state.offset
        if state.end is not None and self._is_break(placed - state.end):
            state.offset = self._offset_after_break(track, stamp, state.end)
            placed = stamp + state.offset
        state.end = max(placed + duration, 0.0)
        return state.offset

    def expected(self, track: int) -> float:
        """Where the next packet of a track belongs if it does not say so itself."""
        state = self._tracks.get(track)
        return state.end or 0.0 if state else 0.0

    def _is_break(self, jump: float) -> bool:
        return jump < -_BACKWARD_BREAK_S or (self._forward_breaks and jump > _FORWARD_BREAK_S)

    def _offset_after_break(self, track: int, stamp: float, end: float) -> float:
        for number, other in self._tracks.items():
            if number != track and abs(stamp + other.offset - end) < _SAME_BREAK_S:
                return other.offset
        return end - stamp


@dataclass(slots=True)
class WallClock:
    """Which unix second a second of the stream is played at.

    It is set once and moves only when the source stalls; every move is kept, so that a time span of the wall clock
    finds its place in the recording.
    """

    moves: list[tuple[float, float]] = field(default_factory=list)  # (from this stream second, unix second of zero)

    @property
    def zero(self) -> float:
        """The unix second of the stream's second 0 as things stand now."""
        return self.moves[-1][1]

    def move(self, stream_second: float, zero: float) -> None:
        """From this second of the stream on, its second 0 counts as played at the unix second ``zero``."""
        self.moves.append((stream_second, zero))

    def stream_second(self, wall: float) -> float:
        """The second of the stream that was played at ``wall``; below 0 before it began."""
        found = wall - self.moves[0][1]
        for begins, zero in self.moves[1:]:
            found = wall - zero if wall - zero >= begins else min(found, begins)
        return found


@dataclass(frozen=True, slots=True)
class Placed(Generic[T]):
    """A packet of a track, with the second of the stream at which it is due, and its size in bytes."""

    packet: T
    track: int
    second: float
    size: int


def in_order(packets: Iterable[Placed[T]], tracks: int) -> Iterator[Placed[T]]:
    """Give packets of ``tracks`` tracks in the order in which they are due.

    Files hold the sound of a moment well before or after its picture; played as they come, one of them would be late.
    Reads ahead until each track has a packet, but no more than 10 s and 64 MiB. If reading fails, what was read is
    given first, then the failure is raised.
    """
    waiting: dict[int, deque[Placed[T]]] = {}
    size = 0
    newest = float("-inf")
    failure: Exception | None = None
    try:
        for placed in packets:
            waiting.setdefault(placed.track, deque()).append(placed)
            size += placed.size
            newest = max(newest, placed.second)
            while True:
                heads = [queue[0] for queue in waiting.values() if queue]
                if not heads:
                    break
                first = min(heads, key=lambda head: head.second)
                if len(heads) < tracks and newest - first.second <= _AHEAD_S and size <= _AHEAD_BYTES:
                    break
                waiting[first.track].popleft()
                size -= first.size
                yield first
    except Exception as error:  # noqa: BLE001 - kept until what came before it was given
        failure = error
    while heads := [queue[0] for queue in waiting.values() if queue]:
        first = min(heads, key=lambda head: head.second)
        waiting[first.track].popleft()
        yield first
    if failure is not None:
        raise failure
