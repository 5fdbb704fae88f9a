"""What one gap has brought back so far, and what could not be asked. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from videodb_cli.listener.journal import iso
from videodb_cli.listener.recovery.pipeline import Gap

_NAMED = 3


class Tally:
    """Counts of one gap. ``troubles`` maps what could not be asked to why; ``is_asked``: everything was tried once.

    What is older than ``window_s`` before the gap's end is not asked for.
    """

    def __init__(self, gap: Gap, window_s: float = math.inf) -> None:
        self.gap = gap
        self._asked_since = gap.asked_since(window_s)
        self.counts: Counter[str] = Counter()
        self.troubles: dict[str, str] = {}
        self.unknown: frozenset[str] = frozenset()
        self.is_asked = False
        self._told: tuple[int, frozenset[str], frozenset[str]] | None = None

    @property
    def total(self) -> int:
        """How many events came back."""
        return sum(self.counts.values())

    def take_troubles(self, troubles: Mapping[str, str], unknown: Iterable[str] = ()) -> None:
        """Take what cannot be asked at the moment, and what the service does not know any more."""
        self.troubles = dict(troubles)
        self.unknown = frozenset(unknown)
        if not self.is_asked:
            self.troubles["reading back"] = "not everything was asked before the listener ended, or the next gap began"

    @property
    def is_told(self) -> bool:
        """Whether the last report still tells everything."""
        return self._told == (self.total, frozenset(self.troubles), self.unknown)

    def report(self, polled: list[dict[str, Any]]) -> tuple[str, dict[str, Any]]:
        """Return the sentence and the data of a `listener.recovered` line, and remember that this was told."""
        self._told = (self.total, frozenset(self.troubles), self.unknown)
        gap = self.gap
        data: dict[str, Any] = {
            "from": iso(gap.started),
            "to": iso(gap.ended),
            "old_connection_id": gap.old_id,
            "new_connection_id": gap.new_id,
            "recovered": self.total,
            "counts": dict(sorted(self.counts.items())),
            "complete": not self.troubles,
            "unrecoverable": ["alert"],
        }
        if self.troubles:
            data["incomplete"] = [{"what": what, "why": why} for what, why in sorted(self.troubles.items())]
        if self.unknown:
            data["unknown"] = sorted(self.unknown)
        if self._asked_since > gap.started:
            data["asked_since"] = iso(self._asked_since)
        if polled:
            data["polled"] = polled
        return self._sentence(bool(polled)), data

    def _sentence(self, is_polling: bool) -> str:
        parts = ", ".join(f"{count} {channel}" for channel, count in sorted(self.counts.items()))
        brought = f"{self.total} events read back ({parts})" if self.total else "nothing to read back"
        if self.total == 1:
            brought = f"1 event read back ({parts})"
        if self.unknown:
            named = [*sorted(self.unknown)[:_NAMED], *(["…"] if len(self.unknown) > _NAMED else [])]
            brought += f"; unknown to the service: {', '.join(named)}"
        if self._asked_since > self.gap.started:
            brought += f"; nothing before {iso(self._asked_since)} was asked for"
        if self.troubles:
            return f"{brought}; {len(self.troubles)} calls that failed will be tried again; alerts cannot be read back"
        tail = "; what still speaks to the old connection is polled" if is_polling else ""
        return f"{brought}; alerts cannot be read back{tail}"
