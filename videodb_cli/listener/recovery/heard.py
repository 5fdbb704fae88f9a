"""What the log holds already, so that nothing is written twice. Pure.

Live events carry integer milliseconds, records float seconds, often cut differently: two are the same if stream,
channel and normalised text agree and ``start`` and ``end`` differ by less than a second each.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from videodb_cli.model import event as ev
from videodb_cli.model.event import Event

_TOLERANCE_S = 1.0
_RECORDED = frozenset(("transcript", "visual_index", "audio_index"))
_Key = tuple[str, str, str]


def normalised(text: str) -> str:
    """Return a text as it is compared: one Unicode form, single spaces, no case."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def is_same_span(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Tell whether two things of the same words are one, by their start and end."""
    return abs(one[0] - other[0]) < _TOLERANCE_S and abs(one[1] - other[1]) < _TOLERANCE_S


@dataclass(frozen=True, slots=True)
class Spoken:
    """One thing that was said or seen, as it is compared: stream, channel and text; Unix seconds by the service."""

    key: _Key
    start: float
    end: float


def spoken_in(event: Event) -> Spoken | None:
    """Return what an event says of a stream; None for one that no record is made of: an alert cannot come back.

    Interim transcripts do not count: their final is not a double of them.
    """
    stream = event.get("rtstream_id")
    channel = ev.channel_of(event)
    if not isinstance(stream, str) or channel not in _RECORDED or ev.is_interim(event):
        return None
    data = ev.data_of(event)
    text, start, end = data.get("text"), ev.seconds(data.get("start")), ev.seconds(data.get("end"))
    if not isinstance(text, str) or start is None:
        return None
    return Spoken((stream, channel, normalised(text)), start, start if end is None else end)


class Heard:
    """Spoken and seen things of the log: stream, channel, text, start and end (Unix seconds by the service)."""

    def __init__(self) -> None:
        self._spans: dict[_Key, list[tuple[float, float]]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._spans.values()))

    def add_event(self, event: Event) -> tuple[str, str] | None:
        """Take note of an event of the log; returns its stream and channel if it is one that records are made of."""
        stream = event.get("rtstream_id")
        channel = ev.channel_of(event)
        if not isinstance(stream, str) or channel is None or ev.is_own(event):
            return None
        spoken = spoken_in(event)
        if spoken is not None:
            self._add(spoken.key, (spoken.start, spoken.end))
        return stream, channel

    def add(self, stream: str, channel: str, text: str, start: float, end: float) -> None:
        """Take note of one thing."""
        self._add((stream, channel, normalised(text)), (start, end))

    def _add(self, key: _Key, span: tuple[float, float]) -> None:
        spans = self._spans.setdefault(key, [])
        if span not in spans:
            spans.append(span)

    def add_all(self, other: Heard) -> None:
        """Take everything that another one knows."""
        for key, spans in other._spans.items():
            mine = self._spans.setdefault(key, [])
            mine += [span for span in spans if span not in mine]

    def has(self, stream: str, channel: str, text: str, start: float, end: float) -> bool:
        """Tell whether the log holds it already."""
        spans = self._spans.get((stream, channel, normalised(text)), ())
        return any(is_same_span((start, end), known) for known in spans)

    def forget(self, is_old: Callable[[str, str, float], bool]) -> None:
        """Forget what ended so long ago that nobody asks for it again: ``is_old(stream, channel, end)``."""
        for key, spans in list(self._spans.items()):
            kept = [span for span in spans if not is_old(key[0], key[1], span[1])]
            if kept:
                self._spans[key] = kept
            else:
                del self._spans[key]
