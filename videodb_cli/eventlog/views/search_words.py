"""Parses search words: ``"exact phrase"``, ``-not``, ``prefix*``."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from videodb_cli.errors import UsageError

_TERM = re.compile(r'(?P<minus>-)?(?:"(?P<phrase>[^"]*)"?|(?P<word>[^\s"]+))')


class Term(NamedTuple):
    """One word or phrase; with ``is_prefix`` its last word is a prefix."""

    text: str
    is_prefix: bool = False
    is_unwanted: bool = False


def parse_terms(typed: str) -> list[Term]:
    """Return the terms of the words that were typed. Raises UsageError if there is nothing to search for."""
    terms = []
    for match in _TERM.finditer(typed):
        text = match["phrase"] if match["phrase"] is not None else match["word"]
        is_prefix = match["phrase"] is None and text.endswith("*")
        text = text.rstrip("*") if is_prefix else text
        if any(character.isalnum() for character in text):
            terms.append(Term(text, is_prefix, match["minus"] is not None))
    if not any(not term.is_unwanted for term in terms):
        raise UsageError(
            "there is no word to look for", hint="videodb events search '\"exact phrase\"' word prefix* -not"
        )
    return terms


def fts5_query(terms: list[Term]) -> str:
    """Return the terms as an FTS5 query: all wanted terms and none of the unwanted ones."""
    quoted = [
        (term, '"' + term.text.replace('"', '""').replace("\0", " ") + '"' + "*" * term.is_prefix) for term in terms
    ]
    wanted = " AND ".join(text for term, text in quoted if not term.is_unwanted)
    unwanted = "".join(f" NOT {text}" for term, text in quoted if term.is_unwanted)
    return f"({wanted}){unwanted}"


def _fold(text: str) -> str:
    """Return the text as the index compares it: without case and diacritics."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _words(text: str) -> list[tuple[str, int, int]]:
    return [(_fold(match[0]), match.start(), match.end()) for match in re.finditer(r"[^\W_]+", text)]


def found_spans(text: str, terms: list[Term]) -> list[tuple[int, int]]:
    """Return start and end of the wanted words and phrases in a text."""
    words = _words(text)
    spans: list[tuple[int, int]] = []
    for term in terms:
        wanted = [word for word, _, _ in _words(term.text)]
        if term.is_unwanted or not wanted:
            continue
        for at in range(len(words) - len(wanted) + 1):
            here = [word for word, _, _ in words[at : at + len(wanted)]]
            last_fits = here[-1].startswith(wanted[-1]) if term.is_prefix else here[-1] == wanted[-1]
            if here[:-1] == wanted[:-1] and last_fits:
                spans.append((words[at][1], words[at + len(wanted) - 1][2]))
    return sorted(set(spans))


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
