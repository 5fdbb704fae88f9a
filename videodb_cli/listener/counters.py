"""What a run of the listener has heard and lost so far: the numbers behind `status` and the statement at the end."""

from __future__ import annotations

from collections import deque

from videodb_cli.listener.updates import Statement

_RATE_WINDOW_S = 60.0


class Counters:
    """Counts of one run. Times are uptime seconds (`process.clock`)."""

    def __init__(self, started_at: float) -> None:
        self.started_at = started_at
        self.live = 0
        self.unparsable = 0
        self.recovered = 0
        self.dropped = 0
        # Messages that the log held already: over another socket, or read back.
        self.doubles = 0
        self.gaps = 0
        self.gap_s = 0.0
        self.reconnects = 0
        self.connected_since: float | None = None
        self.last_event_at: float | None = None
        self._connected_s = 0.0
        self._samples: deque[tuple[float, int]] = deque()

    def connected(self, now: float) -> None:
        """A connection stands."""
        if self._connected_s > 0 or self.connected_since is not None:
            self.reconnects += 1
        self.connected_since = now

    def disconnected(self, now: float) -> None:
        """It is gone. Idempotent."""
        if self.connected_since is not None:
            self._connected_s += max(now - self.connected_since, 1e-6)
            self.connected_since = None

    def gap(self, seconds: float) -> None:
        """A time without a connection is over."""
        self.gaps += 1
        self.gap_s += seconds

    def rate(self, now: float) -> float:
        """Return events a second over the last minute, from samples taken at each call."""
        heard = self.live + self.unparsable
        self._samples.append((now, heard))
        while len(self._samples) > 1 and self._samples[0][0] < now - _RATE_WINDOW_S:
            self._samples.popleft()
        then, before = self._samples[0]
        return (heard - before) / (now - then) if now > then else 0.0

    def statement(self, now: float) -> Statement:
        """Return the loss statement as of now."""
        running = now - self.connected_since if self.connected_since is not None else 0.0
        return Statement(
            connected_s=round(self._connected_s + max(running, 0.0), 3),
            live=self.live,
            recovered=self.recovered,
            unparsable=self.unparsable,
            gaps=self.gaps,
            gap_s=round(self.gap_s, 3),
            dropped=self.dropped,
            doubles=self.doubles,
        )
