"""Reads lines at known offsets, and the bytes that identify a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from videodb_cli.eventlog.read.blocks import first_line_at, iter_blocks
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.sources import LogSource, open_source

if TYPE_CHECKING:
    from collections.abc import Sequence


def first_and_last_bytes(source: LogSource, offset: int, first: int, last: int) -> tuple[bytes, bytes] | None:
    """Return the first bytes of a source and the last bytes before an offset; None if it ends before that.

    The source is read forwards only, because it may be compressed. Raises the errors of
    ``open_source``, and ``DamagedError``.
    """
    begin = max(0, offset - last)
    with open_source(source) as file:
        if offset <= first + last:
            head = file.read(offset)
            return (head[:first], head[begin:]) if len(head) == offset else None
        head = file.read(first)
        file.seek(begin)
        recent = file.read(last)
        return (head, recent) if len(recent) == last else None


def lines_at(source: LogSource, offsets: Sequence[int]) -> dict[int, bytes]:
    """Return the lines that begin at these offsets; lines that no longer exist are left out."""
    wanted = sorted(set(offsets))
    if source.is_compressed:
        return _lines_on_the_way(source, wanted)
    found: dict[int, bytes] = {}
    with open_source(source) as file:
        first = first_line_at(file.fileno())
        for offset in wanted:
            before = offset > first
            file.seek(offset - before)
            size = 1 << 12
            raw = file.read(size)
            while raw and raw.find(b"\n", before) < 0:
                more = file.read(size)
                if not more:
                    break
                raw += more
                size *= 2
            if before and raw[:1] != b"\n":
                continue
            line, _, _ = raw[before:].partition(b"\n")
            if line:
                found[offset] = line
    return found


def _lines_on_the_way(source: LogSource, offsets: Sequence[int]) -> dict[int, bytes]:
    """Return the same from a file that is read forwards only."""
    found: dict[int, bytes] = {}
    wanted = iter(offsets)
    offset = next(wanted, None)
    for offset_, data in iter_blocks(source, broken=BrokenLines()):
        while offset is not None and offset < offset_ + len(data):
            at = offset - offset_
            if at == 0 or data[at - 1 : at] == b"\n":
                found[offset] = data[at : data.find(b"\n", at)]
            offset = next(wanted, None)
        if offset is None:
            break
    return found
