"""Help fits into the terminal at every width, loses no word, and has colour only where that is wanted."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.unit.commands.test_help_words import COMMANDS
from videodb_cli import console
from videodb_cli.commands.help_words import EXAMPLES
from videodb_cli.main import main

Capture = pytest.CaptureFixture[str]
_ALL_EXAMPLES = {example for examples in EXAMPLES.values() for example, _ in examples}


@pytest.fixture(autouse=True)
def _color(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    console.set_color(None)
    yield
    console.set_color(None)


def shown(path: str, columns: int, monkeypatch: pytest.MonkeyPatch, capfd: Capture, *options: str) -> str:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main([*options, *path.split()[1:], "--help"]) == 0
    out, err = capfd.readouterr()
    assert err == ""
    return out


@pytest.mark.parametrize("columns", [60, 80, 100, 140])
@pytest.mark.parametrize("path", COMMANDS)
def test_lines_fit(path: str, columns: int, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    out = shown(path, columns, monkeypatch, capfd)
    long = [
        line
        for line in out.splitlines()
        if len(line) > min(columns, 100) and line.strip() not in _ALL_EXAMPLES and " " in line.strip()
    ]
    assert not [line for line in long if not line.startswith("  -")]
    assert not long or columns < 80, long


@pytest.mark.parametrize("columns", [20, 60, 140])
@pytest.mark.parametrize("path", COMMANDS)
def test_no_word_is_lost(path: str, columns: int, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    def letters(text: str) -> list[str]:
        return sorted(re.sub(r"[\s#]", "", text))

    assert letters(shown(path, columns, monkeypatch, capfd)) == letters(shown(path, 80, monkeypatch, capfd))


@pytest.mark.parametrize("path", ["videodb", "videodb listen", "videodb events search", "videodb config set"])
def test_colour_changes_nothing_but_colour(path: str, monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    plain = shown(path, 80, monkeypatch, capfd, "--no-color")
    assert "\x1b" not in plain
    coloured = shown(path, 80, monkeypatch, capfd, "--color")
    assert "\x1b[1m" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == plain


def test_no_colour_in_a_pipe(monkeypatch: pytest.MonkeyPatch, capfd: Capture) -> None:
    assert "\x1b" not in shown("videodb listen", 80, monkeypatch, capfd)
