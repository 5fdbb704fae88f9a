"""Counts the lines of blocks by kind. Only the names are decoded, and equal lines are counted in one step."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import Any

import msgspec

from videodb_cli.eventlog.names.tally import LineKind, Tally
from videodb_cli.eventlog.query.scan import is_regular
from videodb_cli.eventlog.read.block import Block, iter_lines
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.time_range import stamp_of
from videodb_cli.model import event as ev

_NAMES = tuple(path[0] for path in (*ev.CHANNEL_PATHS, *ev.STREAM_PATHS, *ev.SESSION_PATHS))
# Frozen structures can be counted: two lines with the same names are equal.
_Fields: Any = msgspec.defstruct(
    "_Fields", [(name, str | None, None) for name in _NAMES], frozen=True, gc=False, kw_only=True
)


class KindCounter:
    """Adds blocks to a `Tally`. Lines that are not JSON objects are left out.

    The encoding of what is not decoded is not checked.
    """

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._decoder = msgspec.json.Decoder(_Fields)
        self._kinds: dict[Any, LineKind] = {}

    def add(self, block: Block) -> None:
        """Count the lines of a block."""
        count = is_regular(block.data)
        try:
            lines: list[Any] = self._decoder.decode_lines(block.data) if count else []
        except (ValueError, RecursionError):
            lines = []
        if not count or len(lines) != count:
            self._one_by_one(block)
            return
        raw = block.data.split(b"\n")
        backwards = lines[::-1]
        for fields, number in Counter(lines).items():
            kind = self._kinds.get(fields)
            if kind is None:
                kind = self._kinds[fields] = LineKind.of(msgspec.structs.asdict(fields))
            first = lines.index(fields)
            last = count - 1 - backwards.index(fields)
            self._tally.count(kind, number, _stamp(raw[first]), _stamp(raw[last]))
            if kind.is_life_cycle:
                self._learn(raw, lines, fields, first, number)

    def _learn(self, raw: list[bytes], lines: list[Any], fields: Any, at: int, number: int) -> None:
        for _ in range(number):
            at = lines.index(fields, at)
            self._learn_line(raw[at])
            at += 1

    def _learn_line(self, line: bytes) -> None:
        try:
            event = decode(line)
        except ValueError:
            return
        session = ev.session_of(event)
        if session is not None:
            self._tally.learn(session, event, _finite(ev.received_at(event)))

    def _one_by_one(self, block: Block) -> None:
        for _, line in iter_lines(block):
            try:
                event = decode(line)
            except ValueError:
                continue
            if not isinstance(event, dict):
                continue
            kind, at = LineKind.of(event), _finite(ev.received_at(event))
            self._tally.count(kind, 1, at, at)
            if kind.session is not None and kind.is_life_cycle:
                self._tally.learn(kind.session, event, at)


def _stamp(line: bytes) -> float | None:
    return _finite(stamp_of(line))


def _finite(at: float | None) -> float | None:
    return at if at is not None and isfinite(at) else None
