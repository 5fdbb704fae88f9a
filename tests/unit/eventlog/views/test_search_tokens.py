"""Tokens of every language: what the index stores, what a query asks for and what is highlighted are the same."""

# ruff: noqa: RUF001 - signs that look like others are the point here

from __future__ import annotations

import sqlite3
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.eventlog.views.search_tokens import fold, for_index, split, tokens

# Letters of many scripts, marks that fold, signs without spaces, emoji with their parts, separators.
ALPHABET = (
    "aAzZ09_-.@/'\"* \n\0éÉßøŁıİſæœ“”–…«½²ªµ™ﬁΣςσЙйאַأَـकि्षय়েো"
    "拒否を接続カガｶﾞﾊﾟー々한국\u1112\u1161\u11ab\u3131กินข้าวทำລາວမြန်ខ្មែរབོད"
    "\u0301\u0323\u0308\u3099\u200b\u200c\u200d\ufe0f\u20e3👍🏽❤✅🇩🇪→\u00ad\u2028\U0001f469\U0002000b\U000e0067"
)
texts = st.text(alphabet=ALPHABET, max_size=30) | st.text(max_size=30)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Café cafe\u0301 CAFÉ", ["cafe", "cafe", "cafe"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("Łódź Ærø İstanbul ılık", ["lodz", "aero", "istanbul", "ilik"]),
        ("Việt Nam Вой", ["viet", "nam", "вои"]),
        ("接続を拒否しました", list("接続を拒否しました")),
        ("ＡＢＣ１２ ﾊﾟｰﾄ", ["abc12", "パ", "ー", "ト"]),
        ("がか", ["が", "か"]),
        ("서버가", ["서", "버", "가"]),
        (unicodedata.normalize("NFD", "서버가"), ["서", "버", "가"]),
        ("รถไฟ", list("รถไฟ")),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("سَلام سلام", ["سلام", "سلام"]),
        ("getUserId foo_bar --since E1234", ["getuserid", "foo", "bar", "since", "e1234"]),
        ("https://a.example/x?y=1 me@b.example", ["https", "a", "example", "x", "y", "1", "me", "b", "example"]),
        ("done✅ 👍🏽 ❤️", ["done", "✅", "👍", "🏽", "❤"]),
        ("co\u00adop a\u200bb “x”—y", ["coop", "a", "b", "x", "y"]),
        ("株式会社ABC", ["株", "式", "会", "社", "abc"]),
        ("!! … --", []),
    ],
)
def test_tokens_of_many_languages(text: str, expected: list[str]) -> None:
    assert split(text) == expected


def test_every_character_is_indexed_as_it_is_asked_for() -> None:
    for code in (*range(0x3100), *range(0xA000, 0xD7FF, 7), *range(0xE000, 0x20000, 3)):
        text = f"a{chr(code)}b"
        assert split(for_index(text)) == split(text) == [token.text for token in tokens(text)], hex(code)


@given(texts)
def test_index_query_and_highlight_have_the_same_tokens(text: str) -> None:
    wanted = split(text)
    assert split(for_index(text)) == wanted
    found = tokens(text)
    assert [token.text for token in found] == wanted
    assert all(0 <= token.begin < token.end <= len(text) for token in found)
    assert [token.begin for token in found] == sorted(token.begin for token in found)


@given(texts)
def test_forms_of_a_text_that_look_the_same_are_the_same(text: str) -> None:
    assert split(unicodedata.normalize("NFD", text)) == split(unicodedata.normalize("NFC", text))
    assert fold(fold(text)) == fold(text) or split(fold(fold(text))) == split(text)


@given(texts)
def test_sqlite_splits_what_is_stored_into_the_same_tokens(text: str) -> None:
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5(text, tokenize='ascii')")
    db.execute("CREATE VIRTUAL TABLE tokens USING fts5vocab(words, instance)")
    db.execute("INSERT INTO words VALUES (?)", (for_index(text).encode("utf-8", "replace").decode(),))
    stored = [row[0] for row in db.execute("SELECT term FROM tokens ORDER BY offset")]
    db.close()
    assert stored == [token.encode("utf-8", "replace").decode() for token in split(text)]
