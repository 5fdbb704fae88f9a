"""Turns times into byte ranges, by binary search on the stamps of an ordered log.

The listener never lets stamps decrease within a file. Logs of other writers may be out of order, so a file is
probed first, and read as a whole if a probe finds disorder. The slack covers small disorder (two writers). Every line
in the range is still tested by its own stamp.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.eventlog.read.block import iter_lines
from videodb_cli.eventlog.read.blocks import first_line_at, iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.sources import LogSource, open_source
from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SLACK_S = 120.0
# Reading so many bytes costs less than the probes.
SMALL = 1 << 20
_PROBES = 48
_CHUNK = 1 << 12
_LONGEST = 1 << 20
_OWN_STAMP = re.compile(rb'\{"ts":"[^"\\]{20,32}","unix_ts":(\d+(?:\.\d+)?),')


class ByteRange(NamedTuple):
    """Bytes from ``start`` up to ``end``. ``is_ordered`` is False if disorder was found, so that all is read."""

    start: int
    end: int
    is_ordered: bool = True


def byte_range(source: LogSource, since: float | None, until: float | None, size: int | None = None) -> ByteRange:
    """Return the part of a seekable source that can hold lines received from ``since`` until ``until``."""
    with open_source(source) as file:
        fd = file.fileno()
        end = os.fstat(fd).st_size if size is None else size
        if (since is None and until is None) or end <= SMALL:
            return ByteRange(0, end)
        probe = _Probe(fd, end)
        if not _is_ordered(probe):
            return ByteRange(0, end, is_ordered=False)
        start = 0 if since is None else _first(probe, lambda at: at >= since - SLACK_S)
        stop = end if until is None else _first(probe, lambda at: at > until + SLACK_S)
        return ByteRange(start, max(start, stop))


class _Probe:
    """Reads single lines of a file at any offset."""

    def __init__(self, fd: int, end: int) -> None:
        self._fd = fd
        self._begin = first_line_at(fd)
        self.end = end

    def line_after(self, position: int) -> tuple[int, float] | None:
        """Return offset and stamp of the first line with a stamp that begins at or after a position."""
        at = self._begin if position <= self._begin else self._next_beginning(position - 1)
        while at is not None and at < self.end:
            raw = self._line(at)
            if raw is None:
                return None
            stamp = stamp_of(raw)
            if stamp is not None:
                return at, stamp
            at += len(raw) + 1
        return None

    def _next_beginning(self, position: int) -> int | None:
        while position < self.end:
            chunk = os.pread(self._fd, min(_CHUNK, self.end - position), position)
            found = chunk.find(b"\n")
            if found >= 0:
                return position + found + 1
            if not chunk:
                return None
            position += len(chunk)
        return None

    def _line(self, at: int) -> bytes | None:
        size = _CHUNK
        while True:
            chunk = os.pread(self._fd, min(size, self.end - at), at)
            found = chunk.find(b"\n")
            if found >= 0:
                return chunk[:found]
            if len(chunk) < size:
                return chunk or None  # a last line without its newline
            size *= 4


def stamp_of(raw: bytes) -> float | None:
    """Return when the event of a line was received; None for a line without a stamp or that is not JSON."""
    if own := _OWN_STAMP.match(raw):
        return float(own[1])
    try:
        event = decode(raw)
    except ValueError:
        return None
    return ev.received_at(event) if isinstance(event, dict) else None


def first_stamped_line(path: Path) -> bytes | None:
    """Return the first line with a stamp among the first lines of a file of ours; None if there is none."""
    for block in iter_blocks(LogSource(path, private=True, is_rotated=True), size=_CHUNK, broken=BrokenLines()):
        return next((line for _, line in iter_lines(block) if stamp_of(line) is not None), None)
    return None


def first_stamp(path: Path) -> float | None:
    """Return the stamp of `first_stamped_line`."""
    line = first_stamped_line(path)
    return None if line is None else stamp_of(line)


def _is_ordered(probe: _Probe) -> bool:
    last = float("-inf")
    for number in range(_PROBES + 1):
        found = probe.line_after(probe.end * number // (_PROBES + 1))
        if found is None:
            continue
        if found[1] < last - SLACK_S / 2:
            return False
        last = max(last, found[1])
    return True


def _first(probe: _Probe, is_past: Callable[[float], bool]) -> int:
    """Return the offset of the first line whose stamp is past the bound; the end if there is none."""
    low, high = 0, probe.end
    while high - low > _CHUNK:
        middle = (low + high) // 2
        found = probe.line_after(middle)
        if found is None or is_past(found[1]):
            high = middle
        else:
            low = found[0]
    # The binary search ends within a few lines; these are read one by one.
    found = probe.line_after(low)
    while found is not None and not is_past(found[1]):
        low = found[0] + 1
        found = probe.line_after(low)
    return probe.end if found is None else found[0]
