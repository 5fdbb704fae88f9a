"""Completes the commands in hints with the ``--dir`` of this run, so that they can be pasted.

The code that raises an error does not know what the user typed: its hint says ``videodb status``. The code that shows
the hint calls `placed`.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

# The commands that have --dir; `local models`, `demo` and `capture channels` do not have it.
_COMMAND = re.compile(
    r"videodb (?:listen|status|stop|path|doctor|events [a-z]+|sessions(?: (?:list|show|open))?"
    r"|capture (?:start|stop|status|create|pause|resume)|local (?:start|stop|status|trigger|replay))(?![\w-])"
)
_END_OF_COMMAND = re.compile(r" · |; |\)| \| | && |$")
_directory: Path | None = None
_meant_anyway: Callable[[], Path | None] | None = None
_typed = "videodb"
_takes_local = False


def use_directory(directory: Path | None, meant_anyway: Callable[[], Path | None] | None = None) -> None:
    """Remember the directory that the command line names; None if it names none.

    ``meant_anyway`` returns the directory that is used without ``--dir``; it is called only when a hint is shown.
    """
    global _directory, _meant_anyway
    _directory, _meant_anyway = directory, meant_anyway


def use_command(path: str, *, takes_local: bool) -> None:
    """Remember the command that was typed, e.g. ``videodb capture start``, and whether it has ``--local``."""
    global _typed, _takes_local
    _typed, _takes_local = path, takes_local


def placed(text: str) -> str:
    """Return the text with ``--dir DIR`` in each command of ours that has none, if a directory was named."""
    if _directory is None or "videodb " not in text or (_meant_anyway is not None and _meant_anyway() == _directory):
        return text
    option = f" --dir {shlex.quote(str(_directory))}"

    def place(command: re.Match[str]) -> str:
        rest = text[command.end() :]
        end = _END_OF_COMMAND.search(rest)
        arguments = rest[: end.start()] if end is not None else rest
        is_complete = " --dir" in arguments or arguments.lstrip().startswith("--help")
        return command[0] if is_complete else command[0] + option

    return _COMMAND.sub(place, text)


def without_key() -> str:
    """Return the hint for a missing key; it names the command that was typed, if that works without one."""
    get_one = "get a key at console.videodb.io"
    return f"{get_one}, or try everything without one: {_typed} --local" if _takes_local else get_one
