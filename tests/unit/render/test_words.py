"""The words of events: safe on any terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.render import words

SAFE = [
    ("a\x1b[2J\x07b", "a\\x1b[2J\\x07b"),
    ("a\x1b]8;;http://evil\x1b\\b", "a\\x1b]8;;http://evil\\x1b\\b"),
    ("c1 \x9b31m", "c1 \\x9b31m"),
    ("rtl \u202egnirts\u2066", "rtl \\u202egnirts\\u2066"),
    ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
    ("private \ue0b0 \U0010fffd", "private \\ue0b0 \\U0010fffd"),
    ("Silben\xadtrennung", "Silbentrennung"),
    ("family \U0001f468\u200d\U0001f469", "family \U0001f468\u200d\U0001f469"),
    ("two\nlines\t here", "two lines here"),
]


@pytest.mark.parametrize(("text", "safe"), SAFE)
def test_safe(text: str, safe: str) -> None:
    assert words.safe(text) == safe


@given(st.text())
def test_nothing_unsafe_is_left(text: str) -> None:
    line = words.safe(text)
    assert not any(c < " " or "\x7f" <= c <= "\x9f" or c in "\u200b\u202e\ue000\xad\ufeff" for c in line)


def test_words_of_kinds_of_events() -> None:
    alert = {"channel": "alert", "data": {"label": "pager", "confidence": 0.95, "text": "refused"}}
    assert words.words(alert) == "pager (0.95): refused"
    session = {"event": "capture_session.active", "data": {"rtstreams": [{"rtstream_id": "r", "name": "mic:default"}]}}
    assert words.words(session) == "active · mic:default"
    assert words.words({"channel": "x", "data": {"y": 1}}) == '{"data": {"y": 1}}'
    assert words.words({"channel": "x", "data": {"text": "abcdef"}}, 3) == "abc"


def test_gaps_are_rules() -> None:
    data = {"seconds": 1.2, "from": "2026-03-02T10:15:31Z", "to": "2026-03-02T10:15:32Z"}
    gap = {"channel": "videodb_cli", "event": "listener.gap", "data": data}
    assert words.is_rule(gap)
    assert words.rule_words(gap).startswith("gap 1.2 s · ")
    assert not words.is_rule({"channel": "other", "event": "listener.gap"})


def test_ids_are_not_shortened() -> None:
    assert words.shortened("cap-019f3a7c5e1", 5) == "cap-019f3a7c5e1"
    assert words.shortened("a long name", 6) == "a lon…"
