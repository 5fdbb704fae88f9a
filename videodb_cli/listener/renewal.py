"""Make before break: the next connection is opened before the service closes the old one, which is read to its end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from videodb_cli.errors import VideodbError
from videodb_cli.listener.backoff import Backoff
from videodb_cli.listener.connection import AttemptFailedError, Connection, Ended
from videodb_cli.listener.gaps import GapTracker
from videodb_cli.listener.intake import ConnectionHandler, CrossSocketDuplicates, Intake
from videodb_cli.process.clock import uptime_s

_log = logging.getLogger(__name__)
_NEVER_S = 1e9
_STOP_TIMEOUT_S = 3.0
_LAST_DUPLICATE_S = 5.0


async def next_connection(
    connection: Connection,
    max_age_s: float | None,
    connect: Callable[[], Awaitable[Connection]],
    on_begin: Callable[[], None],
) -> Connection:
    """Wait until ``connection`` is old, and return the next one. What fails is tried again: the old one still works.

    ``on_begin`` is called before the first attempt: from then on two sockets may be open.
    """
    if max_age_s is None:
        await asyncio.sleep(_NEVER_S)
    # Slept in pieces: a laptop that was closed for an hour has an older connection than its event loop thinks.
    while (left := connection.opened_at + (max_age_s or 0.0) - uptime_s()) > 0:  # noqa: ASYNC110 - a clock
        await asyncio.sleep(min(left, 30.0))
    _log.debug("renewal: %s is %.0f s old", connection.connection_id, uptime_s() - connection.opened_at)
    on_begin()
    backoff = Backoff()
    while True:
        try:
            return await connect()
        except (AttemptFailedError, VideodbError) as error:
            delay_s = backoff.next_delay_s(getattr(error, "retry_after_s", None))
            _log.debug("renewal: the next attempt in %.3f s, after: %s", delay_s, error)
            await asyncio.sleep(delay_s)


class DrainingConnections:
    """Connections that a younger one has taken over from. None of them is closed by us while it works."""

    def __init__(self, intake: Intake, gaps: GapTracker) -> None:
        self._intake = intake
        self._gaps = gaps
        self._open: dict[asyncio.Task[None], Connection] = {}
        self._closing = False

    @property
    def last_message_at(self) -> float | None:
        """Uptime seconds of the last message that one of them brought."""
        return max((at for c in self._open.values() if (at := c.last_message_at) is not None), default=None)

    def expect_two(self) -> None:
        """From now on the same message may come over two sockets."""
        if self._intake.duplicates is None:
            self._intake.duplicates = CrossSocketDuplicates()

    def expect_one(self) -> None:
        """No longer, unless one of them is still open. What is on its way gets a moment."""
        asyncio.get_running_loop().call_later(_LAST_DUPLICATE_S, self._forget_duplicates)

    def _forget_duplicates(self) -> None:
        if not self._open:
            self._intake.duplicates = None

    def add(
        self, connection: Connection, hearing: asyncio.Task[Ended], handler: ConnectionHandler, younger: Connection
    ) -> None:
        """Go on with a connection that is heard by ``hearing`` until it ends."""
        task = asyncio.create_task(self._follow(connection, hearing, handler, younger), name="draining")
        self._open[task] = connection
        task.add_done_callback(self._forget)

    async def close(self) -> None:
        """Close them all in an orderly way, at the end of the run. Idempotent."""
        self._closing = True
        await asyncio.gather(*(connection.close() for connection in self._open.values()))
        tasks = set(self._open)
        if tasks:
            await asyncio.wait(tasks, timeout=_STOP_TIMEOUT_S)
        for task in tasks:
            task.cancel()

    async def _follow(
        self, connection: Connection, hearing: asyncio.Task[Ended], handler: ConnectionHandler, younger: Connection
    ) -> None:
        try:
            ended = await hearing
        finally:
            hearing.cancel()
            connection.abort()
        _log.debug("draining: %s ended: %s, close code %s", connection.connection_id, ended.reason, ended.close_code)
        if not self._closing:
            self._gaps.note_drained(connection, ended, younger.connection_id, for_log=handler.gave_up_for_log)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._open.pop(task, None)
        self.expect_one()
