"""Chooses the events that a page lists, so that it stays small. Every event is counted; perhaps not each is listed.

Of a kind of which there are too many, every second one is left out, then every second of those left, and so on: what
stays is spread evenly. Which events stay depends on their order alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from videodb_cli.page.content import Entry

# Roughly what an entry costs beside its text: five numbers.
_ENTRY_BYTES: Final = 12
# A kind of which fewer are listed is thinned only when nothing else is left to thin.
_FEW: Final = 500
# Kinds that are thinned last: people look for them first.
PRECIOUS: Final = frozenset({"alert", "capture_session", "videodb_cli"})


class _Kind:
    """The listed entries of one kind. Of every ``stride`` entries one is listed."""

    def __init__(self) -> None:
        self.stride = 1
        self.seen = 0
        self.entries: list[Entry] = []


class Sample:
    """The entries of a page. ``budget`` bounds their size in bytes before compression."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._size = 0
        self._kinds: dict[str, _Kind] = {}
        self._texts: dict[str, int] = {}

    def __len__(self) -> int:
        return sum(len(kind.entries) for kind in self._kinds.values())

    def __iter__(self) -> Iterator[Entry]:
        for kind in self._kinds.values():
            yield from kind.entries

    def add(self, name: str, entry: Entry) -> None:
        """Offer an entry of the kind with this name."""
        kind = self._kinds.get(name)
        if kind is None:
            kind = self._kinds[name] = _Kind()
        kind.seen += 1
        if kind.stride > 1 and (kind.seen - 1) % kind.stride:
            return
        uses = self._texts.get(entry.text, 0)
        self._texts[entry.text] = uses + 1
        self._size += _ENTRY_BYTES if uses else _ENTRY_BYTES + len(entry.text)
        kind.entries.append(entry)
        while self._size > self._budget and self.thin():
            pass

    def thin(self) -> bool:
        """Leave out every second entry of the largest kind. Returns False if there is nothing to leave out."""
        kind = self._largest()
        if kind is None:
            return False
        kind.stride *= 2
        for entry in kind.entries[1::2]:
            self._size -= _ENTRY_BYTES
            uses = self._texts[entry.text] - 1
            if uses:
                self._texts[entry.text] = uses
            else:
                del self._texts[entry.text]
                self._size -= len(entry.text)
        del kind.entries[1::2]
        return True

    def _largest(self) -> _Kind | None:
        able = {name: kind for name, kind in self._kinds.items() if len(kind.entries) > 1}
        common = [kind for name, kind in able.items() if name not in PRECIOUS and len(kind.entries) > _FEW]
        return max(common or able.values(), key=lambda kind: len(kind.entries), default=None)

    def notes(self) -> list[str]:
        """Return a sentence for each kind of which not every event is listed."""
        return [
            f"{name}: 1 of every {kind.stride} events is listed, {len(kind.entries):,} of {kind.seen:,}; all count."
            for name, kind in sorted(self._kinds.items())
            if kind.stride > 1
        ]
