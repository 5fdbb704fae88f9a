"""How long each screen was seen: descriptions that say nearly the same count as one screen. Bounded memory."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import chain
from typing import NamedTuple

from videodb_cli.eventlog.views.sentences import words_of

_MOST_SCREENS = 200
_MOST_TEXTS = 2000
_ALIKE = 0.5  # share of words that two descriptions of one screen have in common
_RAREST, _COMPARED = 6, 8
_WORDS = 40  # of a description that are compared
# A description stands until the next one of its stream, but no longer than this: nobody saw what came then.
_LONGEST_S = 60.0
_LAST_S = 5.0


class Screen(NamedTuple):
    """One screen: a description, for how many seconds it was seen, and when first and last (Unix seconds)."""

    text: str
    seconds: float
    first: float
    last: float


class _Cluster:
    __slots__ = ("first", "last", "seconds", "text", "words")

    def __init__(self, text: str, words: frozenset[str], at: float) -> None:
        self.text, self.words, self.seconds, self.first, self.last = text, words, 0.0, at, at


class ScreenTimes:
    """Takes descriptions of screens in order.

    Attributes:
        count: How many descriptions came.
        seconds: For how long the streams were seen, all together.
    """

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self._clusters: dict[int, _Cluster] = {}
        self._next_number = 0
        self._by_text: dict[str, int] = {}
        self._by_word: dict[str, set[int]] = defaultdict(set)
        self._open: dict[str, tuple[int, float, float]] = {}

    def add(self, at: float, stream: str, text: str, length_s: float | None = None) -> None:
        """Add a description that begins at a time (Unix seconds) and is known to last so long, if that is known."""
        self.count += 1
        self._end(stream, at)
        number = self._number_of(text, at)
        self._clusters[number].last = at
        self._open[stream] = (number, at, min(max(length_s or _LAST_S, 0.0), _LONGEST_S))
        if len(self._open) > _MOST_SCREENS:
            self._end(next(iter(self._open)), None)

    def longest(self, number: int) -> list[Screen]:
        """Return the screens that were seen longest. Ends what is open: call it last."""
        for stream in list(self._open):
            self._end(stream, None)
        order = sorted(self._clusters.values(), key=lambda one: (-one.seconds, one.first, one.text))
        return [Screen(one.text, one.seconds, one.first, one.last) for one in order[:number]]

    def _end(self, stream: str, at: float | None) -> None:
        """Add the time of the stream's open description, which ends at ``at``; None: when it says so itself."""
        found = self._open.pop(stream, None)
        if found is None:
            return
        number, began, length = found
        lasted = length if at is None else min(max(at - began, 0.0), _LONGEST_S)
        self.seconds += lasted
        if number in self._clusters:
            self._clusters[number].seconds += lasted

    def _number_of(self, text: str, at: float) -> int:
        known = self._by_text.get(text)
        if known is not None and known in self._clusters:
            return known
        words = frozenset(words_of(text)[:_WORDS])
        number = self._like(words)
        if number is None:
            number = self._next_number
            self._next_number += 1
            self._clusters[number] = _Cluster(text, words, at)
            for word in words:
                self._by_word[word].add(number)
            if len(self._clusters) > _MOST_SCREENS:
                self._forget_some(number)
        if len(self._by_text) >= _MOST_TEXTS:
            self._by_text.clear()
        self._by_text[text] = number
        return number

    def _like(self, words: frozenset[str]) -> int | None:
        """Return the screen that these words describe best, if one is alike enough.

        Only screens that share one of the rarest words are compared, so that the time for each description is bounded.
        """
        rarest = sorted((len(known), word) for word in words if (known := self._by_word.get(word)))[:_RAREST]
        near = Counter(chain.from_iterable(self._by_word[word] for _, word in rarest))
        best: tuple[float, int] | None = None
        for number, _ in near.most_common(_COMPARED):
            other = self._clusters[number].words
            shared = len(words & other)
            share = shared / (len(words) + len(other) - shared)
            if share >= _ALIKE and (best is None or (share, -number) > best):
                best = (share, -number)
        return None if best is None else -best[1]

    def _forget_some(self, new: int) -> None:
        """Forget the screens that were seen shortest, the new one apart."""
        order = sorted((one.seconds, number) for number, one in self._clusters.items() if number != new)
        for _, number in order[: _MOST_SCREENS // 4]:
            for word in self._clusters.pop(number).words:
                self._by_word[word].discard(number)
                if not self._by_word[word]:
                    del self._by_word[word]
