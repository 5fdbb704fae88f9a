"""Text is measured in cells of a terminal, and cut between clusters."""

from __future__ import annotations

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli import cells
from videodb_cli.console import one_line

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"
HEART = "❤\ufe0f"
WAVE = "👋🏽"

WIDTHS = [
    ("", 0),
    ("word", 4),
    ("東京", 4),
    ("\uff57\uff49\uff44\uff45", 8),
    ("e\u0301", 1),
    ("a\u200bb\u200cc", 3),
    ("\u03b1§±", 3),
    (FAMILY, 2),
    (HEART, 2),
    (WAVE, 2),
    ("🇩🇪", 2),
    ("1\ufe0f\u20e3", 2),
    ("\u1112\u1161\u11ab", 2),
]


@pytest.mark.parametrize(("text", "width"), WIDTHS, ids=[ascii(text) for text, _ in WIDTHS])
def test_width(text: str, width: int) -> None:
    assert cells.width(text) == width


CUTS = [
    ("東京東京", 5, "東京…"),
    ("東京東京", 4, "東…"),
    ("word", 4, "word"),
    ("words", 4, "wor…"),
    ("wo rds", 4, "wo…"),
    ("word", 0, ""),
    ("東", 1, "…"),
    (f"a{FAMILY}{FAMILY}b", 4, f"a{FAMILY}…"),
    (f"{WAVE}{WAVE}{WAVE}", 5, f"{WAVE}{WAVE}…"),
    ("e\u0301e\u0301e\u0301", 2, "e\u0301…"),
]


@pytest.mark.parametrize(("text", "room", "cut"), CUTS, ids=[ascii(text) for text, _, _ in CUTS])
def test_cut(text: str, room: int, cut: str) -> None:
    assert cells.cut(text, room) == cut


def test_pad() -> None:
    assert cells.pad("東京", 6) == "東京  "
    assert cells.pad("東京", 3) == "東京"


def test_wrap() -> None:
    assert cells.wrap("東京は日本の首都です hello", 10) == ["東京は日本", "の首都です", "hello"]
    assert cells.wrap("a well-known word", 6) == ["a", "well-k", "nown", "word"]
    assert cells.wrap("see https://example.com/東京 now", 8, break_words=False) == [
        "see",
        "https://example.com/東京",
        "now",
    ]
    assert cells.wrap("", 8) == [""]


PIECES = ["word", " ", "東京", FAMILY, HEART, WAVE, "e\u0301", "\u200b", "ก็", "हिन्दी", "🇩🇪", "\u1112\u1161"]
sentences = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(st.text(max_size=60) | sentences, st.integers(1, 40))
def test_what_is_cut_fits_and_is_a_beginning(text: str, room: int) -> None:
    text = one_line(text)
    cut = cells.cut(text, room)
    assert cells.width(cut) <= room
    assert cut == text or text.startswith(cut[:-1])


@given(st.text(max_size=60) | sentences, st.integers(2, 40))
def test_wrapped_lines_fit_and_hold_everything(text: str, room: int) -> None:
    text = one_line(text)
    lines = cells.wrap(text, room)
    assert lines
    widest = max((cells.width(cluster) for cluster in wcwidth.iter_graphemes(text)), default=0)
    assert all(cells.width(line) <= max(room, widest) for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())
