"""Measures text in the cells of a terminal.

A character takes none, one or two. Some count only together with their neighbours: an emoji with its skin tone, a
letter with its marks.

This does not use ``rich``, whose counts depend on its release (clusters since 14.3), and which light commands do not
import. Texts must have no control characters: `console.one_line` escapes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_WORD = re.compile(r"[^ ]+")
# An address up to what cannot be part of it in a sentence; ids such as cap-5e1, rts-019f3a7c-mic, and UUIDs.
_WHOLE = re.compile(
    r"(?<![A-Za-z0-9])(?:https?|rtsps?|wss?|s3|ftp|file)://[!-~]+"
    r"|\b(?:[a-z]{1,12}-(?=[A-Za-z_-]{0,40}[0-9])[0-9A-Za-z_-]{2,64}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\b"
)
# Characters that must not begin a line.
_CLOSING = frozenset(
    "、。，．・：；？！」』）］｝〉》】〕ー…"  # noqa: RUF001 - these are meant
)


def width(text: str) -> int:
    """Return how many cells a text takes."""
    if text.isascii():
        return len(text)
    import wcwidth

    return wcwidth.width(text, control_codes="ignore")


def cut(text: str, room: int) -> str:
    """Return the text cut to so many cells, ending in "…" if it was cut. Clusters are never split."""
    if room <= 0:
        return ""
    if width(text) <= room:
        return text
    return _beginning(text, room - 1).rstrip() + "…"


def _beginning(text: str, room: int) -> str:
    if text.isascii():
        return text[:room]
    import wcwidth

    end = taken = 0
    for cluster in wcwidth.iter_graphemes(text):
        taken += width(cluster)
        if taken > room:
            break
        end += len(cluster)
    return text[:end]


def pad(text: str, room: int) -> str:
    """Return the text filled up with spaces to so many cells, never cut."""
    return text + " " * max(0, room - width(text))


def wrap(text: str, room: int, *, break_words: bool = True) -> list[str]:
    """Return the text in lines of at most so many cells; a word that is longer is broken, unless it is to stay whole.

    Addresses and ids always stay whole. At least one line, which is empty for a text without words.
    """
    folded = " ".join(text.split())
    return [folded[begin:end] for begin, end in wrapped(folded, room, break_words=break_words)]


def wrapped(text: str, room: int, *, break_words: bool = True) -> list[tuple[int, int]]:
    """Return where the lines of a text begin and end, of at most so many cells each. What is between two is a space.

    A line breaks at a space, and beside characters of two cells, as Chinese and Japanese have them. Only a word that is
    longer than a line is broken elsewhere, and an address or an id never.

    Args:
        text: Words with single spaces between them, as `console.one_line` returns.
        room: The cells of a line.
        break_words: Break words that are longer than a line.
    """
    room = max(room, 1)
    lines: list[tuple[int, int]] = []
    begin = end = taken = 0
    for atom in _atoms(text, break_words=break_words):
        space = atom.begin - end
        # A mark without cells of its own belongs to what is before it, however wide that is.
        if end > begin and (taken + space + atom.cells <= room or space + atom.cells == 0):
            end, taken = atom.end, taken + space + atom.cells
            continue
        if end > begin:
            lines.append((begin, end))
        begin, end, taken = atom.begin, atom.end, atom.cells
        if taken > room and not atom.is_whole:
            *broken, last = _pieces(text[begin:end], room)
            for piece in broken:
                lines.append((begin, begin + len(piece)))
                begin += len(piece)
            taken = width(last)
    return [*lines, (begin, end)] if end > begin or not lines else lines


class _Atom(NamedTuple):
    """A part of a text beside which a line may break. One that is whole is not broken even if it is too long."""

    begin: int
    end: int
    cells: int
    is_whole: bool


def is_whole(word: str) -> bool:
    """Tell whether a word must not be broken, because somebody will copy it: an address, an id."""
    return _WHOLE.search(word) is not None


def _atoms(text: str, *, break_words: bool) -> Iterator[_Atom]:
    for found in _WORD.finditer(text):
        word, begin = found[0], found.start()
        if not break_words:
            yield _Atom(begin, found.end(), width(word), True)
        elif word.isascii():
            yield _Atom(begin, found.end(), len(word), is_whole(word))
        else:
            at = 0
            for whole in _WHOLE.finditer(word):
                yield from _wide_atoms(word, begin, at, whole.start())
                yield _Atom(begin + whole.start(), begin + whole.end(), width(whole[0]), True)
                at = whole.end()
            yield from _wide_atoms(word, begin, at, len(word))


def _wide_atoms(word: str, offset: int, begin: int, end: int) -> Iterator[_Atom]:
    """Yield a part of a word, character by character if they take two cells; closing ones stay with what they close."""
    import wcwidth

    at, taken, is_wide = begin, 0, False
    place = begin
    for cluster in wcwidth.iter_graphemes(word[begin:end]):
        cells = width(cluster)
        closes = cluster in _CLOSING and taken <= 2
        if place > at and (is_wide or cells == 2) and not closes:
            yield _Atom(offset + at, offset + place, taken, False)
            at, taken, is_wide = place, 0, False
        place += len(cluster)
        taken += cells
        is_wide = is_wide or cells == 2
    if place > at:
        yield _Atom(offset + at, offset + place, taken, False)


def _pieces(word: str, room: int) -> Iterator[str]:
    """Yield a word in pieces of at most so many cells, or of one cluster if that alone is wider."""
    if word.isascii():
        yield from (word[begin : begin + room] for begin in range(0, len(word), room))
        return
    import wcwidth

    piece = ""
    for cluster in wcwidth.iter_graphemes(word):
        if piece and width(piece + cluster) > room:
            yield piece
            piece = ""
        piece += cluster
    yield piece
