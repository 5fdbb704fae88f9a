"""What the log says: the streams and sessions to ask about, and the known records."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import orjson

from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.read.blocks import iter_blocks, iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.log_files import log_sources
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.listener.recovery.evidence import KnownRecords, event_fingerprint
from videodb_cli.listener.recovery.gap import LastEvent
from videodb_cli.model import event as ev
from videodb_cli.model import own_lines
from videodb_cli.model.event import Event
from videodb_cli.model.lifecycle import status_of
from videodb_cli.model.rtstreams import read_streams
from videodb_cli.rundir.paths import RunDir

# A service that invents a new stream for every event must not fill the memory.
_MAX_STREAMS = 4096
_MAX_SESSIONS = 1024
_SCAN_BLOCK = 64 << 10
# So many recovered events may still arrive live.
MAX_PENDING = 10_000


class StreamHistory:
    """Keeps the last line of each channel of each stream, and of each capture session. `note` is on the hot path.

    ``corrected`` returns a stamp of the log by our clock as it is now, which may have been set since.
    """

    def __init__(self, corrected: Callable[[float], float] = lambda stamp: stamp) -> None:
        self._corrected = corrected
        self._streams: dict[tuple[str, str], bytes] = {}
        self._sessions: dict[str, bytes] = {}
        self._members: dict[str, dict[str, str | None]] = {}
        # When lines of earlier runs were received, by our clock as it is now, which those runs may have seen set.
        self._older: dict[tuple[str, str] | str, tuple[bytes, float]] = {}
        # The lines in `_streams`, decoded.
        self._decoded: dict[tuple[str, str], tuple[bytes, LastEvent]] = {}

    def note(self, event: Event, line: bytes) -> None:
        """Take an event that was just written, and its line."""
        get = event.get
        stream, channel = get("rtstream_id"), get("channel")
        if type(stream) is str and type(channel) is str:
            self._note_stream(channel, stream, line)
        else:
            self._note_other_shapes(event, line)

    def _note_other_shapes(self, event: Event, line: bytes) -> None:
        """Take an event of a session, or one that names its stream or its channel in another way."""
        stream, channel = ev.stream_id_of(event), ev.channel_of(event)
        if stream is not None and channel is not None:
            self._note_stream(channel, stream, line)
        elif (session := ev.session_of(event)) is not None:
            self._note_session(session, event, line)

    def _note_stream(self, channel: str, stream: str, line: bytes) -> None:
        self._streams[channel, stream] = line
        if len(self._streams) > _MAX_STREAMS:
            del self._streams[next(iter(self._streams))]

    def note_older(self, event: Event, line: bytes, received_at: float) -> None:
        """Take an event that is older than all others so far; ``received_at`` is by our clock as it is now."""
        if ev.is_own(event):
            return
        spelling = event.get("channel")
        channel = spelling if isinstance(spelling, str) else ev.channel_of(event)
        stream, session = ev.stream_id_of(event), ev.session_of(event)
        if stream is not None and channel is not None:
            if len(self._streams) < _MAX_STREAMS and (channel, stream) not in self._streams:
                self._streams[channel, stream] = line
                self._older[channel, stream] = line, received_at
        elif session is not None:
            if session not in self._sessions:
                self._note_session(session, event, line)
                self._older[session] = line, received_at
            else:
                self._note_members(session, event)

    def add_older(self, older: StreamHistory) -> None:
        """Take everything from an older history that is not known here."""
        self._older = {**older._older, **self._older}
        for key, line in older._streams.items():
            if len(self._streams) < _MAX_STREAMS:
                self._streams.setdefault(key, line)
        for session, line in older._sessions.items():
            self._sessions.setdefault(session, line)
        for session, members in older._members.items():
            self._members[session] = {**members, **self._members.get(session, {})}

    def _note_session(self, session: str, event: Event, line: bytes) -> None:
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

    def last_events(self) -> dict[tuple[str, str], LastEvent]:
        """Return the last event of each stream and canonical channel. Of two spellings, the later event counts."""
        found: dict[tuple[str, str], LastEvent] = {}
        for key, line in self._streams.items():
            cached = self._decoded.get(key)
            if cached is None or cached[0] is not line:
                event = _decode(line)
                cached = self._decoded[key] = (line, _last_event(*key, event, self._received_at(key, event, line)))
            last = cached[1]
            known = found.get((last.stream, last.channel))
            if known is None or (known.received_at or 0.0) <= (last.received_at or 0.0):
                found[last.stream, last.channel] = last
        if len(self._decoded) > len(self._streams):
            self._decoded = {key: cached for key, cached in self._decoded.items() if key in self._streams}
        return found

    def session_statuses(self) -> dict[str, tuple[str, float]]:
        """Return the last status of each session, and when it was received (Unix seconds)."""
        found = {}
        for session, line in self._sessions.items():
            event = _decode(line)
            status = status_of(event)
            if status is not None:
                found[session] = (status, self._received_at(session, event, line) or 0.0)
        return found

    def on_clock_set(self, step_s: float) -> None:
        """Our clock was set by so many seconds: tell every stamp by the clock as it is now."""
        self._decoded.clear()
        self._older = {key: (line, at + step_s) for key, (line, at) in self._older.items()}

    def _received_at(self, key: tuple[str, str] | str, event: Event, line: bytes) -> float | None:
        older = self._older.get(key)
        if older is not None and older[0] is line:
            return older[1]
        stamp = ev.received_at(event)
        return None if stamp is None else self._corrected(stamp)

    def members(self, session: str) -> Mapping[str, str | None]:
        """Return the streams of a session, id to name, as its `active` event listed them."""
        return self._members.get(session, {})

    def session_streams(self) -> dict[str, str]:
        """Return the session of each stream that belongs to a known one."""
        return {stream: session for session, streams in self._members.items() for stream in streams}


def _last_event(spelling: str, stream: str, event: Event, received_at: float | None) -> LastEvent:
    end = ev.end_of(event)
    return LastEvent(
        stream,
        ev.canonical_channel(spelling),
        spelling,
        ev.stream_name_of(event),
        received_at,
        end if end is not None and end >= 1e9 else None,
        ev.is_recovered(event),
    )


# ---- the log -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LogContent:
    """The result of a scan. ``recovered``: what may still arrive live, oldest first, and when it was written."""

    history: StreamHistory = field(default_factory=StreamHistory)
    known: KnownRecords = field(default_factory=KnownRecords)
    recovered: list[tuple[Event, float]] = field(default_factory=list)


def scan(run_dir: RunDir, *, seen_since: float, known_since: float) -> LogContent:
    """Read the log and its rotated files, from the end back to these times of receipt (Unix seconds).

    This may take seconds for a large log: call it in a thread. Stamps from before a line that says that our clock was
    set are told by the clock as it was after it.
    """
    content = LogContent()
    for event, line, received in _newest_first(run_dir, min(seen_since, known_since)):
        if received >= seen_since:
            content.history.note_older(event, line, received)
        if received >= known_since and not ev.is_own(event):
            content.known.add(event_fingerprint(event))
            if ev.is_recovered(event) and len(content.recovered) < MAX_PENDING:
                content.recovered.append((event, received))
    content.recovered.reverse()
    return content


def _newest_first(run_dir: RunDir, oldest: float) -> Iterator[tuple[Event, bytes, float]]:
    set_by_s = 0.0
    for source in reversed(log_sources(run_dir)):
        for lines in blocks_backwards(source):
            received: float | None = None
            for event, line in iter_events(reversed(lines)):
                stamp = ev.received_at(event)
                if stamp is not None:
                    received = stamp + set_by_s
                    set_by_s += clock_step_of(event)
                    yield event, line, received
            if received is not None and received < oldest:
                return
            # The receiver runs in the same process: the scan must give way to it.
            time.sleep(0.0005)


def clock_step_of(event: Event) -> float:
    """Return by how many seconds our clock was set, as a line of ours says; 0 for any other line."""
    step_s = ev.data_of(event).get("step_s") if ev.is_own(event) and event.get("event") == own_lines.CLOCK else 0.0
    return float(step_s) if isinstance(step_s, int | float) else 0.0


def blocks_backwards(source: LogSource) -> Iterator[list[bytes]]:
    """Yield the lines of a log block by block, from its end. A log that disappears meanwhile ends the iteration."""
    try:
        if source.is_seekable:
            for block in iter_blocks_backwards(source, size=_SCAN_BLOCK):
                yield block.data.splitlines()
        else:
            # A compressed file can only be read from its beginning. It was rotated, so it is as large as one log.
            for block in reversed(list(iter_blocks(source, broken=BrokenLines()))):
                yield block.data.splitlines()
    except VideodbError:
        return


def iter_events(lines: Iterable[bytes]) -> Iterator[tuple[Event, bytes]]:
    """Decode lines of a log. A line that is not an object is skipped."""
    for line in lines:
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            continue
        if isinstance(event, dict):
            yield event, line


def _decode(line: bytes) -> Event:
    event: Event = orjson.loads(line)
    return event
