"""What the state file says about a running listener."""

from __future__ import annotations

import os
from collections.abc import Callable

from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.clock_watch import ClockWatch
from videodb_cli.listener.connection import Timing
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.current import CurrentConnection
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.renewal import DrainingConnections
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir.listener_state import ListenerState


class StateReport:
    """Gathers the state from the parts that know them."""

    def __init__(  # noqa: PLR0913 - each part knows some of the fields
        self,
        *,
        host: str,
        timing: Timing,
        store: LogStore,
        counters: Counters,
        recoverer: Recoverer | None,
        current: CurrentConnection,
        draining: DrainingConnections,
        clock: ClockWatch,
        output_dropped: Callable[[], int],
        redacted: Callable[[], dict[str, int]] = dict,
    ) -> None:
        self._host = host
        self._timing = timing
        self._store = store
        self._counters = counters
        self._recoverer = recoverer
        self._current = current
        self._draining = draining
        self._clock = clock
        self._output_dropped = output_dropped
        self._redacted = redacted

    def state(self) -> ListenerState:
        """Return the state. Times are Unix seconds by the wall clock as it is now (`process.clock`)."""
        clock = self._clock.look()
        now, told = clock.uptime(), clock.unix_or_none
        connection, counters, store = self._current.connection, self._counters, self._store
        return ListenerState(
            pid=os.getpid(),
            start_token=current_start_token(),
            state="connected" if connection is not None else "connecting",
            written_at=clock.unix(now),
            **clock.marks(),
            started_at=told(counters.started_at),
            host=self._host,
            connection_id=connection.connection_id if connection is not None else None,
            connected_since=told(counters.connected_since),
            last_message_at=told(self._current.last_message_at(self._draining.last_message_at)),
            last_pong_at=told(connection.last_pong_at) if connection is not None else None,
            last_bytes_at=told(connection.last_bytes_at) if connection is not None else None,
            ping_interval_s=self._timing.ping_interval_s,
            ping_timeout_s=self._timing.ping_timeout_s,
            events=counters.live,
            unparsable=counters.unparsable,
            recovered=counters.recovered,
            doubles=counters.doubles,
            reconnects=counters.reconnects,
            gaps=counters.gaps,
            gap_s=round(counters.gap_s, 3),
            events_per_s=round(counters.rate(now), 3),
            dead_pipelines=self._recoverer.dead_pipelines() if self._recoverer is not None else [],
            log_bytes=store.size,
            pending_bytes=store.pending_bytes,
            log_writable=not store.is_troubled,
            trouble=store.trouble,
            output_dropped=self._output_dropped(),
            redacted=self._redacted(),
            retry_at=told(self._current.retry_at),
            last_failure=self._current.last_failure,
        )
