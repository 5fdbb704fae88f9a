"""Events as people read them on a terminal: time, kind, stream, words, in columns."""

from __future__ import annotations

import textwrap
from datetime import date, datetime
from typing import Any

from videodb_cli import console
from videodb_cli.model import event as ev
from videodb_cli.model import own_lines

_LABELS = {
    "visual_index": "visual",
    "audio_index": "audio",
    "alert": "ALERT",
    "capture_session": "session",
    ev.OWN_CHANNEL: "listener",
}
_STYLES = {
    "transcript": ("green",),
    "visual_index": ("cyan",),
    "audio_index": ("blue",),
    "alert": ("bold", "red"),
    "capture_session": ("magenta",),
    ev.OWN_CHANNEL: ("dim",),
}
_TIME_WIDTH, _LABEL_WIDTH, _STREAM_WIDTH = 12, 10, 10
_INDENT = _TIME_WIDTH + _LABEL_WIDTH + _STREAM_WIDTH + 6


def clock(at: float | None) -> str:
    """Local time of day with milliseconds."""
    if at is None:
        return " " * _TIME_WIDTH
    try:
        return datetime.fromtimestamp(at).strftime("%H:%M:%S.%f")[:-3]  # noqa: DTZ006 - local time is meant
    except (OverflowError, ValueError, OSError):
        return "?".ljust(_TIME_WIDTH)


def stream_label(event: ev.Event) -> str:
    """The stream's short name; of a session its id."""
    session = event.get("capture_session_id")
    return ev.stream_label(event) or (session if isinstance(session, str) else "")


def words(event: ev.Event) -> str:
    """What an event says, in one safe line."""
    channel = ev.channel_of(event)
    data = ev.data_of(event)
    if channel == "capture_session":
        said = " · ".join(_session_words(event, data))
    elif channel == "alert":
        said = _alert_words(data)
    else:
        said = ev.text_of(event) or ""
    if not said:
        said = _remainder(event)
    return console.one_line(said)


def _gap_words(event: ev.Event) -> str:
    """``gap 1.2 s · 12:15:31 → 12:15:32``."""
    data = ev.data_of(event)
    seconds, begin, end = data.get("seconds"), ev.parse_iso(data.get("from")), ev.parse_iso(data.get("to"))
    if not isinstance(seconds, int | float) or begin is None or end is None:
        return words(event)
    return f"gap {seconds:.1f} s · {clock(begin)[:8]} → {clock(end)[:8]}"


def _session_words(event: ev.Event, data: ev.Event) -> list[str]:
    name = event.get("event")
    found = [name.rpartition(".")[2] if isinstance(name, str) else str(event.get("status") or "")]
    streams = data.get("rtstreams")
    if isinstance(streams, list):
        named = (
            s.get("rtstream_name") or s.get("name") or s.get("rtstream_id") for s in streams if isinstance(s, dict)
        )
        found.append(", ".join(str(name) for name in named))
    said = (data.get("exported_video_id"), data.get("player_url"), ev.text_of(event))
    return [part for part in (*found, *said) if isinstance(part, str) and part]


def _alert_words(data: ev.Event) -> str:
    label = data.get("label") or data.get("event_label")
    text = data.get("text")
    confidence = data.get("confidence")
    said = str(label) if label else ""
    if isinstance(confidence, int | float) and not isinstance(confidence, bool):
        said += f" ({confidence:.2f})"
    if isinstance(text, str) and text:
        said = f"{said}: {text}" if said else text
    return said


def _remainder(event: ev.Event) -> str:
    """The event without its envelope, for shapes that have no words."""
    import json

    rest = {key: value for key, value in event.items() if key not in {"ts", "unix_ts", "channel"}}
    return json.dumps(rest, ensure_ascii=False)


def kind_of(event: ev.Event) -> tuple[str, tuple[str, ...]]:
    """What kind of event it is, in one short safe word, and the styles of that word."""
    channel = ev.channel_of(event) or ("raw" if "raw" in event or "raw_base64" in event else "event")
    return console.cut(console.one_line(_LABELS.get(channel, channel)), 16), _STYLES.get(channel, ())


class Rows:
    """Turns events into rows for a terminal of some width; remembers the day of the last one."""

    def __init__(self, width: int, *, color: bool, today: date | None = None) -> None:
        self.resize(width)
        self._color = color
        self._day = today or datetime.now().date()  # noqa: DTZ005 - local days are meant

    def resize(self, width: int) -> None:
        """The terminal has another width now."""
        self._width = max(width, 40)

    def render(self, event: Any) -> list[str]:
        """The rows of one event: a rule for a gap or a new day, else its columns with the words wrapped."""
        if not isinstance(event, dict):
            return [console.one_line(str(event))]
        rows = self._new_day(event)
        if event.get("event") == own_lines.GAP and ev.is_own(event):
            return [*rows, self._paint(self._rule(_gap_words(event)), "yellow")]
        head, style = self._head(event), _STYLES.get(ev.channel_of(event) or "", ())
        lines = self._wrap(words(event) + (" (recovered)" if ev.is_recovered(event) else ""))
        dim = ("dim",) if ev.is_own(event) or ev.is_interim(event) else ()
        time_part, label, stream = head
        rows.append(
            f"{self._paint(time_part, 'dim')}  {self._paint(label, *style)}  {self._paint(stream, 'dim')}  "
            f"{self._paint(lines[0], *dim)}"
        )
        rows.extend(" " * _INDENT + self._paint(line, *dim) for line in lines[1:])
        return rows

    def one_row(self, event: ev.Event) -> str:
        """The event in one row, cut to the width: how an interim transcript is drawn while it changes."""
        time_part, label, stream = self._head(event)
        room = self._width - 1 - len(f"{time_part}  {label}  {stream}  ")
        style = _STYLES.get(ev.channel_of(event) or "", ())
        return (
            f"{self._paint(time_part, 'dim')}  {self._paint(label, *style)}  {self._paint(stream, 'dim')}  "
            f"{self._paint(console.cut(words(event), max(room, 10)), 'dim')}"
        )

    def found(self, event: ev.Event, text: str, spans: list[tuple[int, int]]) -> str:
        """One row with a given text, in which some places are highlighted."""
        pieces: list[str] = []
        at = 0
        for begin, end in spans:
            if begin >= at:
                pieces += [text[at:begin], self._paint(text[begin:end], "bold", "yellow")]
                at = end
        time_part, label, stream = self._head(event)
        style = _STYLES.get(ev.channel_of(event) or "", ())
        head = "  ".join((self._paint(time_part, "dim"), self._paint(label, *style), self._paint(stream, "dim")))
        return f"{head}  {''.join(pieces)}{text[at:]}"

    def _head(self, event: ev.Event) -> tuple[str, str, str]:
        channel = ev.channel_of(event) or ("raw" if "raw" in event or "raw_base64" in event else "event")
        label = console.cut(console.one_line(_LABELS.get(channel, channel)), 16)
        stream = console.cut(console.one_line(stream_label(event)), 16)
        return (
            clock(ev.received_at(event)),
            console.pad(label, _LABEL_WIDTH),
            console.pad(stream, _STREAM_WIDTH),
        )

    def _new_day(self, event: ev.Event) -> list[str]:
        at = ev.received_at(event)
        if at is None:
            return []
        try:
            day = datetime.fromtimestamp(at).date()  # noqa: DTZ006 - local days are meant
        except (OverflowError, ValueError, OSError):
            return []
        if day == self._day:
            return []
        self._day = day
        return [self._paint(self._rule(f"{day:%A} {day.day} {day:%B %Y}"), "dim")]

    def _rule(self, text: str) -> str:
        room = min(self._width, 100) - 1
        text = console.cut(text, room - 4)
        side = max((room - len(text) - 2) // 2, 1)
        return f"{'─' * side} {text} {'─' * side}"

    def _wrap(self, text: str) -> list[str]:
        room = max(self._width - 1 - _INDENT, 20)
        if not text.isascii():
            # Wide characters take two cells; half the room is always enough for them.
            from rich.cells import cell_len

            if cell_len(text) > room and cell_len(text) > len(text):
                room //= 2
        return textwrap.wrap(text, room, break_on_hyphens=False) or [""]

    def _paint(self, text: str, *styles: str) -> str:
        return console.paint(text, *styles) if self._color and styles and text else text
