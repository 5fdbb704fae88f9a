"""Formats events for a terminal in columns: time, kind, stream, words."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from videodb_cli import cells, console
from videodb_cli.eventlog.views.search_words import snippet
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
_STYLES = {
    "transcript": ("green",),
    "visual_index": ("cyan",),
    "audio_index": ("blue",),
    "alert": ("bold", "red"),
    "capture_session": ("magenta",),
    ev.OWN_CHANNEL: ("dim",),
}
# Our own lines that are shown as rules: from here on, or until here, something is missing.
_RULES = frozenset((own_lines.GAP, own_lines.CAPTURE_STALLED, own_lines.CAPTURE_RESUMED))
_TIME_WIDTH, _LABEL_WIDTH, _STREAM_WIDTH = 12, 10, 12
_GAP = "  "
_INDENT = _TIME_WIDTH + _LABEL_WIDTH + _STREAM_WIDTH + 3 * len(_GAP)
_LEAST_WORDS = 20  # least width for the words; with less, they are printed below the columns
_NARROW_INDENT, _NARROW_STREAM = 2, 8
_NARROWEST = 20
_LEAST_SNIPPET = 8


def clock(at: float | None) -> str:
    """Return the local time of day with milliseconds."""
    if at is None:
        return " " * _TIME_WIDTH
    try:
        return datetime.fromtimestamp(at).strftime("%H:%M:%S.%f")[:-3]  # noqa: DTZ006 - local time is meant
    except (OverflowError, ValueError, OSError):
        return "?".ljust(_TIME_WIDTH)


def stream_label(event: ev.Event) -> str:
    """Return the short name of the stream; for an event of a session, its id."""
    return ev.stream_label(event) or ev.session_of(event) or ""


def words(event: ev.Event) -> str:
    """Return the words of an event as one safe line."""
    channel = ev.channel_of(event)
    data = ev.data_of(event)
    if channel == "capture_session":
        said = " · ".join(_session_words(event, data))
    elif channel == "alert":
        said = _alert_words(data) or _alert_words(event)
    else:
        said = ev.text_of(event) or ""
    if not said:
        said = _remainder(event)
    return console.one_line(said)


def _gap_words(event: ev.Event) -> str:
    """Return the words of a gap: ``gap 1.2 s · 12:15:31 → 12:15:32``."""
    data = ev.data_of(event)
    seconds, begin, end = data.get("seconds"), ev.parse_iso(data.get("from")), ev.parse_iso(data.get("to"))
    if not isinstance(seconds, int | float) or begin is None or end is None:
        return words(event)
    return f"gap {seconds:.1f} s · {clock(begin)[:8]} → {clock(end)[:8]}"


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


def kind_of(event: ev.Event) -> tuple[str, tuple[str, ...]]:
    """Return the kind of an event in one short safe word, and the styles of that word."""
    channel = ev.channel_of(event) or ("raw" if "raw" in event or "raw_base64" in event else "event")
    return cells.cut(console.one_line(_LABELS.get(channel, channel)), _LABEL_WIDTH), _STYLES.get(channel, ())


class Rows:
    """Turns events into rows for a terminal of a given width; remembers the day of the last event.

    Time, kind and stream are in columns before the words, or above the words on a narrow terminal.
    """

    def __init__(self, width: int, *, color: bool, today: date | None = None) -> None:
        self.resize(width)
        self._color = color
        self._day = today or datetime.now().date()  # noqa: DTZ005 - local days are meant

    def resize(self, width: int) -> None:
        """Use another width from now on."""
        # The last cell stays empty, because some terminals wrap as soon as it is written.
        self._room = max(width, _NARROWEST) - 1
        self._is_narrow = self._room - _INDENT < _LEAST_WORDS
        self._indent = _NARROW_INDENT if self._is_narrow else _INDENT

    def render(self, event: Any) -> list[str]:
        """Return the rows of an event: a rule for a gap, a stall or a new day, else its columns, the words wrapped."""
        if not isinstance(event, dict):
            return cells.wrap(console.one_line(str(event)), self._room)
        rows = self._new_day(event)
        if ev.is_own(event) and event.get("event") in _RULES:
            said = _gap_words(event) if event["event"] == own_lines.GAP else words(event)
            return [*rows, *self._rule(said, "yellow")]
        dim = ("dim",) if ev.is_own(event) or ev.is_interim(event) else ()
        said = words(event) + (" (recovered)" if ev.is_recovered(event) else "")
        lines = [self._paint(line, *dim) for line in cells.wrap(said, self._room - self._indent)]
        return rows + self._below_head(event, lines)

    def one_row(self, event: ev.Event) -> str:
        """Return the event as one row, cut to the width; for interim transcripts."""
        head = self._cells(event)
        if self._is_narrow:
            _, (label, styles), (stream, dim) = head
            head = [(cells.cut(stream, _NARROW_STREAM), dim) if stream else (label, styles)]
        shown = _GAP.join(self._paint(text, *styles) for text, styles in head)
        room = self._room - sum(cells.width(text) + len(_GAP) for text, _ in head)
        return f"{shown}{_GAP}{self._paint(cells.cut(words(event), room), 'dim')}"

    def found(self, event: ev.Event, text: str, spans: list[tuple[int, int]]) -> list[str]:
        """Return the rows of an event with one line of its text, around the highlighted places."""
        shown, spans = _fitting(text, spans, self._room - self._indent)
        pieces: list[str] = []
        at = 0
        for begin, end in spans:
            if begin >= at:
                pieces += [shown[at:begin], self._paint(shown[begin:end], "bold", "yellow")]
                at = end
        return self._below_head(event, ["".join(pieces) + shown[at:]])

    def _below_head(self, event: ev.Event, lines: list[str]) -> list[str]:
        head = self._cells(event)
        if not self._is_narrow:
            shown = _GAP.join(self._paint(text, *styles) for text, styles in head)
            return [f"{shown}{_GAP}{lines[0]}", *(" " * self._indent + line for line in lines[1:])]
        rows: list[str] = []
        room = 0
        for text, styles in head:
            if not text:
                continue
            taken = cells.width(text)
            if rows and taken < room:
                rows[-1] += " " + self._paint(text, *styles)
                room -= taken + 1
            else:
                rows.append(self._paint(cells.cut(text, self._room), *styles))
                room = self._room - taken
        return rows + [" " * self._indent + line for line in lines]

    def _cells(self, event: ev.Event) -> list[tuple[str, tuple[str, ...]]]:
        """Return time, kind and stream with their styles, padded if there is room for columns."""
        label, styles = kind_of(event)
        at = clock(ev.received_at(event))
        stream = cells.cut(console.one_line(stream_label(event)), _STREAM_WIDTH)
        if self._is_narrow:
            at = at[:8].strip()
        else:
            label, stream = cells.pad(label, _LABEL_WIDTH), cells.pad(stream, _STREAM_WIDTH)
        return [(at, ("dim",)), (label, styles), (stream, ("dim",))]

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
        return self._rule(f"{day:%A} {day.day} {day:%B %Y}", "dim")

    def _rule(self, text: str, style: str) -> list[str]:
        """Return a rule as wide as the terminal with a text in it; the rest of a long text is below."""
        first, *below = cells.wrap(text, self._room - 4)
        inside = first.removesuffix(" ·")
        left = (self._room - cells.width(inside) - 2) // 2
        rule = f"{'─' * left} {inside} "
        rows = [rule + "─" * (self._room - cells.width(rule)), *(f"  {line}" for line in below)]
        return [self._paint(row, style) for row in rows]

    def _paint(self, text: str, *styles: str) -> str:
        return console.paint(text, *styles) if self._color and styles and text else text


def _fitting(text: str, spans: list[tuple[int, int]], room: int) -> tuple[str, list[tuple[int, int]]]:
    """Return a piece of a text of at most so many cells around the found words, and their places in it."""
    characters = room
    while True:
        shown, moved = snippet(text, spans, characters)
        over = cells.width(shown) - room
        if over <= 0:
            return shown, moved
        if characters <= _LEAST_SNIPPET:
            break
        characters = max(characters - (over + 1) // 2, _LEAST_SNIPPET)
    # A found word is longer than the available width.
    shown = cells.cut(shown, room)
    return shown, [(begin, min(end, len(shown))) for begin, end in moved if begin < len(shown)]
