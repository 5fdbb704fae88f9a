"""Colours are readable and stable, and links are only for terminals that show them."""

from __future__ import annotations

import pytest

from videodb_cli.render.style import PALETTE_256, Painter, Piece, addresses, can_link, has_many_colors

_CUBE = (0, 95, 135, 175, 215, 255)


def luminance(number: int) -> float:
    number -= 16
    parts = [_CUBE[number // 36] / 255, _CUBE[number // 6 % 6] / 255, _CUBE[number % 6] / 255]
    linear = [x / 12.92 if x <= 0.03928 else ((x + 0.055) / 1.055) ** 2.4 for x in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("style", PALETTE_256)
def test_colours_are_readable_on_black_and_on_white(style: str) -> None:
    bright = luminance(int(style.rpartition(";")[2]))
    assert min(1.05 / (bright + 0.05), (bright + 0.05) / 0.05) >= 3.9


@pytest.mark.parametrize("many", [True, False])
def test_streams_that_everybody_has_differ(many: bool) -> None:
    painter = Painter(True, many)
    assert len({painter.style_of_name(name) for name in ("mic", "system_audio", "display:1")}) == 3
    assert painter.style_of_name("") == ()


def test_the_colour_of_a_stream_is_the_same_in_every_run() -> None:
    assert Painter(True, True).style_of_name("mic") == ("38;5;130",)
    assert Painter(True, False).style_of_name("mic") == ("36",)


LINKS = [
    ({"TERM": "xterm-256color"}, False),
    ({"TERM": "xterm-256color", "VTE_VERSION": "7200"}, True),
    ({"TERM": "xterm-256color", "VTE_VERSION": "4600"}, False),
    ({"TERM": "xterm-256color", "TERM_PROGRAM": "iTerm.app"}, True),
    ({"TERM": "xterm-256color", "TERM_PROGRAM": "Apple_Terminal"}, False),
    ({"TERM": "xterm-kitty"}, True),
    ({"TERM": "tmux-256color", "TMUX": "/tmp/tmux", "VTE_VERSION": "7200"}, False),
    ({"TERM": "dumb", "FORCE_HYPERLINK": "1", "VTE_VERSION": "7200"}, False),
    ({"TERM": "xterm", "FORCE_HYPERLINK": "1"}, True),
    ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
    ({}, False),
]


@pytest.mark.parametrize(("environment", "wanted"), LINKS)
def test_links(environment: dict[str, str], wanted: bool) -> None:
    assert can_link(environment) is wanted


def test_what_is_painted() -> None:
    row = [Piece("a", ("bold",)), Piece(" "), Piece("https://x.y", (), "https://x.y")]
    assert Painter().paint(row) == "a https://x.y"
    assert Painter(True).paint(row) == "\x1b[1ma\x1b[0m https://x.y"
    assert Painter(links=True).paint(row) == "a \x1b]8;;https://x.y\x1b\\https://x.y\x1b]8;;\x1b\\"


def test_many_colours() -> None:
    assert has_many_colors({"TERM": "xterm-256color"})
    assert has_many_colors({"TERM": "x", "COLORTERM": "truecolor"})
    assert not has_many_colors({"TERM": "linux"})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://a.b/c?d=1#e.", ["https://a.b/c?d=1#e"]),
        ("(http://a.b/c), and https://d.e!", ["http://a.b/c", "https://d.e"]),
        ("no link: ftp://a.b https:// x", []),
        ("見てhttps://a.b/東京", ["https://a.b/"]),
    ],
)
def test_addresses(text: str, found: list[str]) -> None:
    assert [text[begin:end] for begin, end in addresses(text)] == found
