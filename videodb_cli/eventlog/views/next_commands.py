"""The commands that show more than a summary, with the times, ids and words of this log filled in."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from videodb_cli.eventlog.views.happenings import Happenings

_BEFORE_S = 30


class Origin(NamedTuple):
    """Where the events come from: flags that every command needs (such as ``--dir``), or files that are named."""

    flags: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def next_commands(seen: Happenings, origin: Origin) -> list[str]:
    """Return the commands, the most useful first. Ids and names come from events, so they are quoted for a shell."""
    if "-" in origin.files:
        return []  # standard input cannot be read again
    times = _times(seen.first, seen.last)
    commands = []
    if seen.errors:
        at = seen.latest_errors[-1].at
        near = times if at is None else (*_times(at - _BEFORE_S, at),)
        commands.append(_filter(origin, *near))
    if seen.said.count:
        commands.append(_command(origin, "transcript", *times, *origin.files))
    if seen.alerts:
        commands.append(_filter(origin, "--channel", "alert", *times))
    if words := seen.said.key_words(1):
        files = [part for name in origin.files for part in ("--file", name)]
        commands.append(_command(origin, "search", *words, "--around", "30s", *files))
    if seen.screens.count:
        commands.append(_filter(origin, "--channel", "visual_index", *times))
    if seen.sessions:
        commands.append(_filter(origin, "--session", next(reversed(seen.sessions))))
    if seen.gaps:
        commands.append(_filter(origin, "--event", "listener.gap"))
    return commands


def _filter(origin: Origin, *words: str) -> str:
    return _command(origin, "filter", *words, *((".", *origin.files) if origin.files else ()))


def _command(origin: Origin, *words: str) -> str:
    return "videodb events " + shlex.join([*words, *origin.flags])


def _times(first: float | None, last: float | None) -> tuple[str, ...]:
    if first is None or last is None:
        return ()
    return "--since", str(math.floor(first)), "--until", str(math.floor(last) + 1)
