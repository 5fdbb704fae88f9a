"""The values that may follow: fixed choices, and names of the log with their age."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.errors import VideodbError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from videodb_cli.completion.line import Asked
    from videodb_cli.eventlog.names.tally import Tally
    from videodb_cli.eventlog.read.sources import LogSource

# So long the names of the log may be counted at one press of the Tab key.
_BUDGET_S = 0.02
_MOST = 100
_LONGEST = 200


class Value(NamedTuple):
    """What may be inserted, and what is said of it."""

    text: str
    about: str = ""


def values_of(asked: Asked) -> list[Value]:
    """Return the values of a kind, the most useful first. Raises nothing: without a log there are fewer."""
    if asked.kind.startswith("choices:"):
        return [Value(choice) for choice in asked.kind.removeprefix("choices:").split("|")]
    if asked.kind == "capture":
        return _capture_channels(asked)
    find = {"channel": _channels, "stream": _streams, "session": _sessions, "event": _events}.get(asked.kind)
    return [] if find is None else _safe(find(_names(asked), asked.text))


def _safe(values: Iterable[Value]) -> list[Value]:
    """Leave out what cannot be typed: names with control characters, line breaks or endless length."""
    found: dict[str, Value] = {}
    for value in values:
        if value.text and value.text.isprintable() and len(value.text) <= _LONGEST:
            about = "".join(c if c.isprintable() else " " for c in value.about[:_LONGEST])
            found.setdefault(value.text, Value(value.text, about))
    return list(found.values())[:_MOST]


def _names(asked: Asked) -> Tally:
    from videodb_cli.eventlog.names.index import read_names
    from videodb_cli.eventlog.names.tally import Tally

    try:
        return read_names(_sources(asked), _BUDGET_S).tally
    except (VideodbError, OSError, ValueError):
        return Tally()


def _sources(asked: Asked) -> list[LogSource]:
    """Return the files that the command would read: those on the line, else the log of the directory."""
    from videodb_cli.eventlog.read.log_files import log_sources, resolve_sources
    from videodb_cli.rundir import paths
    from videodb_cli.rundir.paths import RunDir

    files = [os.path.expanduser(name) for name in asked.files if name != "-"]  # noqa: PTH111 - a shell does the same
    if asked.files:
        return resolve_sources(files, RunDir(Path(os.devnull))) if files else []
    return log_sources(paths.check(_directory(asked)))


def _directory(asked: Asked) -> Path:
    """Return the directory that the command would use."""
    named = asked.directory or os.environ.get("VIDEODB_EVENTS_DIR", "").strip()
    if named:
        return Path(os.path.expanduser(named)).absolute()  # noqa: PTH111 - as above
    from videodb_cli.settings import resolve_directory

    return resolve_directory(None, None, asked.env_file).path


def _aged(names: dict[str, float]) -> list[Value]:
    return [Value(name, ago(at)) for name, at in sorted(names.items(), key=lambda item: -item[1])]


def _channels(names: Tally, _text: str) -> list[Value]:
    from videodb_cli.eventlog.names.choose import CHANNELS

    return [*_aged(names.channels()), *map(Value, CHANNELS)]


def _events(names: Tally, _text: str) -> list[Value]:
    """Return the last words of names, and those of what has not come yet; full names too."""
    from videodb_cli.eventlog.names.choose import EVENTS

    known = names.events()
    words: dict[str, float] = {}
    for name, at in known.items():
        word = name.rpartition(".")[2]
        words[word] = max(at, words.get(word, at))
    usual = [name.rpartition(".")[2] for name in EVENTS if name.startswith("capture_session.")]
    return [*_aged(words), *map(Value, usual), *_aged(known), *map(Value, EVENTS)]


def _streams(names: Tally, text: str) -> list[Value]:
    """Return the names of streams; their ids only if one is being typed, or no stream has a name."""
    titles = names.stream_names()
    ids = [
        Value(ident, ", ".join(filter(None, (name, ago(at)))))
        for ident, (name, at) in sorted(names.stream_ids().items(), key=lambda item: -item[1][1])
    ]
    return [*_aged(titles), *(ids if not titles or text else [])]


def _sessions(names: Tally, _text: str) -> list[Value]:
    """Return the sessions, the newest first, with state, age and streams."""
    found = []
    for ident, at in names.session_times().items():
        facts = names.sessions.get(ident)
        streams = ", ".join(dict.fromkeys(filter(None, facts.streams.values()))) if facts is not None else ""
        state = (facts.status if facts is not None else None) or ""
        found.append(Value(ident, " · ".join(filter(None, (state, ago(at), streams)))))
    return [*found, Value("last", "the newest session")]


def _capture_channels(asked: Asked) -> list[Value]:
    """Return the channels of the latest capture of the directory."""
    import json

    from videodb_cli.rundir import private
    from videodb_cli.rundir.paths import RunDir

    try:
        fields = json.loads(private.read_bytes(RunDir(_directory(asked)).capture_info) or b"{}")
        channels = [(each["channel_id"], each.get("state") or "") for each in fields["channels"]]
        return _safe(Value(str(name), str(state)) for name, state in channels)
    except (VideodbError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return []


def ago(at: float) -> str:
    """Return how long ago something was last seen; empty if that is not known."""
    age_s = time.time() - at
    if not at or age_s < 0:
        return ""
    for unit, size_s in (("d", 86400), ("h", 3600), ("min", 60)):
        if age_s >= size_s:
            return f"{age_s // size_s:.0f} {unit} ago"
    return f"{age_s:.0f} s ago"
