"""Opens a web page in the user's browser, where there is one and a display for it."""

from __future__ import annotations

import os
import subprocess
import sys

_PROGRAMS = ("xdg-open", "gio open", "x-www-browser", "sensible-browser")
_PATIENCE_S = 5.0


def is_web_address(url: str) -> bool:
    """Tell whether it is a plain http(s) address. One from a log is untrusted: it could name a file or a script."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(host) and url.isascii() and url.isprintable() and " " not in url


def open_page(url: str) -> bool:
    """Open a web address, and tell whether a browser took it. ``BROWSER`` names another program; no shell is used."""
    return any(_starts([*command, url]) for command in _commands())


def _commands() -> list[list[str]]:
    import shlex
    import shutil

    named = os.environ.get("BROWSER", "")
    try:
        commands = [shlex.split(part.replace("%s", "")) for part in named.split(os.pathsep) if part.strip()]
    except ValueError:
        commands = []
    if sys.platform == "darwin":
        commands.append(["open"])
    elif os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        commands += [program.split() for program in _PROGRAMS]
    return [command for command in commands if command and shutil.which(command[0])]


def _starts(command: list[str]) -> bool:
    """Start a program that holds none of our streams. One that still runs after a while is a browser that works."""
    null = subprocess.DEVNULL
    try:
        child = subprocess.Popen(command, stdin=null, stdout=null, stderr=null, start_new_session=True)
    except OSError:
        return False
    try:
        return child.wait(_PATIENCE_S) == 0
    except subprocess.TimeoutExpired:
        child.returncode = 0  # it goes on without us: the interpreter must not warn of it
        return True
