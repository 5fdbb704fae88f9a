"""Picks the most telling sentences of what was said: by the weight of their words, and unlike each other.

Extractive: every sentence stands as it was said. No model is needed, and the same text always gives the same choice.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import NamedTuple

# Bounds of memory. Of more sentences, those with the heaviest words are kept in each stretch of time.
_MOST_SENTENCES = 4000
_MOST_WORDS = 60_000
_WEIGHED = 240  # candidates that are compared with each other
_LONGEST = 260  # characters; a longer piece without a full stop is cut
_FEWEST_WORDS, _IDEAL_WORDS = 4, 12
_STRETCHES = 32
_NOVELTY = 0.6  # weight of being unlike what is chosen already, against the weight of the words
_EDGE, _EDGE_BONUS = 0.1, 1.1

# With full-width marks, after which scripts write no space, and curved quotation marks.
_END = re.compile("(?<=[.!?\u2026])[\"'\u201d\u2019)]*\\s+|(?<=[\u3002\uff01\uff1f])")
_WORD = re.compile("[^\\W_]+(?:['\u2019][^\\W_]+)?")
_CJK = re.compile("[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Words that say little in any text. Others are found by how many sentences they are in.
_STOP = frozenset(
    re.findall(
        r"\S+",
        """a about all also am an and any are as at be because been but by can could did do does don't for from get go
        going got had has have he her here him his how i i'm if in into is it it's its just know let let's like me more
        my no not now of oh ok okay on one or our out really right say she so some than that that's the their them then
        there these they this those to too uh um up us very was we we're well were what when where which who why will
        with would yeah yes you your""",
    )
)


class Sentence(NamedTuple):
    """One sentence: when it was said (Unix seconds, or None), by which stream, and its words."""

    at: float | None
    stream: str
    text: str


class _Kept(NamedTuple):
    number: int
    sentence: Sentence
    words: tuple[str, ...]


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case; pairs of characters where a script writes no spaces."""
    found: list[str] = []
    for word in _WORD.findall(text.lower()):
        if len(word) > 1 and _CJK.search(word):
            found += [word[at : at + 2] for at in range(len(word) - 1)]
        else:
            found.append(word)
    return found


def sentences_of(text: str) -> list[str]:
    """Split a text at full stops, question and exclamation marks; a piece that is too long is cut at a space."""
    pieces = (piece.strip() for piece in _END.split(text))
    return [piece if len(piece) <= _LONGEST else _cut(piece) for piece in pieces if piece]


def _cut(text: str) -> str:
    space = text.rfind(" ", _LONGEST // 2, _LONGEST)
    return text[: space if space > 0 else _LONGEST].rstrip() + "…"


class SentencePool:
    """Takes what was said in order, in bounded memory, and chooses the most telling sentences at the end.

    Attributes:
        count: How many sentences were said; one that comes again word for word soon after counts once.
    """

    def __init__(self) -> None:
        self.count = 0
        self._kept: list[_Kept] = []
        self._known: set[tuple[str, str]] = set()
        self._in_sentences: Counter[str] = Counter()

    def add(self, at: float | None, stream: str, text: str) -> None:
        """Add the text of one final transcript."""
        for piece in sentences_of(text):
            key = (stream, piece)
            if key in self._known:
                continue
            self._known.add(key)
            self.count += 1
            words = tuple(dict.fromkeys(word for word in words_of(piece) if word not in _STOP))
            self._in_sentences.update(words)
            self._kept.append(_Kept(self.count, Sentence(at, stream, piece), words))
        if len(self._kept) > 2 * _MOST_SENTENCES:
            self._thin_out()

    def key_words(self, number: int) -> list[str]:
        """Return the words that stand in most sentences, but not in nearly all of them; heaviest first."""
        limit = max(2, self.count // 3)
        fit = [
            (count, word)
            for word, count in self._in_sentences.items()
            if 1 < count <= limit and len(word) > 3 and not word.isdecimal()
        ]
        return [word for _, word in sorted(fit, key=lambda item: (-item[0], item[1]))[:number]]

    def choose(self, number: int) -> list[Sentence]:
        """Return the best so many sentences, best first."""
        if number <= 0 or not self._kept:
            return []
        weights = {kept.number: self._vector(kept) for kept in self._kept}
        centre: Counter[str] = Counter()
        for vector in weights.values():
            centre.update(vector)
        length = math.sqrt(sum(value * value for value in centre.values())) or 1.0
        scores = {kept.number: self._score(kept, weights[kept.number], centre, length) for kept in self._kept}
        best = sorted(self._kept, key=lambda kept: (-scores[kept.number], kept.number))[:_WEIGHED]
        top = scores[best[0].number] or 1.0
        nearest = dict.fromkeys((kept.number for kept in best), 0.0)
        chosen: list[Sentence] = []
        while best and len(chosen) < number:
            pick = max(
                best,
                key=lambda kept: (
                    (1 - _NOVELTY) * scores[kept.number] / top - _NOVELTY * nearest[kept.number],
                    -kept.number,
                ),
            )
            best.remove(pick)
            chosen.append(pick.sentence)
            for kept in best:
                near = _product(weights[kept.number], weights[pick.number])
                nearest[kept.number] = max(nearest[kept.number], near)
        return chosen

    def _vector(self, kept: _Kept) -> dict[str, float]:
        """Return the words of a sentence with their weights (inverse sentence frequency), as a vector of length 1."""
        vector = {word: math.log(1 + self.count / (self._in_sentences[word] or 1)) for word in kept.words}
        length = math.sqrt(sum(value * value for value in vector.values())) or 1.0
        return {word: value / length for word, value in vector.items()}

    def _score(self, kept: _Kept, vector: dict[str, float], centre: Counter[str], length: float) -> float:
        """Return how close a sentence is to all that was said; short ones count less, the first and last ones more."""
        if not vector:
            return 0.0
        near = sum(value * centre[word] for word, value in vector.items()) / length
        fullness = min(len(kept.words), _IDEAL_WORDS) / _IDEAL_WORDS
        place = kept.number / (self.count + 1)
        edge = _EDGE_BONUS if place <= _EDGE or place >= 1 - _EDGE else 1.0
        return near * math.sqrt(fullness) * edge * (0.5 if len(kept.words) < _FEWEST_WORDS else 1.0)

    def _thin_out(self) -> None:
        """Keep in each stretch the sentences with the heaviest words, and only the words that came more than once."""
        stretch = -(-len(self._kept) // _STRETCHES)
        kept: list[_Kept] = []
        for begin in range(0, len(self._kept), stretch):
            some = self._kept[begin : begin + stretch]
            some.sort(key=lambda one: (-self._heaviness(one), one.number))
            kept += some[: _MOST_SENTENCES // _STRETCHES]
        self._kept = sorted(kept, key=lambda one: one.number)
        self._known = {(one.sentence.stream, one.sentence.text) for one in self._kept}
        if len(self._in_sentences) > _MOST_WORDS:
            in_use = {word for one in self._kept for word in one.words}
            self._in_sentences = Counter(
                {word: count for word, count in self._in_sentences.items() if count > 1 or word in in_use}
            )
            if len(self._in_sentences) > _MOST_WORDS:
                self._in_sentences = Counter(dict(self._in_sentences.most_common(_MOST_WORDS // 2)))

    def _heaviness(self, one: _Kept) -> float:
        """Return how much the words of a sentence occur in others, each by the logarithm of its count."""
        words = one.words[:_IDEAL_WORDS]
        return sum(math.log(1 + self._in_sentences[word]) for word in words)


def _product(one: dict[str, float], other: dict[str, float]) -> float:
    if len(one) > len(other):
        one, other = other, one
    return sum(value * other[word] for word, value in one.items() if word in other)
