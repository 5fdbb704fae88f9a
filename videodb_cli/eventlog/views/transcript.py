"""Formats final transcripts by stream, as paragraphs or as subtitles."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from videodb_cli.model.event import Event

# A new paragraph begins after a pause of this length, and when a paragraph is this long.
_PAUSE_S = 2.5
_LONG = 700
# A smaller time counts from the beginning of its stream.
_ABSOLUTE = 1e9
_YEAR_9999 = 253_370_764_800
_SECONDS_A_WORD = 0.4
_CUE_WIDTH = 48


class Said(NamedTuple):
    """One final transcript, or one visual event. Times are in seconds."""

    start: float
    end: float
    stream: str
    text: str
    is_visual: bool = False


def said_of(event: Event) -> Said | None:
    """Return the words of a final transcript or a visual event; None for other events and those without words."""
    channel = ev.channel_of(event)
    is_visual = channel == "visual_index"
    if not is_visual and (channel != "transcript" or not ev.is_final(event)):
        return None
    text = clean(ev.text_of(event) or "")
    if not text:
        return None
    start, end = _sane(ev.start_of(event)), _sane(ev.end_of(event))
    length = max(1.0, len(text.split()) * _SECONDS_A_WORD)
    if start is None:
        received = _sane(ev.received_at(event)) or 0.0
        start = max((received if end is None else end) - length, 0.0)
    if end is None or end < start:
        end = start + length
    return Said(start, end, clean(ev.stream_label(event)) or "?", text, is_visual)


def _sane(at: float | None) -> float | None:
    """Return the time if a calendar can show it, else None; services have sent others."""
    return at if at is not None and 0 <= at < _YEAR_9999 else None


def clean(text: str) -> str:
    """Return one line without control characters; joiners of scripts and emoji stay."""
    folded = " ".join(text.split())
    return folded if folded.isprintable() else "".join(c for c in folded if c.isprintable() or c in "\u200c\u200d")


def in_order(said: Iterable[Said]) -> list[Said]:
    """Return the entries by time. One that came live and was recovered as well is there once."""
    seen: set[tuple[float, str, str]] = set()
    ordered: list[Said] = []
    for one in sorted(said, key=lambda s: (s.start, s.end)):
        key = (round(one.start, 1), one.stream, one.text)
        if key not in seen:
            seen.add(key)
            ordered.append(one)
    return ordered


def paragraphs(said: Sequence[Said]) -> list[Said]:
    """Join what a stream says without a long pause into paragraphs, ordered by their beginning."""
    done: list[Said] = []
    open_ones: dict[str, Said] = {}
    for one in said:
        if one.is_visual:
            done.append(one)
            continue
        before = open_ones.get(one.stream)
        if before is not None and one.start - before.end <= _PAUSE_S and len(before.text) < _LONG:
            open_ones[one.stream] = before._replace(end=max(before.end, one.end), text=f"{before.text} {one.text}")
            continue
        if before is not None:
            done.append(before)
        open_ones[one.stream] = one
    return sorted([*done, *open_ones.values()], key=lambda s: (s.start, s.end))


def as_text(said: Sequence[Said], wrap: Callable[[str, int], list[str]]) -> str:
    """Return paragraphs as text, each under its time and stream.

    ``wrap`` returns the lines of a text before which so many cells are taken.
    """
    blocks = []
    for one in paragraphs(said):
        what = f"{one.stream} (screen)" if one.is_visual else one.stream
        lines = "".join(f"\n  {line}" for line in wrap(one.text, 2))
        blocks.append(f"{clock(one.start)}  {what}{lines}")
    return "\n\n".join(blocks) + "\n" if blocks else ""


def as_markdown(said: Sequence[Said]) -> str:
    """Return paragraphs as Markdown; text from the screen is quoted."""
    if not said:
        return ""
    first = said[0].start
    day = datetime.fromtimestamp(first).strftime("%Y-%m-%d") if first >= _ABSOLUTE else ""  # noqa: DTZ006 - local time
    blocks = [f"# Transcript {day}".rstrip()]
    for one in paragraphs(said):
        head = f"**{_escape_markdown(one.stream)}** · {clock(one.start)}"
        body = _escape_markdown(one.text)
        blocks.append(f"> {head}\n>\n> {body}" if one.is_visual else f"{head}\n\n{body}")
    return "\n\n".join(blocks) + "\n"


def as_subtitles(said: Sequence[Said], kind: str) -> str:
    """Return SRT or WebVTT. Time zero is the first beginning; times from a stream's beginning stay as they are."""
    zero = min((one.start for one in said if one.start >= _ABSOLUTE), default=0.0)
    said = sorted((_since(one, zero) for one in said), key=lambda s: s.start)
    speakers = {one.stream for one in said}
    blocks = ["WEBVTT"] if kind == "vtt" else []
    mark = "." if kind == "vtt" else ","
    for number, one in enumerate(said, 1):
        times = f"{_cue_time(one.start, mark)} --> {_cue_time(max(one.end, one.start + 0.1), mark)}"
        blocks.append(f"{number}\n{times}\n{_cue_text(one, kind, named=len(speakers) > 1)}")
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _since(one: Said, zero: float) -> Said:
    return one._replace(start=one.start - zero, end=one.end - zero) if one.start >= _ABSOLUTE else one


def _cue_text(one: Said, kind: str, *, named: bool) -> str:
    text = f"[{one.text}]" if one.is_visual else one.text
    if kind == "vtt":
        text = textwrap.fill(text, _CUE_WIDTH).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        voice = one.stream.replace("&", "").replace("<", "").replace(">", "")
        return f"<v {voice}>{text}" if named else text
    return textwrap.fill(f"{one.stream}: {text}" if named else text, _CUE_WIDTH).replace("-->", "→")


def _cue_time(seconds: float, mark: str) -> str:
    ms = max(0, round(seconds * 1000))
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{mark}{ms % 1000:03d}"


def clock(seconds: float) -> str:
    """Return the local time of day, or the time since a stream's beginning."""
    if seconds >= _ABSOLUTE:
        return datetime.fromtimestamp(seconds).strftime("%H:%M:%S")  # noqa: DTZ006 - local time is meant
    return _cue_time(seconds, ".")[:8]


def _escape_markdown(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#|" else c for c in text)


def as_json(said: Sequence[Said]) -> dict[str, Any]:
    """Return paragraphs as JSON, with times in Unix seconds."""
    return {
        "paragraphs": [
            {"stream": one.stream, "start": one.start, "end": one.end, "text": one.text, "visual": one.is_visual}
            for one in paragraphs(said)
        ]
    }
