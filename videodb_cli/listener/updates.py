"""What the listener tells while it runs: small frozen facts. Whoever shows them finds the words."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection stands and its id is published. ``gap_s`` is None for the first one of a run."""

    connection_id: str
    gap_s: float | None = None


@dataclass(frozen=True, slots=True)
class IdReplaced:
    """The service gave the open connection another id."""

    connection_id: str


@dataclass(frozen=True, slots=True)
class Renewed:
    """A younger connection took over before the old one grew too old; the old one is read until it ends."""

    connection_id: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The log goes on after an earlier run: nothing was heard since ``since`` (Unix seconds).

    ``at_least``: for longer than ``gap_s``, because the clock was set in between.
    """

    since: float
    gap_s: float
    at_least: bool = False


@dataclass(frozen=True, slots=True)
class ClockWasSet:
    """Somebody has set the wall clock, by so many seconds."""

    step_s: float


@dataclass(frozen=True, slots=True)
class Recovered:
    """A gap has been gone through: how many events came back, how many calls failed, what is polled from now on.

    ``unknown``: how much of what was heard of the service does not know any more.
    """

    events: int
    failed_calls: int
    unknown: int
    polled: int


@dataclass(frozen=True, slots=True)
class CouldNot:
    """Something could not be read back or bound for now; it is tried again."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The connection ended. ``last_event_at`` is in Unix seconds."""

    detail: str
    last_event_at: float | None


@dataclass(frozen=True, slots=True)
class Retrying:
    """The next attempt begins in ``delay_s`` seconds. ``reason`` is why the last one failed; None after a `Lost`."""

    reason: str | None
    delay_s: float


@dataclass(frozen=True, slots=True)
class LogUnwritable:
    """The log cannot be written; ``waiting_bytes`` wait in memory."""

    reason: str
    waiting_bytes: int


@dataclass(frozen=True, slots=True)
class LogWritable:
    """The log can be written again, after ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Unconfirmed:
    """At the end the disk was too slow to be waited for: the system goes on bringing the last lines to it."""


@dataclass(frozen=True, slots=True)
class Stopping:
    """It was asked to end; or it has come to a ``bound``, which says which one."""

    bound: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What one run of the listener heard and lost. Seconds and counts.

    ``doubles``: messages that the log held already, which came over a second socket or after they had been read back.
    """

    connected_s: float
    live: int
    recovered: int
    unparsable: int
    gaps: int
    gap_s: float
    dropped: int
    doubles: int = 0


ListenerUpdate = (
    Connected
    | IdReplaced
    | Renewed
    | Resumed
    | ClockWasSet
    | Recovered
    | Statement
    | CouldNot
    | Lost
    | Retrying
    | LogUnwritable
    | LogWritable
    | Unconfirmed
    | Stopping
)
