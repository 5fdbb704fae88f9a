"""Collects in bounded memory what a summary tells: counts, streams, alerts, sessions, gaps and errors."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from functools import lru_cache
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.eventlog.views.screens import ScreenTimes
from videodb_cli.eventlog.views.sentences import SentencePool
from videodb_cli.eventlog.views.transcript import clean
from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle, own_lines

if TYPE_CHECKING:
    from videodb_cli.model.event import Event

_LATEST = 20
_MOST_NAMES = 500
_MOST_SESSIONS = 500
_LONGEST_GAP_S = 1e8
_LONGEST_NAME = 80
_LONGEST = 4000  # characters of the text of one alert or error
_REST = "(others)"
_YEAR_9999 = 253_370_764_800
_TROUBLES = frozenset((own_lines.CAPTURE_FAILED, own_lines.CAPTURE_STALLED, own_lines.LOG_TORN))


class Moment(NamedTuple):
    """Something that happened once: when (Unix seconds, if known), what it is called, and its text."""

    at: float | None
    name: str
    text: str


class SessionSeen(NamedTuple):
    """What the log says about a capture session. Times are Unix seconds."""

    ident: str
    status: str | None
    first: float | None
    last: float | None
    video_id: str | None = None
    stream_url: str | None = None


class Happenings:
    """Everything that a summary tells, taken in event by event.

    Attributes:
        events: How many events there were, the listener's own lines not counted.
        first: When the first one happened, in Unix seconds; None if no time is known.
        last: When the last one happened.
    """

    def __init__(self) -> None:
        self.events = 0
        self.recovered = 0
        self.first: float | None = None
        self.last: float | None = None
        self.channels: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self.said = SentencePool()
        self.screens = ScreenTimes()
        self.alerts: Counter[str] = Counter()
        self.latest_alerts: deque[Moment] = deque(maxlen=_LATEST)
        self.sessions: OrderedDict[str, SessionSeen] = OrderedDict()
        self.session_count = 0
        self.gaps = 0
        self.gap_s = 0.0
        self.latest_gaps: deque[Moment] = deque(maxlen=_LATEST)
        self.errors = 0
        self.latest_errors: deque[Moment] = deque(maxlen=_LATEST)

    def add(self, event: Event) -> None:
        """Take in one event; anything that is not one is counted and has no other effect."""
        at = _sane(ev.happened_at(event))
        if ev.is_own(event):
            self._add_own(event, at)
            return
        self.events += 1
        self.recovered += ev.is_recovered(event)
        if at is not None:
            self.first = at if self.first is None else min(self.first, at)
            self.last = at if self.last is None else max(self.last, at)
        channel = ev.channel_of(event)
        _count(self.channels, _name(channel) or "(none)")
        stream = _name(ev.stream_label(event))
        if stream:
            _count(self.streams, stream)
        if channel == "transcript":
            if ev.is_final(event) and (text := ev.text_of(event)):
                self.said.add(at, stream, clean(text))
        elif channel == "visual_index":
            if at is not None and (text := ev.text_of(event)):
                self.screens.add(at, stream, clean(text[:_LONGEST]), _length_of(event))
        elif channel == "alert":
            self._add_alert(event, at)
        elif channel == lifecycle.CHANNEL:
            self._add_session(event, at)
        if isinstance(ev.data_of(event).get("error") or event.get("error"), dict):
            self._add_error(event, at)

    def _add_own(self, event: Event, at: float | None) -> None:
        name = event.get("event")
        if name == own_lines.GAP:
            seconds = min(max(ev.number(ev.data_of(event).get("seconds")) or 0.0, 0.0), _LONGEST_GAP_S)
            self.gaps += 1
            self.gap_s += seconds
            self.latest_gaps.append(Moment(at, f"{seconds:g} s", _text(event)))
        elif name in _TROUBLES:
            self._add_error(event, at)

    def _add_error(self, event: Event, at: float | None) -> None:
        self.errors += 1
        self.latest_errors.append(Moment(at, _name(ev.name_of(event) or ev.channel_of(event) or "error"), _text(event)))

    def _add_alert(self, event: Event, at: float | None) -> None:
        data = ev.data_of(event)
        members = (place.get(key) for place in (data, event) for key in ("label", "event_label"))
        label = _name(next((one for one in members if isinstance(one, str) and one), "")) or "(no label)"
        _count(self.alerts, label)
        parts = (data.get("explanation"), data.get("text"))
        texts = list(dict.fromkeys(clean(part[:_LONGEST]) for part in parts if isinstance(part, str) and part))
        self.latest_alerts.append(Moment(at, label, " · ".join(texts)[:_LONGEST]))

    def _add_session(self, event: Event, at: float | None) -> None:
        ident = _name(ev.session_of(event))
        if not ident:
            return
        known = self.sessions.pop(ident, None)
        if known is None:
            self.session_count += 1
            known = SessionSeen(ident, None, at, at)
        status = _name(lifecycle.status_of(event))
        if status and (known.status is None or lifecycle.is_later(status, known.status)):
            known = known._replace(status=status)
        data = ev.data_of(event)
        video, url = data.get("exported_video_id") or data.get("video_id"), data.get("stream_url")
        self.sessions[ident] = known._replace(
            last=at if at is not None else known.last,
            video_id=_name(video) if isinstance(video, str) else known.video_id,
            stream_url=clean(url[:_LONGEST]) if isinstance(url, str) else known.stream_url,
        )
        if len(self.sessions) > _MOST_SESSIONS:
            self.sessions.popitem(last=False)


def _count(counter: Counter[str], name: str) -> None:
    counter[name if name in counter or len(counter) < _MOST_NAMES else _REST] += 1


def _name(text: str | None) -> str:
    """Return a name from an event as one line that is short enough to be kept."""
    return _short(text[: 2 * _LONGEST_NAME]) if text else ""


@lru_cache(1024)  # few names come again and again
def _short(text: str) -> str:
    found = clean(text)
    return found if len(found) <= _LONGEST_NAME else found[: _LONGEST_NAME - 1] + "…"


def _text(event: Event) -> str:
    return clean((ev.text_of(event) or "")[:_LONGEST])


def _sane(at: float | None) -> float | None:
    """Return the time if a calendar can show it, else None; services have sent others."""
    return at if at is not None and 0 < at < _YEAR_9999 else None


def _length_of(event: Event) -> float | None:
    start, end = ev.start_of(event), ev.end_of(event)
    return end - start if start is not None and end is not None and isfinite(end - start) else None
