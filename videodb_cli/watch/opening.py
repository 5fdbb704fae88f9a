"""Opens the player of a session in the browser, where there is a display."""

from __future__ import annotations

import os
import sys


def has_display() -> bool:
    """Tell whether a browser can be opened here."""
    # Without one, a browser of the terminal would be started in the midst of ours.
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def open_player(address: str) -> None:
    """Open an address in the browser."""
    import webbrowser

    webbrowser.open(address)
