"""The terminal that tests read does what real ones do: wide characters, edges, scrollback, resizing."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pyte
import pytest

from tests.fakes.terminal import Screen, Terminal

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


def shown(found: Screen) -> list[str]:
    return ["".join(row) for row in found.rows()]


def fed(text: str, columns: int, lines: int = 4, **flavour: bool) -> Screen:
    found = Screen(columns, lines, **{"clusters": True, "reflows": False, **flavour})
    pyte.Stream(found).feed(text)
    return found


WRITTEN = [
    ("abcdef", 4, True, ["abcd", "ef"], 1),
    ("abcd", 4, True, ["abcd"], 0),
    ("a東京", 4, True, ["a東", "京"], 1),
    (f"{FAMILY}b", 3, True, [f"{FAMILY}b"], 0),
    (f"{FAMILY}b", 4, False, ["\U0001f468\u200d\U0001f469\u200d", "\U0001f467b"], 1),
    ("e\u0301x", 2, False, ["e\u0301x"], 0),
    ("\x1b[?7labcdef\x1b[?7h", 4, True, ["abcf"], 0),
    ("\x1b[?7lab東京\x1b[?7h", 4, True, ["ab京"], 0),
    ("one\r\ntwo\x1b[1A\r\x1b[K\x1b[C\x1b[J\rnew", 8, True, ["new"], 0),
]


@pytest.mark.parametrize(("text", "columns", "clusters", "rows", "wraps"), WRITTEN)
def test_what_is_written(text: str, columns: int, clusters: bool, rows: list[str], wraps: int) -> None:
    found = fed(text, columns, clusters=clusters)
    assert (shown(found), found.wraps) == (rows, wraps)


def test_scrollback() -> None:
    found = fed("\r\n".join("abcdef"), 4, lines=3)
    assert shown(found) == list("abcdef")
    assert found.display == ["d   ", "e   ", "f   "]


LIVE = "first\r\nlong row one\r\nlong row two\x1b[1A\r"
ERASE_AND_DRAW = "\r\x1b[K\x1b[C\x1b[J\rnew"


@pytest.mark.parametrize("lines", [3, 6])
@pytest.mark.parametrize(
    ("reflows", "rows"),
    [(False, ["first", "long r", "long r"]), (True, ["first", "long r", "ow one", "long r", "ow two"])],
)
def test_made_narrower_the_cursor_stays_with_its_row(reflows: bool, rows: list[str], lines: int) -> None:
    found = fed(LIVE, 20, lines=lines, reflows=reflows)
    found.resize(lines, 6)
    assert [row.rstrip() for row in shown(found)] == rows[: lines + 1], "what is below the last line is lost"
    pyte.Stream(found).feed(ERASE_AND_DRAW)
    assert [row.rstrip() for row in shown(found)] == ["first", "new"]


def test_made_wider_a_wrapped_row_is_whole_again() -> None:
    found = fed("abcdef\r\n", 4, reflows=True)
    found.resize(4, 8)
    assert shown(found) == ["abcdef", ""]


def test_made_lower_it_scrolls() -> None:
    found = fed("a\r\nb\r\nc", 4, lines=3)
    found.resize(1, 4)
    assert (shown(found), found.display) == (["a", "b", "c"], ["c   "])


def test_a_program_finds_itself_on_a_terminal(tmp_path: Path) -> None:
    program = (
        "import os, sys; print(sys.stdout.isatty(), os.get_terminal_size().columns, os.tcgetpgrp(0) == os.getpgrp())"
    )
    with Terminal(40) as terminal:
        terminal.run([sys.executable, "-c", program], dict(os.environ), tmp_path)
        assert terminal.status() == 0
        assert terminal.rows() == ["True 40 True"]
