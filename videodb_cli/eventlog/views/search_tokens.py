"""Splits text of any language into the tokens that the search compares: folded words, and single signs.

Index, query and highlight all use these functions, so they agree on what a word is. The index stores the tokens with
spaces between them, and SQLite splits at the spaces again: its own tokenizers know no language without spaces.

- A word is a run of letters and digits, without case and diacritics: ``Café`` is ``cafe``.
- Scripts that put no spaces between words (Chinese, Japanese, Korean particles, Thai, …) have a token for each sign. A
  query is a phrase of such tokens, so it finds any part of a word, of one sign or many.
- An emoji is a token. Its skin tone is another, so that a thumb is found in every colour.
- Everything else separates: ``foo_bar``, ``a@b.example`` and ``https://x/y`` are phrases of their words.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

# Marks that folding removes: accents, the vowel points of Hebrew and Arabic, joiners, variation selectors.
_DROPPED = (
    "\u00ad\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u0610-\u061a\u0640\u064b-\u065f"
    "\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed\u1ab0-\u1aff\u1dc0-\u1dff\u200c\u200d\u2060\u20d0-\u20ff\ufe00-\ufe0f"
    "\ufe20-\ufe2f\ufeff\U000e0020-\U000e007f\U000e0100-\U000e01ef"
)
# Thai to Myanmar, Korean, Khmer, emoji, and the signs of Chinese and Japanese.
_SINGLE = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff\u0f00\u0f18-\u0f39\u0f3e-\u0fbc\u1000-\u1049\u1050-\u109f\u1100-\u11ff"
    "\u1780-\u17d3\u2600-\u27bf\u2b05-\u2b07\u2b1b\u2b1c\u2b50\u2b55\u231a\u231b\u23e9-\u23fa"
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b\u303c\u3041-\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u31ff"
    "\u3400-\u4dbf\u4e00-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff"
    "\U0001b000-\U0001b2ff\U0001f000-\U0001faff\U00020000-\U0003ffff"
)
# Scripts of India and South-East Asia whose words hold vowel signs, which Python does not count as letters.
_WITH_SIGNS = "\u0900-\u0963\u0966-\u0dff\u1b00-\u1cff\ua800-\ua8cd\ua8e0-\ua9c0\ua9cf-\uabff"
# Letters that are an ASCII letter and accents, and the punctuation of European languages. Texts of these are indexed
# faster, and the same (a test compares).
_ACCENTED = (
    "\u00c0-\u00c5\u00c7-\u00cf\u00d1-\u00d6\u00d9-\u00dd\u00e0-\u00e5\u00e7-\u00ef\u00f1-\u00f6\u00f9-\u00fd\u00ff-\u010f"
    "\u0112-\u0125\u0128-\u0130\u0134-\u0137\u0139-\u013e\u0143-\u0148\u014c-\u0151\u0154-\u0165\u0168-\u017e"
)
_PUNCTUATION = "\u00a0\u00a1\u00a7\u00ab\u00b7\u00bb\u00bf\u2010-\u2027\u2030-\u203a\u20ac"
# Characters that are folded together with the one before them.
_EXTENDERS = f"{_DROPPED}\u3099\u309a\uff9e\uff9f\u1160-\u11ff\ud7b0-\ud7ff"
_LETTERS_WITHOUT_PARTS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ħ": "h", "ŧ": "t", "\u0131": "i", "æ": "ae", "œ": "oe", "ð": "d"}
)


class _Patterns(NamedTuple):
    dropped: re.Pattern[str]
    token: re.Pattern[str]
    piece: re.Pattern[str]
    between_spaces: re.Pattern[str]
    european: re.Pattern[str]
    punctuation: re.Pattern[str]


class Token(NamedTuple):
    """A token, and where its text begins and ends."""

    text: str
    begin: int
    end: int


_compiled: _Patterns | None = None
_latin_1_table: bytes | None = None
_NOT_ONE_LETTER = b"\xff"


def _patterns() -> _Patterns:
    """Compile at first use: most commands search for nothing, and would pay for it at import."""
    global _compiled
    if _compiled is None:
        _compiled = _Patterns(
            re.compile(f"[{_DROPPED}]+"),
            re.compile(f"[{_SINGLE}]|(?:[^\\W_{_SINGLE}]|[{_WITH_SIGNS}])+"),
            re.compile(f"[\\x00-\\x7f]+(?![{_EXTENDERS}])|[{_WITH_SIGNS}]+[{_EXTENDERS}]*|.[{_EXTENDERS}]*", re.DOTALL),
            re.compile("[ \n]+|[^ \n]+"),
            re.compile(f"[\\x00-\\x7f{_ACCENTED}{_PUNCTUATION}]*"),
            re.compile(f"[{_PUNCTUATION}]"),
        )
    return _compiled


def fold(text: str) -> str:
    """Return a text without case, diacritics and differences of form, such as full and half width."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    # What is left is composed again: a Korean syllable, and the mark that makes a Japanese ha a ba, are no diacritics.
    return unicodedata.normalize("NFC", _patterns().dropped.sub("", bare)).translate(_LETTERS_WITHOUT_PARTS)


def split(text: str) -> list[str]:
    """Return the tokens of a text."""
    return _patterns().token.findall(fold(text))


def for_index(text: str) -> str:
    """Return what the index stores of a text: something that SQLite's ``ascii`` tokenizer splits into our tokens."""
    if text.isascii():
        return text
    try:
        stored = text.encode("latin-1").translate(_latin_1())
        if _NOT_ONE_LETTER not in stored:
            return stored.decode("ascii")
    except UnicodeEncodeError:
        pass
    patterns = _patterns()
    if not patterns.european.fullmatch(text):
        return " ".join(split(text))
    # Without marks these letters are ASCII; SQLite folds the case.
    bare = unicodedata.normalize("NFKD", patterns.punctuation.sub(" ", text))
    return bare.encode("ascii", "ignore").decode("ascii")


def _latin_1() -> bytes:
    """Return the table from a Latin-1 character to the one character that its fold is, a space for no letter."""
    global _latin_1_table
    if _latin_1_table is None:
        folds = [" ".join(split(chr(code))) if code > 0x7F else chr(code) for code in range(256)]
        codes = [ord(each or " ") if len(each) < 2 and each.isascii() else _NOT_ONE_LETTER[0] for each in folds]
        codes[0xAD] = _NOT_ONE_LETTER[0]  # the soft hyphen separates nothing
        _latin_1_table = bytes(codes)
    return _latin_1_table


def tokens(text: str) -> list[Token]:
    """Return the tokens of a text with their places in it; the same tokens as `split`."""
    patterns = _patterns()
    if text.isascii():
        return [Token(match[0], match.start(), match.end()) for match in patterns.token.finditer(text.lower())]
    folded, places = _folded_by_pieces(text, patterns.piece)
    if folded != fold(text):
        # Marks of a rare script that are sorted or composed beyond a piece; nothing composes with a space.
        folded, places = _folded_by_pieces(text, patterns.between_spaces)
    return [
        Token(match[0], places[match.start()][0], places[match.end() - 1][1])
        for match in patterns.token.finditer(folded)
    ]


def _folded_by_pieces(text: str, piece: re.Pattern[str]) -> tuple[str, list[tuple[int, int]]]:
    """Return a text folded piece by piece, and for each character of it where its piece begins and ends."""
    folded: list[str] = []
    places: list[tuple[int, int]] = []
    for match in piece.finditer(text):
        begin, end = match.span()
        part = fold(match[0])
        folded.append(part)
        if match[0].isascii():
            places += [(at, at + 1) for at in range(begin, end)]
        else:
            places += [(begin, end)] * len(part)
    return "".join(folded), places
