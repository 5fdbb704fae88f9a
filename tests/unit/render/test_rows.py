"""Rows of events: columns that hold, nothing wider than the terminal, nothing lost."""

from __future__ import annotations

from typing import Any

import pytest
import wcwidth
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli import cells
from videodb_cli.render import words
from videodb_cli.render.rows import EventRows
from videodb_cli.render.style import Painter

URL = "https://example.com/a/path/that/is/longer/than/any/narrow/terminal?x=1"
SESSION = "cap-019f3a7c5e1b4d2f8a6c"


def event(text: str, stream: str = "mic:default", **members: Any) -> dict[str, Any]:
    return {"channel": "transcript", "rtstream_name": stream, "data": {"text": text, "is_final": True}, **members}


def rows_at(width: int | None, *events: Any, painter: Painter = Painter()) -> list[str]:  # noqa: B008
    rows = EventRows(width, painter)
    rows.measure(events)
    return [row for one in events for row in rows.render(one)]


TABLE = [
    (60, "one two three four five six 7 eight nine", [
        "          transcript  mic  one two three four five six 7",
        "                           eight nine",
    ]),
    (24, "one two three four five", ["transcript mic", "  one two three four", "  five"]),
    (60, "東京で会議がありました。明日は大阪です", [
        "          transcript  mic  東京で会議がありました。明日は大",
        "                           阪です",
    ]),
    (60, f"see {URL} now", [
        "          transcript  mic  see",
        f"  {URL}",
        "                           now",
    ]),
    (None, "one " * 40, ["              transcript  mic  " + ("one " * 40).strip()]),
]  # fmt: skip


@pytest.mark.parametrize(("width", "text", "rows"), TABLE)
def test_rows(width: int | None, text: str, rows: list[str]) -> None:
    assert rows_at(width, event(text)) == rows


def test_a_long_id_stays_whole_and_the_words_begin_after_it() -> None:
    session = {"event": "capture_session.active", "capture_session_id": SESSION, "data": {}}
    assert rows_at(100, event("a"), session)[1] == f"              session     {SESSION}  active"
    assert any(SESSION in row for row in rows_at(24, session))


def test_found_words_are_highlighted_wherever_they_are_wrapped() -> None:
    rows = EventRows(60, Painter(True))
    shown = rows.render(
        event("one two three four five seven eight"), found=lambda text: [(text.index("seven"), len(text))]
    )
    assert shown[0].endswith("\x1b[1;33mseven\x1b[0m")
    assert shown[1].strip() == "\x1b[1;33meight\x1b[0m"


def test_links_lead_to_what_is_shown() -> None:
    shown = "".join(rows_at(80, event(f"see {URL}."), painter=Painter(links=True)))
    assert f"\x1b]8;;{URL}\x1b\\{URL}\x1b]8;;\x1b\\." in shown


def test_a_mark_takes_no_room() -> None:
    rows = EventRows(80)
    plain, marked = rows.render(event("word"))[0], rows.render(event("word"), is_marked=True)[0]
    assert marked.index("word") == plain.index("word")
    assert "▸ word" in marked


PIECES = [
    "word",
    " ",
    "東京",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "❤\ufe0f",
    "👋🏽",
    "e\u0301",
    "हिन्दी",
    "🇩🇪",
    URL,
    SESSION,
]
texts = st.text(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@given(texts, st.text(max_size=30) | st.sampled_from(PIECES), st.integers(20, 300))
def test_no_row_is_wider_than_the_terminal_and_nothing_is_lost(text: str, stream: str, width: int) -> None:
    rows = rows_at(width, event(text, stream))
    for row in rows:
        if cells.width(row) >= width:
            assert any(cells.is_whole(word) for word in row.split()), row
    said = words.words(event(text, stream))
    assert "".join(said.split()) in "".join("".join(rows).split())
    one = EventRows(width).one_row(event(text, stream))
    assert cells.width(one) < width or cells.is_whole(one)


@given(texts)
def test_clusters_are_never_split(text: str) -> None:
    said = words.words(event(text))
    for begin, end in cells.wrapped(said, 20):
        pieces = "".join(wcwidth.iter_graphemes(said[begin:end]))
        assert pieces == said[begin:end]
