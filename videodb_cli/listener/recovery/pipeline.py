"""One pipeline that may have spoken while nobody heard: what to ask for, what is new, and for how long. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from videodb_cli.listener.recovery.heard import Heard
from videodb_cli.listener.recovery.records import Record
from videodb_cli.listener.recovery.seen import Trace

OVERLAP_S = 120.0
# A stream that was quiet for longer than this before the gap is asked from here on, not from its last word.
_QUIET_S = 600.0
# Streams and sessions that were heard of so long before a gap may have spoken in it.
_SEEN_S = 86400.0
# How long before a gap the log is read, so that everything a span can bring back is recognised.
HEARD_BEFORE_S = OVERLAP_S + _QUIET_S + 180.0


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nothing could be heard, or not over this connection. Unix seconds by our clock.

    ``is_fresh``: the new connection has only just been opened, so nothing can have been made for it. ``lost_at``: when
    the last thing was heard, if the gap begins with an older one that is not mended yet. ``is_vague``: by a clock that
    was wrong, so that times before the gap cannot be compared with those after it.
    """

    started: float
    ended: float
    old_id: str | None
    new_id: str
    is_fresh: bool = True
    lost_at: float | None = None
    is_vague: bool = False

    def after_step(self, step_s: float) -> Gap:
        """Return the gap by a clock that was set since.

        Its beginning is never moved forward: it may be of an earlier boot, whose clock was right.
        """
        back = min(step_s, 0.0)
        lost_at = None if self.lost_at is None else self.lost_at + back
        return replace(self, started=self.started + back, ended=self.ended + step_s, lost_at=lost_at)

    def seen_since(self, window_s: float) -> float:
        """Return from when on the log is looked through for what may have spoken.

        Counted from the last word, not from now: after a gap that is longer than the window nothing of the log would
        be young enough, and nothing would be asked for what is.
        """
        return (self.started if self.lost_at is None else self.lost_at) - max(window_s, _SEEN_S)

    def asked_since(self, window_s: float) -> float:
        """Return from when on records are asked for."""
        return max(self.started, self.ended - window_s)


@dataclass(frozen=True, slots=True)
class Limits:
    """Nothing is asked for that is older: ``window_s`` before the gap's end, or what `--clear` has removed.

    ``overlap_s``: so much that is known is asked for again, because records appear late and clocks differ.
    """

    window_s: float
    floor: float | None = None
    overlap_s: float = OVERLAP_S


def first_moment(gap: Gap, limits: Limits, trace: Trace | None, ahead_s: float) -> float:
    """Return from when on a pipeline is asked, by the service's clock, which is ``ahead_s`` ahead of ours.

    Spans follow the service's own times: what a stream's last event said of itself, compared with its receipt, tells
    its clock better than anything else.
    """
    if trace is not None and trace.end is not None and trace.ahead_s is not None:
        ahead_s = trace.ahead_s
        moment = max(trace.end, gap.started + ahead_s - _QUIET_S)
    else:
        moment = gap.started + ahead_s
    moment = max(moment - limits.overlap_s, gap.ended + ahead_s - limits.window_s)
    return moment if limits.floor is None else max(moment, limits.floor + ahead_s)


@dataclass(slots=True)
class Pipeline:
    """The transcription of a stream, or one scene index of it. Monotonic seconds, but for ``since`` and records."""

    stream: str
    channel: str
    spelling: str
    index_id: str | None
    since: float
    born: float
    dead: bool = True
    # It was there before the new connection was: nothing of it can come live.
    certainly_dead: bool = False
    over: bool = False
    asked: bool = False
    overlap_s: float = OVERLAP_S
    last_new: float = 0.0
    newest: float = 0.0
    _first_met: dict[Record, float] = field(default_factory=dict)
    # What was the newest record, and when: old enough, nothing that late is to be expected before it any more.
    _newest_at: deque[tuple[float, float]] = field(default_factory=deque)

    @property
    def name(self) -> str:
        """How troubles call it."""
        return f"{self.channel} of {self.stream}"

    def is_settled(self, now: float, settle_s: float) -> bool:
        """Whether it was asked and has brought nothing new for so long."""
        return self.asked and now - max(self.last_new, self.born) >= settle_s

    def is_done(self, now: float, settle_s: float) -> bool:
        """Whether nothing more is to be expected of it: it speaks to us again or is over, and has settled."""
        return (self.over or not self.dead) and self.is_settled(now, settle_s) and not self.is_holding

    def take_new(self, records: Iterable[Record], heard: Heard, now: float, hold_s: float) -> list[Record]:
        """Return the records that the log does not hold, in order of their start, each once.

        A record that may just be on its way as a live event is returned only when it has been known for ``hold_s``.
        """
        self.asked = True
        met: dict[Record, float] = {}
        new: list[Record] = []
        for record in sorted(set(records), key=lambda record: (record.start, record.end)):
            self.newest = max(self.newest, record.end)
            if record.end < self.since or heard.has(self.stream, self.channel, record.text, record.start, record.end):
                continue
            first_met = self._first_met.get(record, now)
            if now - first_met < hold_s:
                met[record] = first_met
                continue
            heard.add(self.stream, self.channel, record.text, record.start, record.end)
            new.append(record)
        self._first_met = met
        if new:
            self.last_new = now
        return new

    @property
    def is_holding(self) -> bool:
        """Whether records wait for their time."""
        return bool(self._first_met)

    def advance(self, now: float, settle_s: float) -> None:
        """Ask for less once late records are no longer to be expected: what was the newest then is settled now."""
        if not self._newest_at or self._newest_at[-1][1] < self.newest:
            self._newest_at.append((now, self.newest))
        while self._newest_at and now - self._newest_at[0][0] >= settle_s:
            self.since = max(self.since, self._newest_at.popleft()[1] - self.overlap_s)


def next_pause_s(poll_s: float, quiet_passes: int, pass_took_s: float) -> float:
    """Return the seconds until the next pass: longer while nothing comes, and when calls are slow."""
    return max(poll_s * min(6.0, 1.5 ** max(0, quiet_passes - 6)), 4 * pass_took_s)


def failed_pause_s(poll_s: float, failures: int) -> float:
    """Return the seconds until a call is made again that has failed so often before."""
    return poll_s * min(12.0, 2.0 ** min(failures, 8))
