"""Comparing events and records: what the log holds, and which index made a live event. Pure.

Live events carry integer milliseconds, records float seconds, and their spans are often cut differently. Two of them
are the same if stream, channel and normalised text agree, and ``start`` and ``end`` differ by less than a second each.
"""

from __future__ import annotations

import unicodedata
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from videodb_cli.listener.recovery.pipeline import Pipeline, State
from videodb_cli.listener.recovery.records import Record, record_of
from videodb_cli.model import event as ev
from videodb_cli.model.event import Event

TOLERANCE_S = 1.0
_MAX_UNATTRIBUTED = 1000
_RECORDED = frozenset(("transcript", "visual_index", "audio_index"))
_Key = tuple[str, str, str]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What identifies an event or record: stream, channel and normalised text, and its span (Unix seconds)."""

    key: _Key
    span: Span


def normalised(text: str) -> str:
    """Return a text in the form in which texts are compared: one Unicode form, single spaces, no case."""
    return " ".join(unicodedata.normalize("NFKC", text).split()).casefold()


def event_fingerprint(event: Event) -> Fingerprint | None:
    """Return the fingerprint of an event; None if no record can repeat it: alerts and interim transcripts."""
    stream = ev.stream_id_of(event)
    channel = ev.channel_of(event)
    if stream is None or channel not in _RECORDED or ev.is_interim(event):
        return None
    text, start, end = ev.text_of(event), ev.start_of(event), ev.end_of(event)
    if text is None or start is None:
        return None
    return Fingerprint((stream, channel, normalised(text)), (start, start if end is None else end))


def record_fingerprint(pipeline: Pipeline, record: Record) -> Fingerprint:
    """Return the fingerprint of a record of a pipeline."""
    return Fingerprint((pipeline.stream, pipeline.channel, normalised(record.text)), (record.start, record.end))


def is_same_span(one: Span, other: Span) -> bool:
    """Tell whether two things of the same words are one, by their start and end."""
    return abs(one[0] - other[0]) < TOLERANCE_S and abs(one[1] - other[1]) < TOLERANCE_S


class KnownRecords:
    """The fingerprints of what the log holds, live or recovered, so that nothing is written twice."""

    def __init__(self) -> None:
        self._spans: dict[_Key, list[Span]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._spans.values()))

    def __contains__(self, fingerprint: Fingerprint) -> bool:
        return any(is_same_span(fingerprint.span, known) for known in self._spans.get(fingerprint.key, ()))

    def add(self, fingerprint: Fingerprint | None) -> None:
        """Add a fingerprint; None is ignored."""
        if fingerprint is not None:
            spans = self._spans.setdefault(fingerprint.key, [])
            if fingerprint.span not in spans:
                spans.append(fingerprint.span)

    def add_all(self, other: KnownRecords) -> None:
        """Add everything that ``other`` holds."""
        for key, spans in other._spans.items():
            mine = self._spans.setdefault(key, [])
            mine += [span for span in spans if span not in mine]

    def drop_before(self, horizon: Callable[[str, str], float]) -> None:
        """Drop what ended before the horizon of its stream and channel, because no query returns it any more."""
        horizons = {of: horizon(*of) - 2 * TOLERANCE_S for of in {key[:2] for key in self._spans}}
        for key, spans in list(self._spans.items()):
            self._spans[key] = [span for span in spans if span[1] >= horizons[key[:2]]]
            if not self._spans[key]:
                del self._spans[key]

    def clear(self) -> None:
        """Drop everything."""
        self._spans.clear()


# ---- evidence ----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class UnattributedEvent:
    """A live event that does not name its index.

    Attributes:
        at: When it arrived (uptime seconds).
        wall: The same moment in Unix seconds.
        held_by: The indexes whose records contain it.
    """

    stream: str
    channel: str
    fingerprint: Fingerprint | None
    connection_id: str
    at: float
    wall: float
    held_by: set[str | None] = field(default_factory=set)


class LiveEvidence:
    """Live events that do not name their index, kept until it is certain which index made each of them.

    An event proves nothing after its connection is closed, nor while more than one index may have made it.
    """

    def __init__(self) -> None:
        self._events: deque[UnattributedEvent] = deque(maxlen=_MAX_UNATTRIBUTED)

    def __len__(self) -> int:
        return len(self._events)

    def add(self, event: UnattributedEvent) -> None:
        """Keep an event. If there are too many, the oldest one is dropped and proves nothing."""
        self._events.append(event)

    def of(self, pipeline: Pipeline) -> list[UnattributedEvent]:
        """Return the events that a pipeline may have made."""
        return [e for e in self._events if (e.stream, e.channel) == (pipeline.stream, pipeline.channel)]

    def on_connection_closed(self, connection_id: str) -> None:
        """Drop the events that arrived over this connection."""
        kept = (event for event in self._events if event.connection_id != connection_id)
        self._events = deque(kept, maxlen=_MAX_UNATTRIBUTED)

    def on_clock_set(self, step_s: float) -> None:
        """Our clock was set by so many seconds: tell every moment by the clock as it is now."""
        for event in self._events:
            event.wall += step_s

    def clear(self) -> None:
        """Drop everything."""
        self._events.clear()

    def attribute(self, candidates: Callable[[UnattributedEvent], list[Pipeline] | None]) -> None:
        """Report each event to its pipeline, if that is certain by now.

        ``candidates`` returns the pipelines of an event's stream and channel; None if they were not listed since.
        """
        undecided = []
        for event in self._events:
            pipelines = candidates(event)
            if pipelines is not None and len(pipelines) > 1:
                if not _is_comparable(event, pipelines):
                    continue
                # Two indexes may describe the same moment alike, and the record of one of them may appear late.
                if any(p.asked_at < event.at + p.policy.settle_s for p in pipelines):
                    pipelines = None
                else:
                    pipelines = [pipeline for pipeline in pipelines if pipeline.index_id in event.held_by]
            if pipelines is None:
                undecided.append(event)
            elif len(pipelines) == 1:
                pipelines[0].on_live_event(event.connection_id, event.at, event.wall)
        self._events = deque(undecided, maxlen=_MAX_UNATTRIBUTED)


def _is_comparable(event: UnattributedEvent, pipelines: list[Pipeline]) -> bool:
    """Tell whether the records of these pipelines can show which of them made an event."""
    if event.fingerprint is None or all(pipeline.state is State.LIVE for pipeline in pipelines):
        return False
    start = event.fingerprint.span[0] - TOLERANCE_S
    return all(pipeline.since <= start for pipeline in pipelines)


# ---- answers -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """An answer, compared with the log: the records that it lacks, the latest end, and the live events it contains."""

    unknown: list[Record]
    newest: float
    matched: list[UnattributedEvent]


def compare(
    pipeline: Pipeline, items: list[Any], until: float, known: KnownRecords, events: list[UnattributedEvent]
) -> Comparison:
    """Compare the records of a pipeline with the log, and with live events that the pipeline may have made.

    Runs in a thread, while the event loop only adds to ``known``. A record that lies after ``until``, the end of the
    query, must not move the next query there.
    """
    records = {record for record in map(record_of, items) if record is not None}
    unseen, answered = KnownRecords(), KnownRecords()
    unknown = []
    for record in sorted(records, key=lambda record: (record.start, record.end)):
        fingerprint = record_fingerprint(pipeline, record)
        answered.add(fingerprint)
        if record.end >= pipeline.since and fingerprint not in known and fingerprint not in unseen:
            unseen.add(fingerprint)
            unknown.append(record)
    newest = max((min(record.end, until) for record in records), default=0.0)
    matched = [event for event in events if event.fingerprint is not None and event.fingerprint in answered]
    return Comparison(unknown, newest, matched)
