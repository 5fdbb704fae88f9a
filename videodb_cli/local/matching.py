"""Whether a text says what a detection rule asks for: its words, matched tolerantly. Pure; nothing here understands.

A rule is a sentence for a model that this machine does not have. Its words stand in for it: "Alert me when somebody
mentions a refund" looks for *refund*. ``or`` and commas separate alternatives; of several words in one, two thirds must
be there; what stands in quotation marks must be there in full. Endings, one or two wrong letters, and letters that text
recognition confuses are forgiven; numbers are not.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from difflib import SequenceMatcher
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_SHARE: Final = 2 / 3
_SIMILAR: Final = 0.84
_SAME_LINE: Final = 0.75
_WORD = re.compile(r"[^\W_]+(?:['\u2019][^\W_]+)?")
_QUOTED = re.compile(r'"([^"]{2,})"|“([^”]{2,})”|«([^»]{2,})»')
_ALTERNATIVES = re.compile(r"\bor\b|[,;|/]|\boder\b", re.IGNORECASE)
_DIGITS = str.maketrans("oθli", "0011")
_CONFUSED = str.maketrans({"0": "o", "θ": "o", "1": "l", "i": "l", "|": "l", "5": "s", "8": "b"})
_ENDINGS: Final = (
    "ations",
    "ation",
    "ments",
    "ment",
    "ures",
    "ure",
    "ingly",
    "edly",
    "ings",
    "ing",
    "ies",
    "ied",
    "ers",
    "ed",
    "es",
    "er",
    "ly",
    "s",
    "e",
    "y",
)

# Words with which rules are worded, not what they look for.
_FILLERS: Final = frozenset(
    """
    a an the this that these those some any every each all no and but if when whenever while as of in on at to from by
    with about for into onto over under is are was were be been being am it its he she they them his her their there
    here i me my you your we our us do does did done has have had can could may might should would will shall must not
    alert alerts alarm detect detects detected detection notify notification notifies tell tells warn warns trigger
    triggers triggered flag flags fire fires watch check checks find finds look looks looking identify identifies
    recognise recognize raise report reports let know please immediately once
    someone somebody anyone anybody person people user users speaker speakers participant participants
    say says said saying mention mentions mentioned mentioning talk talks talked talking speak speaks spoke spoken
    discuss discusses discussed discussing hear hears heard word words phrase conversation topic
    message messages keyword keywords term terms
    see sees seen show shows showing shown appear appears appeared appearing display displays displayed displaying
    visible contain contains contained containing present occur occurs happens happen happening screen text window page
    something anything thing things related regarding like such via which who what where
    """.split()  # noqa: SIM905 - a hundred quoted words would be unreadable
)


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """A rule was met: how well, from 0 to 1."""

    confidence: float


class Rule:
    """The words of one prompt."""

    def __init__(self, prompt: str) -> None:
        self._phrases = [
            words for found in _QUOTED.finditer(prompt) if (words := _words(next(filter(None, found.groups()))))
        ]
        rest = [_content(part) for part in _ALTERNATIVES.split(_QUOTED.sub(" ", prompt))]
        self._alternatives = [words for words in rest if words]
        if not self._phrases and not self._alternatives:
            self._alternatives = [words] if (words := _words(prompt)) else []

    def match(self, text: str) -> RuleMatch | None:
        """How well ``text`` meets the rule, or None."""
        heard = _words(text)
        if not heard:
            return None
        if self._phrases:
            found = [_phrase_in(phrase, heard) for phrase in self._phrases]
            best = max(found)
            return RuleMatch(round(best, 2)) if best else None
        best = max((_share_in(wanted, heard) for wanted in self._alternatives), default=0.0)
        return RuleMatch(round(best, 2)) if best else None


class SearchQuery:
    """The words of one search. Any of them finds a text; the more of them, the higher it stands."""

    def __init__(self, query: str) -> None:
        self._phrases = [
            words for found in _QUOTED.finditer(query) if (words := _words(next(filter(None, found.groups()))))
        ]
        words = _words(_QUOTED.sub(" ", query))
        self._words = [word for word in dict.fromkeys(words) if word not in _FILLERS] or list(dict.fromkeys(words))

    def score(self, text: str) -> float:
        """How much of the query ``text`` has, from 0 to 1; 0 without a quoted phrase that was asked for."""
        heard = _words(text)
        if not heard or not (self._phrases or self._words):
            return 0.0
        phrases = [_phrase_in(phrase, heard) for phrase in self._phrases]
        if not all(phrases):
            return 0.0
        known = list(dict.fromkeys(heard))
        words = [max(_similarity(word, other) for other in known) for word in self._words]
        return round(sum(phrases + words) / len(phrases + words), 3)


class Occurrences:
    """Tells a new occurrence from one that was there before, for one rule on one index."""

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._there = False
        self._last_lines = ""

    def judged(self, is_met: bool, *, lasts: bool) -> bool:
        """Whether a judgement is to be told. What ``lasts`` is told once, and again after it has been away."""
        if not lasts:
            return is_met
        was_there, self._there = self._there, is_met
        return is_met and not was_there

    def look(self, news: str, everything: str | None) -> RuleMatch | None:
        """A match that is to be told.

        ``news`` is what a record adds; ``everything`` what there is with it (the whole screen), None for sound, where
        each record is news. What stays on a screen is told once; it is told again after it has been away, and when it
        comes a second time while the first one is still there.
        """
        found = self._rule.match(news)
        if everything is None:
            return found
        whole = self._rule.match(everything) or found
        was_there, self._there = self._there, whole is not None
        if whole is None:
            self._last_lines = ""
            return None
        if was_there and (found is None or _are_alike(news, self._last_lines)):
            return None
        self._last_lines = news
        return found or whole


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text)]


def _content(text: str) -> list[str]:
    return [word for word in dict.fromkeys(_words(text)) if word not in _FILLERS]


def _phrase_in(phrase: Sequence[str], heard: Sequence[str]) -> float:
    """How well a phrase is found in one piece, in order; 0 if it is not."""
    best = 0.0
    for at in range(len(heard) - len(phrase) + 1):
        scores = [_similarity(wanted, heard[at + number]) for number, wanted in enumerate(phrase)]
        if all(scores):
            best = max(best, sum(scores) / len(scores))
    return best


def _share_in(wanted: Sequence[str], heard: Iterable[str]) -> float:
    """The share of the words that are found, times how well; 0 if they are too few."""
    known = list(dict.fromkeys(heard))
    scores = [max(_similarity(word, other) for other in known) for word in wanted]
    found = [score for score in scores if score]
    if len(found) < ceil(len(wanted) * _SHARE - 1e-9):
        return 0.0
    return sum(found) / len(wanted)


def _similarity(wanted: str, heard: str) -> float:
    """1 for the same word or another form of it, less for wrong letters, 0 for another word."""
    if wanted == heard:
        return 1.0
    if wanted.isdigit() or heard.isdigit():
        return 1.0 if _number(wanted) == _number(heard) else 0.0
    one, other = _stem(wanted), _stem(heard)
    if one == other:
        return 1.0
    if one.translate(_CONFUSED) == other.translate(_CONFUSED):
        return 0.95
    if min(len(one), len(other)) < 4:
        return 0.0
    ratio = SequenceMatcher(None, one, other, autojunk=False).ratio()
    return ratio if ratio >= _SIMILAR else 0.0


def _number(word: str) -> str:
    return word.translate(_DIGITS)


def _stem(word: str) -> str:
    word = word.replace("\u2019", "'").removesuffix("'s")
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            stem = word[: -len(ending)]
            # "stopped" and "stop"
            return stem[:-1] if len(stem) > 3 and stem[-1] == stem[-2] and stem[-1] not in "ls" else stem
    return word


def _are_alike(one: str, other: str) -> bool:
    return bool(one) and SequenceMatcher(None, one.lower(), other.lower(), autojunk=False).ratio() >= _SAME_LINE
