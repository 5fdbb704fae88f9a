"""What a part of a log holds, by name: counts and times of each kind of line, and the life of each session.

Shell completion loads this module at every press of the Tab key, so it imports almost nothing (not even dataclasses).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle
from videodb_cli.model.rtstreams import read_streams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_EXPORT = ("exported_video_id", "player_url", "stream_url")


class LineKind(NamedTuple):
    """What lines have in common that are counted together. ``channel`` is our name of it."""

    channel: str | None
    event: str | None
    session: str | None
    stream_id: str | None
    stream_name: str | None

    @classmethod
    def of(cls, event: ev.Event) -> LineKind:
        """Return the kind of an event."""
        return cls(
            ev.channel_of(event),
            ev.name_of(event),
            ev.session_of(event),
            ev.stream_id_of(event),
            ev.stream_name_of(event),
        )

    @property
    def is_life_cycle(self) -> bool:
        """Whether such lines tell of the life cycle of a session."""
        return self.session is not None and self.channel in {lifecycle.CHANNEL, None}


class Seen:
    """How many lines, and when the first and the last of them were received, in Unix seconds (None: not known)."""

    __slots__ = ("count", "first", "last")

    def __init__(self, count: int = 0, first: float | None = None, last: float | None = None) -> None:
        self.count = count
        self.first = first
        self.last = last

    def add(self, count: int, first: float | None, last: float | None) -> None:
        """Count more lines."""
        self.count += count
        self.first = min((at for at in (self.first, first) if at is not None), default=None)
        self.last = max((at for at in (self.last, last) if at is not None), default=None)


class SessionFacts:
    """What the life-cycle events of a session tell.

    Attributes:
        statuses: When each status was first told, in Unix seconds.
        streams: The label of each rtstream, by its id; empty if it has none.
        export: ``exported_video_id``, ``player_url`` and ``stream_url``, as far as they are known.
        error: Why it failed.
    """

    __slots__ = ("error", "export", "statuses", "streams")

    def __init__(
        self,
        statuses: dict[str, float] | None = None,
        streams: dict[str, str] | None = None,
        export: dict[str, str] | None = None,
        error: str | None = None,
    ) -> None:
        self.statuses = statuses or {}
        self.streams = streams or {}
        self.export = export or {}
        self.error = error

    @property
    def status(self) -> str | None:
        """The last status of its life cycle; one that is not known to us only if there is no other."""
        found: str | None = None
        unknown: str | None = None
        for status in sorted(self.statuses, key=lambda name: self.statuses[name]):
            if lifecycle.is_later(status, found):
                found = status
            elif status not in lifecycle.STATUSES:
                unknown = status
        return found or unknown

    def learn(self, event: ev.Event, at: float | None) -> None:
        """Take what a life-cycle event of the session tells."""
        status = lifecycle.status_of(event)
        if status is not None and at is not None:
            self.statuses[status] = min(at, self.statuses.get(status, at))
        data = ev.data_of(event)
        for stream in read_streams(data.get("rtstreams")):
            self.streams[stream.id] = stream.label or ""
        for name in _EXPORT:
            value = data.get(name, event.get(name))
            if isinstance(value, str) and value:
                self.export[name] = value
        if status == lifecycle.FAILED:
            self.error = ev.text_of(event)

    def merge(self, other: SessionFacts) -> None:
        """Add what a later part of the log tells."""
        for status, at in other.statuses.items():
            self.statuses[status] = min(at, self.statuses.get(status, at))
        self.streams |= other.streams
        self.export |= other.export
        self.error = other.error or self.error


class Tally:
    """Counts by kind of line, and facts by session, of a part of a log."""

    def __init__(self) -> None:
        self.kinds: dict[LineKind, Seen] = {}
        self.sessions: dict[str, SessionFacts] = {}

    def count(self, kind: LineKind, count: int, first: float | None, last: float | None) -> None:
        """Count lines of a kind."""
        seen = self.kinds.get(kind)
        if seen is None:
            seen = self.kinds[kind] = Seen()
        seen.add(count, first, last)

    def learn(self, session: str, event: ev.Event, at: float | None) -> None:
        """Take what a life-cycle event tells."""
        self.sessions.setdefault(session, SessionFacts()).learn(event, at)

    def merge(self, other: Tally) -> None:
        """Add what a later part of the log holds."""
        for kind, seen in other.kinds.items():
            self.count(kind, seen.count, seen.first, seen.last)
        for ident, facts in other.sessions.items():
            self.sessions.setdefault(ident, SessionFacts()).merge(facts)

    @property
    def is_empty(self) -> bool:
        """Whether there is no event in it; lines of the listener itself do not count."""
        return all(kind.channel == ev.OWN_CHANNEL for kind in self.kinds)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {
            "kinds": [[*kind, seen.count, seen.first, seen.last] for kind, seen in self.kinds.items()],
            "sessions": {
                ident: [facts.statuses, facts.streams, facts.export, facts.error]
                for ident, facts in self.sessions.items()
            },
        }

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Tally:
        """Read what `to_json` returned. Raises KeyError, TypeError or ValueError for anything else."""
        made = cls()
        for *kind, count, first, last in fields["kinds"]:
            if not all(name is None or isinstance(name, str) for name in kind):
                raise ValueError("a name is not a string")
            made.kinds[LineKind(*kind)] = Seen(int(count), _time(first), _time(last))
        for ident, (statuses, streams, export, error) in fields["sessions"].items():
            made.sessions[ident] = SessionFacts(
                {str(name): float(at) for name, at in statuses.items()}, _strings(streams), _strings(export), error
            )
        return made

    # ---- names ---------------------------------------------------------------------------------------------------

    def channels(self) -> dict[str, float]:
        """Return the channels, and when each was last seen (0 if that is not known)."""
        return _latest((kind.channel, seen) for kind, seen in self.kinds.items())

    def events(self) -> dict[str, float]:
        """Return the names of events, in full."""
        return _latest((kind.event, seen) for kind, seen in self.kinds.items())

    def stream_names(self) -> dict[str, float]:
        """Return the names of streams."""
        return _latest((kind.stream_name, seen) for kind, seen in self.kinds.items())

    def stream_ids(self) -> dict[str, tuple[str, float]]:
        """Return the ids of streams, with the name of each and when it was last seen."""
        found: dict[str, tuple[str, float]] = {}
        for kind, seen in self.kinds.items():
            if kind.stream_id is not None:
                name, last = found.get(kind.stream_id, ("", 0.0))
                found[kind.stream_id] = (kind.stream_name or name, max(seen.last or 0.0, last))
        return found

    def session_times(self) -> dict[str, float]:
        """Return the sessions, the newest first, and when each was last heard of.

        The newest session is the one that began last. The late export of an earlier one does not make that newer.
        """
        begun: dict[str, float] = {}
        for kind, seen in self.kinds.items():
            if kind.session is not None:
                first = seen.first or 0.0
                begun[kind.session] = min(first, begun.get(kind.session, first))
        last = _latest((kind.session, seen) for kind, seen in self.kinds.items())
        # Of sessions that began in the same instant, the one that the log has later is newer.
        oldest_first = sorted(begun, key=lambda ident: begun[ident])
        return {ident: last[ident] for ident in reversed(oldest_first)}


def _latest(named: Iterable[tuple[str | None, Seen]]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, seen in named:
        if name is not None:
            found[name] = max(seen.last or 0.0, found.get(name, 0.0))
    return found


def _strings(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _time(value: object) -> float | None:
    return None if value is None else float(value)  # type: ignore[arg-type]


def merged(parts: Iterable[Tally]) -> Tally:
    """Return what several parts hold together, the oldest part first."""
    whole = Tally()
    for part in parts:
        whole.merge(part)
    return whole


def iter_owned(tally: Tally, session: str) -> Iterator[tuple[LineKind, Seen]]:
    """Yield the kinds of lines that belong to a session: those that name it, and those of its rtstreams."""
    facts = tally.sessions.get(session)
    streams = facts.streams if facts is not None else {}
    for kind, seen in tally.kinds.items():
        if kind.session == session or kind.stream_id in streams:
            yield kind, seen
