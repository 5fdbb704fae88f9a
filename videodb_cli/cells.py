"""Measures text in the cells of a terminal.

A character takes none, one or two. Some count only together with their neighbours: an emoji with its skin tone, a
letter with its marks.

This does not use ``rich``, whose counts depend on its release (clusters since 14.3), and which light commands do not
import. Texts must have no control characters: `console.one_line` escapes them.
"""

from __future__ import annotations

from collections.abc import Iterator


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

    At least one line, which is empty for a text without words.
    """
    lines: list[str] = []
    line = ""
    for word in text.split():
        joined = f"{line} {word}" if line else word
        if width(joined) <= room:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        if break_words and width(word) > room:
            *broken, line = _pieces(word, room)
            lines += broken
    return [*lines, line] if line else lines or [""]


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
