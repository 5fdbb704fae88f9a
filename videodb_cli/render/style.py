"""Colours and links of a terminal: which it can show, and the codes for them.

A row is made of pieces, each a text with its styles. `Painter` turns them into the characters for one terminal.
"""

from __future__ import annotations

import os
import re
import zlib
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli import console

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Colours that are readable on black and on white alike; a test holds their contrast.
PALETTE_256 = tuple(f"38;5;{number}" for number in (28, 31, 63, 130, 133, 162, 30, 64))
# Every theme of 16 colours keeps these apart from its background. Red is for alerts, yellow is for gaps.
PALETTE_16 = ("32", "35", "36", "94")
# The channels that everybody has keep the colours by which they are known.
CHANNEL_STYLES: Mapping[str, tuple[str, ...]] = {
    "transcript": ("green",),
    "visual_index": ("cyan",),
    "audio_index": ("blue",),
    "alert": ("bold", "red"),
    "capture_session": ("magenta",),
    "videodb_cli": ("dim",),
}
# Terminals that are known to show OSC 8 links, by the variables that they set.
_LINKING_PROGRAMS = frozenset({"iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "WarpTerminal"})
_LINKING_TERMS = ("xterm-kitty", "alacritty", "foot", "xterm-ghostty", "contour", "wezterm")
_LINKING_VTE = 5000
_MULTIPLEXERS = ("screen", "tmux")
_ADDRESS = re.compile(r"(?<![A-Za-z0-9])https?://[!-~]+")
_AFTER_ADDRESS = ".,;:!?'\")>]}"


class Piece(NamedTuple):
    """A text, its styles, and the address that it leads to."""

    text: str
    styles: tuple[str, ...] = ()
    link: str | None = None


class Painter(NamedTuple):
    """What a terminal can show.

    Attributes:
        color: Whether it gets colours and styles.
        many: Whether it has 256 colours.
        links: Whether it shows OSC 8 links.
    """

    color: bool = False
    many: bool = False
    links: bool = False

    def paint(self, row: Sequence[Piece]) -> str:
        """Return a row as the characters for the terminal."""
        return "".join(self._painted(piece) for piece in row)

    def _painted(self, piece: Piece) -> str:
        text = piece.text
        if self.color and piece.styles and text:
            text = console.paint(text, *piece.styles)
        return f"\x1b]8;;{piece.link}\x1b\\{text}\x1b]8;;\x1b\\" if self.links and piece.link else text

    def style_of_name(self, name: str) -> tuple[str, ...]:
        """Return the colour of a stream, or of a channel that has none of its own; the same in every run."""
        if not name:
            return ()
        number = zlib.crc32(b"stream" + name.encode("utf-8", "replace"))
        # The bits are chosen so that microphone, system audio and first display differ in both palettes.
        return (PALETTE_256[number % len(PALETTE_256)] if self.many else PALETTE_16[(number >> 8) % len(PALETTE_16)],)

    def style_of_channel(self, channel: str) -> tuple[str, ...]:
        """Return the styles of a channel."""
        return CHANNEL_STYLES.get(channel) or self.style_of_name(channel)


def painter(environment: Mapping[str, str] = os.environ) -> Painter:
    """Return what the terminal on stdout can show. In a pipe only what --color or FORCE_COLOR asks for."""
    import sys

    color = console.wants_color(sys.stdout)
    links = console.is_terminal() and not console.is_paged() and can_link(environment)
    return Painter(color, color and has_many_colors(environment), links)


def has_many_colors(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal has 256 colours."""
    return "256color" in environment.get("TERM", "") or environment.get("COLORTERM", "") in {"truecolor", "24bit"}


def can_link(environment: Mapping[str, str]) -> bool:
    """Tell whether the terminal shows OSC 8 links. One that does not know them might show their addresses twice."""
    term = environment.get("TERM", "")
    if not term or term in console.DUMB_TERMINALS:
        return False
    forced = environment.get("FORCE_HYPERLINK")
    if forced:
        return forced != "0"
    if "TMUX" in environment or term.startswith(_MULTIPLEXERS):
        return False  # it depends on the terminal outside, which cannot be asked
    if environment.get("TERM_PROGRAM", "") in _LINKING_PROGRAMS or term.startswith(_LINKING_TERMS):
        return True
    if environment.get("WT_SESSION") or environment.get("KONSOLE_VERSION") or environment.get("DOMTERM"):
        return True
    version = environment.get("VTE_VERSION", "")
    return version.isdecimal() and int(version) >= _LINKING_VTE


def addresses(text: str) -> list[tuple[int, int]]:
    """Return where the web addresses of a safe text begin and end, without what a sentence puts after them."""
    found = []
    for match in _ADDRESS.finditer(text):
        end = match.start() + len(match[0].rstrip(_AFTER_ADDRESS))
        if end - match.start() > len("https://"):
            found.append((match.start(), end))
    return found
