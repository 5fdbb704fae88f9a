"""What others see of a running listener: its id file and its state file, kept true while it runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import RefusedError
from videodb_cli.listener.presence import Presence

if TYPE_CHECKING:
    from videodb_cli.listener.supervisor import Listener


_PATIENCE_S = 5.0
_FIRST_BEATS_S = (0.5, 0.5, 1.0, 1.0, 1.0, 1.0)


class Publication:
    """Writes the files one after another, in threads. ``state`` is asked for the fields each time.

    A full disk must not end the listening: it is told to ``on_trouble``, as the log's trouble is.
    """

    def __init__(
        self, presence: Presence, state: Callable[[], dict[str, Any]], on_trouble: Callable[[str], None]
    ) -> None:
        self._presence = presence
        self._state = state
        self._on_trouble = on_trouble
        self._lock = asyncio.Lock()
        # The id of the open connection, as long as its file could not be written.
        self._unpublished: str | None = None

    async def claim(self) -> None:
        """Say that we run here. Raises RefusedError or OSError."""
        await asyncio.to_thread(self._presence.claim)

    async def publish(self, connection_id: str) -> None:
        """Make the id of the open connection known, and the state with it."""
        await self._publish(connection_id)
        await self.write_state()

    async def _publish(self, connection_id: str) -> None:
        self._unpublished = connection_id
        if await self._touch(lambda: self._presence.publish_id(connection_id)) and self._unpublished == connection_id:
            self._unpublished = None

    async def withdraw(self) -> None:
        """No connection is open."""
        self._unpublished = None
        # Neither the next connection nor a stop waits longer for a stuck disk. What is under way stays in order.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await self._touch(self._presence.withdraw_id)

    async def write_state(self) -> None:
        """Replace the state file."""
        fields = self._state()

        def write() -> None:
            reason = self._presence.write_state(fields)
            if reason is not None:
                raise OSError(0, reason)

        if await self._touch(write) and self._unpublished is not None:
            # There is room again.
            await self._publish(self._unpublished)

    async def beat(self, every_s: float) -> None:
        """Replace the state file for ever; more often at first, when somebody looks whether it works."""
        for soon_s in _FIRST_BEATS_S:
            await self.write_state()
            await asyncio.sleep(min(soon_s, every_s))
        while True:
            await self.write_state()
            await asyncio.sleep(every_s)

    async def release(self) -> None:
        """Remove the files. What a stuck disk keeps is known as stale by the lock that nobody holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await asyncio.to_thread(self._presence.release)

    async def _touch(self, action: Callable[[], None]) -> bool:
        async with self._lock:
            try:
                await asyncio.to_thread(action)
            except OSError as error:
                self._on_trouble(error.strerror or str(error))
            except RefusedError as error:
                # Somebody has put a link or a file of his own in the place of ours since we began.
                self._on_trouble(str(error))
            else:
                return True
            return False


def listener_fields(listener: Listener, host: str) -> dict[str, Any]:
    """Return the fields of the state file. Times are Unix seconds by the wall clock as it is now (`process.clock`)."""
    clock = listener.clock
    clock.look()
    now, told = clock.uptime(), clock.unix_or_none
    connection, counters, store = listener.connection, listener.counters, listener.store
    timing = listener.policy.timing
    retry_at, last_failure = listener.retrying
    dead = listener.recoverer.dead_pipelines() if listener.recoverer is not None else []
    return {
        "state": "connected" if connection is not None else "connecting",
        "written_at": clock.unix(now),
        **clock.marks(),
        "started_at": told(counters.started_at),
        "host": host,
        "connection_id": connection.connection_id if connection is not None else None,
        "connected_since": told(counters.connected_since),
        "last_message_at": told(listener.last_message_at),
        "last_pong_at": told(connection.last_pong_at) if connection is not None else None,
        "last_bytes_at": told(connection.last_bytes_at) if connection is not None else None,
        "ping_interval_s": timing.ping_interval_s,
        "ping_timeout_s": timing.ping_timeout_s,
        "events": counters.live,
        "unparsable": counters.unparsable,
        "recovered": counters.recovered,
        "doubles": counters.doubles,
        "reconnects": counters.reconnects,
        "gaps": counters.gaps,
        "gap_s": round(counters.gap_s, 3),
        "events_per_s": round(counters.rate(now), 3),
        "dead_pipelines": dead,
        "log_bytes": store.size,
        "pending_bytes": store.pending_bytes,
        "log_writable": not store.is_troubled,
        "trouble": store.trouble,
        "output_dropped": listener.output_dropped(),
        "retry_at": told(retry_at),
        "last_failure": last_failure,
    }
