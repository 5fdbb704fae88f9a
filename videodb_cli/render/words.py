"""What an event says to people: its kind, its stream and its words, each as one safe line."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from videodb_cli import cells, console
from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle, own_lines
from videodb_cli.model.rtstreams import read_streams

_LABELS = {
    "visual_index": "visual",
    "audio_index": "audio",
    "alert": "ALERT",
    "capture_session": "session",
    ev.OWN_CHANNEL: "listener",
}
# Our own lines that are shown as rules: from here on, or until here, something is missing.
_RULES = frozenset((own_lines.GAP, own_lines.CAPTURE_STALLED, own_lines.CAPTURE_RESUMED))
_MOST_OF_A_NAME = 200
# Characters of private use look different on every terminal, and their width is not known; soft hyphens are drawn by
# some terminals and not by others.
_UNKNOWN = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]")
_SOFT_HYPHEN = "\xad"


def safe(text: str) -> str:
    """Return untrusted text as one line that a terminal shows as it is meant, in the cells that we count."""
    line = console.one_line(text)
    if line.isascii():
        return line
    line = line.replace(_SOFT_HYPHEN, "")
    return _UNKNOWN.sub(lambda match: match[0].encode("unicode_escape").decode(), line)


def clock_text(at: float | None, width: int) -> str:
    """Return the local time of day in 12 cells, with milliseconds, or in 8."""
    if at is None:
        return ""
    try:
        return datetime.fromtimestamp(at).strftime("%H:%M:%S.%f")[: 8 if width < 12 else -3]  # noqa: DTZ006 - local
    except (OverflowError, ValueError, OSError):
        return "?"


def channel_label(event: ev.Event) -> tuple[str, str]:
    """Return the channel of an event, and the short word for it."""
    channel = ev.channel_of(event) or ("raw" if "raw" in event or "raw_base64" in event else "event")
    return channel, safe(_LABELS.get(channel, channel)[:_MOST_OF_A_NAME])


def stream_label(event: ev.Event) -> str:
    """Return the short name of the stream; for an event of a session, its id."""
    return safe((ev.stream_label(event) or ev.session_of(event) or "")[:_MOST_OF_A_NAME])


def is_rule(event: ev.Event) -> bool:
    """Tell whether an event is drawn as a rule, such as a gap."""
    return ev.is_own(event) and event.get("event") in _RULES


def rule_words(event: ev.Event) -> str:
    """Return the words of an event that is drawn as a rule."""
    return _gap_words(event) if event["event"] == own_lines.GAP else words(event)


def words(event: ev.Event, most: int | None = None) -> str:
    """Return the words of an event. ``most`` is how many characters are wanted: escaping megabytes takes its time."""
    channel = ev.channel_of(event)
    data = ev.data_of(event)
    if channel == "capture_session":
        said = " · ".join(_session_words(event, data))
    elif channel == "alert":
        said = _alert_words(data) or _alert_words(event)
    else:
        said = ev.text_of(event) or ""
    return safe((said or _remainder(event))[:most])


def _gap_words(event: ev.Event) -> str:
    """Return the words of a gap: ``gap 1.2 s · 12:15:31 → 12:15:32``."""
    data = ev.data_of(event)
    seconds, begin, end = data.get("seconds"), ev.parse_iso(data.get("from")), ev.parse_iso(data.get("to"))
    if not isinstance(seconds, int | float) or begin is None or end is None:
        return words(event)
    return f"gap {seconds:.1f} s · {clock_text(begin, 8)} → {clock_text(end, 8)}"


def _session_words(event: ev.Event, data: ev.Event) -> list[str]:
    found = [lifecycle.status_of(event) or ev.name_of(event) or ""]
    streams = read_streams(data.get("rtstreams"))
    found.append(", ".join(stream.label or stream.id for stream in streams))
    said = (data.get("exported_video_id"), data.get("player_url"), ev.text_of(event))
    return [part for part in (*found, *said) if isinstance(part, str) and part]


def _alert_words(data: ev.Event) -> str:
    label = data.get("label") or data.get("event_label")
    text = data.get("text") or data.get("explanation")
    confidence = data.get("confidence")
    said = str(label) if label else ""
    if isinstance(confidence, int | float) and not isinstance(confidence, bool):
        said += f" ({confidence:.2f})"
    if isinstance(text, str) and text:
        said = f"{said}: {text}" if said else text
    return said


def _remainder(event: ev.Event) -> str:
    """Return the event without its envelope, as JSON, for events without words."""
    import json

    rest = {key: value for key, value in event.items() if key not in {"ts", "unix_ts", "channel"}}
    return json.dumps(rest, ensure_ascii=False)


def shortened(text: str, room: int) -> str:
    """Return a name cut to so many cells, unless it is an id: those are copied, and half of one is of no use."""
    return text if cells.is_whole(text) else cells.cut(text, room)


def plain(value: Any) -> str:
    """Return a line of the log that is no object as one safe line."""
    return safe(str(value))
