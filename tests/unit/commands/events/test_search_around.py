"""Hits are marked by text, and highlighted where there is colour."""

from __future__ import annotations

import json

import pytest

from videodb_cli import console
from videodb_cli.commands.events.search_around import AroundRows
from videodb_cli.eventlog.query.scan import Line
from videodb_cli.eventlog.views.search_words import parse_terms


def line(text: str, at: int) -> Line:
    return Line(at, json.dumps({"unix_ts": at, "channel": "transcript", "data": {"text": text}}).encode())


@pytest.mark.parametrize("color", [True, False])
def test_a_hit_is_marked_and_its_words_highlighted(color: bool, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line("before", 1), line("connection 拒否 refused", 2), line("after", 86400 * 3)]
    console.set_color(color)
    try:
        rows = AroundRows({lines[1].raw}, parse_terms("拒否"))
        rows.write(lines)
        rows.close()
    finally:
        console.set_color(None)
    printed = capsys.readouterr().out.splitlines()
    marked = [row for row in printed if "\u25b8 " in row]
    assert len(marked) == 1
    assert "connection" in marked[0]
    assert ("\x1b[1;33m拒否\x1b[0m" in marked[0]) is color
    assert sum("\u2500\u2500\u2500\u2500" in row for row in printed) == 2  # a rule before each new day
