"""Counts the events of each lane in bins of time. The bins widen as the time grows, so that memory stays bounded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from videodb_cli.page.content import Lane

_MAX_BINS: Final = 4096
_FIRST_WIDTH_S: Final = 0.25


class Density:
    """Bins of equal width for all lanes. ``width_s`` is the present width in seconds."""

    def __init__(self, lanes: list[Lane]) -> None:
        self.width_s = _FIRST_WIDTH_S
        self._lanes = lanes
        self._low: int | None = None
        self._high = 0

    def add(self, lane: Lane, at: float) -> None:
        """Count one event of a lane at this second."""
        number = int(at // self.width_s)
        if self._low is None:
            self._low = self._high = number
        elif not self._low <= number <= self._high:
            self._low, self._high = min(self._low, number), max(self._high, number)
            while self._high - self._low >= _MAX_BINS:
                self._widen()
            number = int(at // self.width_s)
        lane.bins[number] = lane.bins.get(number, 0) + 1

    def _widen(self) -> None:
        self.width_s *= 2
        assert self._low is not None  # noqa: S101 - `add` has set it
        self._low, self._high = self._low // 2, self._high // 2
        for lane in self._lanes:
            merged: dict[int, int] = {}
            for number, count in lane.bins.items():
                merged[number // 2] = merged.get(number // 2, 0) + count
            lane.bins = merged
