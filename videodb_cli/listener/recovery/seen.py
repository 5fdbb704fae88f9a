"""Which streams, sessions and pipelines the log knows: what there is to look at after a gap. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import orjson

from videodb_cli.model import event as ev
from videodb_cli.model.event import OWN_CHANNEL, Event
from videodb_cli.model.lifecycle import status_of
from videodb_cli.model.rtstreams import read_streams

# A service that makes up a new stream for every event must not eat the memory.
_MAX_STREAMS = 4096
_MAX_SESSIONS = 1024
_BELIEVABLE_S = 366 * 86400.0


@dataclass(frozen=True, slots=True)
class Trace:
    """The last event of one channel of one stream. Unix seconds; ``end`` is by the service's clock."""

    stream: str
    channel: str
    spelling: str
    name: str | None
    received_at: float | None
    end: float | None

    @property
    def ahead_s(self) -> float | None:
        """By how much the service's clock is ahead of ours, as this event says; None if it does not.

        Two clocks that are years apart say that one of them had not been set yet, and is right by now.
        """
        if self.end is None or self.end < 1e9 or self.received_at is None:
            return None
        ahead_s = self.end - self.received_at
        return ahead_s if abs(ahead_s) < _BELIEVABLE_S else None


class Seen:
    """Keeps the last line of each channel of each stream, and of each capture session. `note` is on the hot path.

    ``corrected`` returns a stamp by the clock as it is now, which may have been set since.
    """

    def __init__(self, corrected: Callable[[float], float] = lambda stamp: stamp) -> None:
        self._corrected = corrected
        self._streams: dict[tuple[str, str], bytes] = {}
        self._sessions: dict[str, bytes] = {}
        self._members: dict[str, dict[str, str | None]] = {}

    def note(self, event: Event, line: bytes) -> None:
        """Take note of one event of the log and its line."""
        get = event.get
        stream = get("rtstream_id")
        if type(stream) is str:
            channel = get("channel")
            if type(channel) is str:
                self._streams[channel, stream] = line
                if len(self._streams) > _MAX_STREAMS:
                    del self._streams[next(iter(self._streams))]
        elif type(get("capture_session_id")) is str:
            self._note_session(event, line)

    def note_older(self, event: Event, line: bytes) -> None:
        """Take note of an event that is older than all that are known so far."""
        stream, channel, session = event.get("rtstream_id"), event.get("channel"), event.get("capture_session_id")
        if channel == OWN_CHANNEL:
            return
        if isinstance(stream, str) and isinstance(channel, str):
            if len(self._streams) < _MAX_STREAMS:
                self._streams.setdefault((channel, stream), line)
        elif isinstance(session, str):
            if session not in self._sessions:
                self._note_session(event, line)
            else:
                self._note_members(session, event)

    def add_older(self, older: Seen) -> None:
        """Take what a scan of the log has found, where nothing newer is known."""
        for key, line in older._streams.items():
            if len(self._streams) < _MAX_STREAMS:
                self._streams.setdefault(key, line)
        for session, line in older._sessions.items():
            self._sessions.setdefault(session, line)
        for session, members in older._members.items():
            self._members[session] = {**members, **self._members.get(session, {})}

    def _note_session(self, event: Event, line: bytes) -> None:
        session = event["capture_session_id"]
        if status_of(event) is not None:
            self._sessions.pop(session, None)
            self._sessions[session] = line
        self._note_members(session, event)
        if len(self._sessions) > _MAX_SESSIONS:
            oldest = next(iter(self._sessions))
            del self._sessions[oldest]
            self._members.pop(oldest, None)

    def _note_members(self, session: str, event: Event) -> None:
        members = read_streams(ev.data_of(event).get("rtstreams"))
        if members:
            self._members.setdefault(session, {}).update((stream.id, stream.label) for stream in members)

    # ---- what is known -------------------------------------------------------------------------------------------

    def traces(self) -> list[Trace]:
        """Return the last event of each channel of each stream, by canonical channel, the latest of two spellings."""
        found: dict[tuple[str, str], Trace] = {}
        for (spelling, stream), line in self._streams.items():
            event = _decoded(line)
            channel = ev.canonical_channel(spelling)
            name = event.get("rtstream_name")
            trace = Trace(
                stream,
                channel,
                spelling,
                name if isinstance(name, str) else None,
                self._received_at(event),
                ev.seconds(ev.data_of(event).get("end")),
            )
            known = found.get((channel, stream))
            if known is None or (known.received_at or 0.0) <= (trace.received_at or 0.0):
                found[channel, stream] = trace
        return list(found.values())

    def session_statuses(self) -> dict[str, tuple[str, float]]:
        """Return the last status of each session and when it was received (Unix seconds)."""
        found = {}
        for session, line in self._sessions.items():
            event = _decoded(line)
            status = status_of(event)
            if status is not None:
                found[session] = (status, self._received_at(event) or 0.0)
        return found

    def _received_at(self, event: Event) -> float | None:
        stamp = ev.received_at(event)
        return None if stamp is None else self._corrected(stamp)

    def members(self, session: str) -> Mapping[str, str | None]:
        """Return the streams of a session, id to name, as its `active` event gave them."""
        return self._members.get(session, {})

    def session_streams(self) -> dict[str, str]:
        """Return for each stream that belongs to a known session the session's id."""
        return {stream: session for session, streams in self._members.items() for stream in streams}


def iter_events(lines: Iterable[bytes]) -> Iterator[tuple[Event, bytes]]:
    """Decode lines of a log; what is not an object is passed over."""
    for line in lines:
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict):
            yield event, line


def _decoded(line: bytes) -> Event:
    event: Event = orjson.loads(line)
    return event
