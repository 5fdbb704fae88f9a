"""Counts events by group: numbers, rates, first and last times, gaps. Counts of parts can be added up."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from typing import TYPE_CHECKING, Any

from videodb_cli.eventlog.query.fast.group_count import GroupCount, group_name
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.model import event as ev
from videodb_cli.model import own_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from videodb_cli.model.event import Event

_LATENCY_STEP_S = 0.01
_LATENCY_MAX_S = 3600.0
_LEAST_SPAN_S = 10.0


class Group:
    """One row of the counts: number, first and last time, and with ``full`` the words and the delays."""

    __slots__ = ("characters", "count", "first", "last", "late", "words")

    def __init__(self) -> None:
        self.count = 0
        self.first = float("inf")
        self.last = float("-inf")
        self.characters = 0
        self.words = 0
        self.late: Counter[int] = Counter()

    def see(self, count: int, first: float | None, last: float | None) -> None:
        """Add events between two times; times outside of the calendar are ignored."""
        self.count += count
        if first is not None and isfinite(first):
            self.first = min(self.first, first)
        if last is not None and isfinite(last):
            self.last = max(self.last, last)

    def dump(self) -> list[Any]:
        """Return the group as JSON, for `add`."""
        first, last = (self.first, self.last) if self.first <= self.last else (None, None)
        late = {str(key): count for key, count in self.late.items()}
        return [self.count, first, last, self.characters, self.words, late]

    def add(self, other: Sequence[Any]) -> None:
        """Add a group that `dump` returned."""
        self.see(other[0], other[1], other[2])
        self.characters += other[3]
        self.words += other[4]
        self.late.update({int(key): count for key, count in other[5].items()})


class EventCounts:
    """Everything that ``stats`` counts. The caller sets ``broken``, the number of broken lines."""

    def __init__(self, by: str, *, full: bool = False) -> None:
        self.by = by
        self.full = full
        self.groups: dict[str, Group] = {}
        self.recovered = 0
        self.gaps = 0
        self.gap_s = 0.0
        self._groups: GroupCount | None = None

    def add_block(self, data: bytes | memoryview, count: int) -> bool:
        """Count a block of ``count`` lines as a whole. Returns False if it must be counted line by line."""
        if self.full or not count:
            return False
        if self._groups is None:
            self._groups = GroupCount(self.by)
        counted = self._groups.count(data, count)
        if counted is None:
            return False
        odd: list[Any] = []
        if counted.odd:
            lines = bytes(data).split(b"\n")
            try:
                odd = [decode(lines[index]) for index in counted.odd]
            except ValueError:
                return False
        for name, number, first, last in counted.rows:
            self._group(name).see(number, first, last)
        for event in odd:
            self.add(event if isinstance(event, dict) else {})
        return True

    def add_lines(self, lines: Iterable[bytes]) -> None:
        """Count lines that are JSON, one by one. A line that is not an object counts, but in no group."""
        for line in lines:
            event = decode(line)
            self.add(event if isinstance(event, dict) else {})

    def add(self, event: Event) -> None:
        """Count one event."""
        group = self._group(group_name(event, self.by))
        at = ev.happened_at(event)
        group.see(1, at, at)
        self.recovered += ev.is_recovered(event)
        if ev.is_own(event) and event.get("event") == own_lines.GAP:
            self.gaps += 1
            self.gap_s += ev.number(ev.data_of(event).get("seconds")) or 0
        if self.full:
            self._add_text(group, event)

    def _add_text(self, group: Group, event: Event) -> None:
        text = ev.text_of(event)
        if text is not None:
            group.characters += len(text)
            group.words += len(text.split())
        end, received = ev.end_of(event), ev.received_at(event)
        if end is not None and received is not None and not ev.is_recovered(event):
            late = received - end
            if 0 <= late <= _LATENCY_MAX_S:
                group.late[int(late / _LATENCY_STEP_S)] += 1

    def _group(self, name: str) -> Group:
        group = self.groups.get(name)
        if group is None:
            group = self.groups[name] = Group()
        return group

    def dump(self) -> dict[str, Any]:
        """Return the counts as JSON, for `merge`."""
        groups = {name: group.dump() for name, group in self.groups.items()}
        return {"groups": groups, "recovered": self.recovered, "gaps": self.gaps, "gap_s": self.gap_s}

    def merge(self, other: dict[str, Any]) -> None:
        """Add counts that `dump` returned."""
        for name, group in other["groups"].items():
            self._group(name).add(group)
        self.recovered += other["recovered"]
        self.gaps += other["gaps"]
        self.gap_s += other["gap_s"]

    def report(self, broken: int, damaged: int = 0) -> dict[str, Any]:
        """Return the answer of ``stats --json``: times in Unix seconds, rates in events a second."""
        total = Group()
        for group in self.groups.values():
            total.add(group.dump())
        in_time = self.by in {"minute", "hour"}
        span_s = 60.0 if self.by == "minute" else None
        order = sorted(self.groups.items(), key=lambda item: item[0] if in_time else (-item[1].count, item[0]))
        return {
            "by": self.by,
            **self._row(total),
            "groups": [{"name": name, **self._row(group, span_s)} for name, group in order],
            "gaps": {"count": self.gaps, "seconds": round(self.gap_s, 3)},
            "recovered": self.recovered,
            "broken": broken,
            "damaged": damaged,
        }

    def _row(self, group: Group, span_s: float | None = None) -> dict[str, Any]:
        """Return a row of the report; ``span_s`` is how long the group is, if that is known without its events."""
        known = group.first <= group.last
        # A rate over a few seconds means nothing.
        span = span_s or (group.last - group.first if known else 0.0)
        row: dict[str, Any] = {
            "count": group.count,
            "first": group.first if known else None,
            "last": group.last if known else None,
            "rate": round(group.count / span, 3) if span >= _LEAST_SPAN_S else None,
        }
        if self.full:
            row["characters"], row["words"] = group.characters, group.words
            row["latency_p50_s"], row["latency_p95_s"] = _quantile(group.late, 0.5), _quantile(group.late, 0.95)
        return row


def _quantile(late: Counter[int], share: float) -> float | None:
    wanted = sum(late.values()) * share
    seen = 0
    for step in sorted(late):
        seen += late[step]
        if seen >= wanted:
            return round(step * _LATENCY_STEP_S, 3)
    return None
