"""Parses search words: ``"exact phrase"``, ``-not``, ``NOT word``, ``this OR that``, ``prefix*``."""

from __future__ import annotations

import re
from typing import NamedTuple

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.views import search_tokens

# Two minus signs begin no unwanted word: `--since` is an option that somebody wrote about.
_TERM = re.compile(r'(?P<minus>-(?=[^\s-]))?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')
_HINT = "videodb events search '\"exact phrase\"' word prefix* this OR that -not"


class Term(NamedTuple):
    """One word or phrase; with ``is_prefix`` its last word is a prefix.

    ``is_alternative`` says that it may stand in place of the term before it.
    """

    text: str
    is_prefix: bool = False
    is_unwanted: bool = False
    is_alternative: bool = False


def parse_terms(typed: str) -> list[Term]:
    """Return the terms of the words that were typed.

    AND, OR and NOT are operators where they have something to join; elsewhere they are words. OR joins the terms beside
    it before they are joined with others; an unwanted term excludes from everything.

    Raises:
        UsageError: There is nothing to search for, or OR joins a term that must not occur.
    """
    terms: list[Term] = []
    operator: str | None = None
    negates = False
    found = [match for match in _TERM.finditer(typed) if search_tokens.split(match[0])]
    for match in found:
        word = match["word"]
        is_operator = word in {"AND", "OR", "NOT"} and match["minus"] is None and match is not found[-1]
        if is_operator and (word == "NOT" or terms):
            negates = negates or word == "NOT"
            operator = operator if word == "NOT" else word
            continue
        is_prefix = word is not None and word.endswith("*")
        text = match["phrase"] if word is None else word.rstrip("*")
        is_unwanted = match["minus"] is not None or negates
        is_alternative = operator == "OR"
        if is_alternative and (is_unwanted or terms[-1].is_unwanted):
            raise UsageError("OR cannot join a word that must not occur", hint=_HINT)
        terms.append(Term(text, is_prefix, is_unwanted, is_alternative))
        operator, negates = None, False
    if not any(not term.is_unwanted for term in terms):
        raise UsageError("there is no word to look for", hint=_HINT)
    return terms


def fts5_query(terms: list[Term]) -> str:
    """Return the terms as an FTS5 query: one of each group of alternatives, and none of the unwanted ones."""
    groups: list[list[str]] = []
    unwanted: list[str] = []
    for term in terms:
        # Tokens have letters, digits and signs only, so nothing in them has a meaning for FTS5.
        phrase = f'"{" ".join(search_tokens.split(term.text))}"' + "*" * term.is_prefix
        if term.is_unwanted:
            unwanted.append(phrase)
        elif term.is_alternative:
            groups[-1].append(phrase)
        else:
            groups.append([phrase])
    wanted = " AND ".join(dict.fromkeys(_any_of(group) for group in groups))
    return f"({wanted}) NOT {_any_of(unwanted)}" if unwanted else wanted


def _any_of(phrases: list[str]) -> str:
    return f"({' OR '.join(dict.fromkeys(phrases))})"


def matches(text: str, terms: list[Term]) -> bool:
    """Tell whether a text holds what the terms ask for: what the index answers, without an index."""
    tokens = [token.text for token in search_tokens.tokens(text)]
    is_found = False
    for number, term in enumerate(terms):
        here = bool(_places(tokens, term))
        if term.is_unwanted and here:
            return False
        is_found = here or (term.is_alternative and is_found)
        ends_group = number + 1 == len(terms) or not terms[number + 1].is_alternative
        if not term.is_unwanted and ends_group and not is_found:
            return False
    return True


def found_spans(text: str, terms: list[Term]) -> list[tuple[int, int]]:
    """Return start and end of the wanted words and phrases in a text."""
    tokens = search_tokens.tokens(text)
    words = [token.text for token in tokens]
    return sorted(
        {
            (tokens[first].begin, tokens[last].end)
            for term in terms
            if not term.is_unwanted
            for first, last in _places(words, term)
        }
    )


def _places(words: list[str], term: Term) -> list[tuple[int, int]]:
    """Return first and last index of the words that are the term."""
    wanted = search_tokens.split(term.text)
    size = len(wanted)
    found: list[tuple[int, int]] = []
    for at in range(len(words) - size + 1):
        if words[at] != wanted[0] and (size > 1 or not term.is_prefix):
            continue
        last = words[at + size - 1]
        last_fits = last.startswith(wanted[-1]) if term.is_prefix else last == wanted[-1]
        if last_fits and words[at : at + size - 1] == wanted[:-1]:
            found.append((at, at + size - 1))
    return found


def snippet(text: str, spans: list[tuple[int, int]], room: int) -> tuple[str, list[tuple[int, int]]]:
    """Return about ``room`` characters of a text around the found words, and their places in it."""
    if len(text) <= room or not spans:
        shown = text if len(text) <= room else text[: room - 1].rstrip() + "…"
        return shown, [span for span in spans if span[1] <= len(shown)]
    begin = max(0, spans[0][0] - room // 3)
    if begin:
        space = text.find(" ", begin, spans[0][0])
        begin = space + 1 if space >= 0 else begin
    end = min(len(text), begin + room)
    if end < len(text):
        space = text.rfind(" ", spans[0][1], end)
        end = space if space >= 0 else end
    lead, trail = "…" if begin else "", "…" if end < len(text) else ""
    moved = [(a - begin + len(lead), b - begin + len(lead)) for a, b in spans if a >= begin and b <= end]
    return lead + text[begin:end] + trail, moved
