"""The listener: connect, receive, renew, recover.

`run` opens the log and makes attempts until it is stopped. An attempt connects (`connect`), receives (`intake`) until
the connection ends, and renews it before it grows too old (`renewal`). Then `gaps` notes the loss, and `retries` says
when the next attempt begins. With the connection after that, `gaps` writes down the gap and lets `recovery` read back
what was lost in it. `assembly` puts a listener together.

One task waits for each socket, whose messages go straight to the intake; the log's own thread writes. Nothing here
waits for the disk while a socket is open, but for the publication of a new id.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time

from videodb_cli.errors import RefusedError, VideodbError
from videodb_cli.listener.connection import AttemptFailedError
from videodb_cli.listener.intake import MAX_PENDING_BYTES
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.parts import ListenerParts
from videodb_cli.listener.receiver import Receiver
from videodb_cli.listener.tasks import BackgroundTasks
from videodb_cli.listener.updates import (
    Retrying,
    Statement,
    Stopping,
    Unconfirmed,
)

_STOP_TIMEOUT_S = 3.0
_BOUND_LOOK_S = 0.1
_log = logging.getLogger(__name__)


class Listener:
    """Hears one account's events into one directory until stopped. Its caller holds the directory's lock."""

    def __init__(self, parts: ListenerParts) -> None:
        self._parts = parts
        self._receiver = Receiver(parts)
        self._background = BackgroundTasks()
        self._bound: str | None = None

    @property
    def journal(self) -> Journal:
        """What writes our own lines into the log."""
        return self._parts.journal

    # ---- life cycle ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask for a graceful end. Idempotent; to be called from the event loop's thread."""
        self._parts.stopping.set()

    async def run(self) -> Statement:
        """Listen until `stop`. Returns the loss statement.

        Raises CredentialsError for a key that is finally refused, UnreachableError after the last retry, RefusedError
        for a log that cannot be opened. The log is closed and the files are removed in any case.
        """
        parts = self._parts
        failed = False
        await parts.files.claim()
        telling = asyncio.create_task(self._tell_troubles(), name="log troubles")
        heartbeat = asyncio.create_task(parts.files.beat(parts.policy.heartbeat_s), name="heartbeat")
        try:
            if not parts.policy.clear:
                await parts.log.open()
                await parts.gaps.look_at_last_run()
            if parts.recoverer is not None:
                parts.recoverer.start()
            await self._attempt_until_stopped()
        except VideodbError:
            failed = True
            raise
        finally:
            heartbeat.cancel()
            try:
                statement = await self._finish()
            finally:
                telling.cancel()
            if failed and parts.retries.has_stood:
                # Nobody is given the statement then; what was heard and lost is said all the same.
                parts.on_update(statement)
        return statement

    async def _attempt_until_stopped(self) -> None:
        parts = self._parts
        attempts = asyncio.create_task(self._attempts(), name="attempts")
        stopping = asyncio.create_task(parts.stopping.wait(), name="stop")
        bounds = asyncio.create_task(self._stop_at_bound(), name="bounds")
        try:
            await asyncio.wait({attempts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not attempts.done():
                parts.on_update(Stopping(self._bound))
                if parts.current.connection is None:
                    attempts.cancel()
                else:
                    # The readers go on until the close is answered: what the service sent before that is ours.
                    await asyncio.gather(parts.current.connection.close(), parts.draining.close())
                await asyncio.wait({attempts}, timeout=_STOP_TIMEOUT_S)
                attempts.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await attempts
        finally:
            bounds.cancel()
            stopping.cancel()
            attempts.cancel()
            await parts.draining.close()

    async def _stop_at_bound(self) -> None:
        """Stop the run when it has lasted so long, or logged so much, as its policy says."""
        policy, store = self._parts.policy, self._parts.store
        ends_at = None if policy.max_seconds is None else time.monotonic() + policy.max_seconds
        if ends_at is None and policy.max_bytes is None:
            return
        while True:
            left_s = _BOUND_LOOK_S if ends_at is None else ends_at - time.monotonic()
            if left_s <= 0:
                self._bound = f"--max-seconds {policy.max_seconds:g} is over"
                break
            if policy.max_bytes is not None and store.received_bytes >= policy.max_bytes:
                self._bound = f"--max-bytes {policy.max_bytes} is reached"
                break
            await asyncio.sleep(min(left_s, _BOUND_LOOK_S))
        self.stop()

    async def _finish(self) -> Statement:
        parts = self._parts
        if parts.recoverer is not None:
            await parts.recoverer.stop()
        now = parts.clock.look().uptime()
        parts.counters.disconnected(now)
        await parts.log.open_for_the_rest()
        statement = parts.counters.statement(now)
        if parts.log.is_open:
            parts.journal.stopped(statement, self._bound)
        unwritten = await parts.log.close()
        await parts.files.release()
        if unwritten:
            raise RefusedError(f"{unwritten} bytes of events could not be written to the log", code="log")
        if not parts.store.is_confirmed:
            parts.on_update(Unconfirmed())
        return statement

    async def _tell_troubles(self) -> None:
        while True:
            if self._parts.teller.take(await self._parts.troubles.get()):
                # `status` is to know at once, without waiting for the next heartbeat.
                self._background.start(self._parts.files.write_state())

    # ---- connect -------------------------------------------------------------------------------------------------

    async def _attempts(self) -> None:
        parts = self._parts
        while True:
            try:
                connection = await parts.connector.connect()
            except (AttemptFailedError, VideodbError) as error:
                parts.retries.judge(error)
                await self._wait(str(error), getattr(error, "retry_after_s", None), was_lost=False)
                continue
            parts.retries.connected()
            ended = await self._receiver.receive(connection)
            if parts.stopping.is_set():
                return
            await self._wait(ended.detail, None, was_lost=True)

    async def _wait(self, reason: str, retry_after_s: float | None, *, was_lost: bool) -> None:
        parts = self._parts
        delay_s = parts.retries.next_delay_s(reason, retry_after_s)
        _log.debug("retry: the next attempt in %.3f s, after: %s", delay_s, reason)
        parts.current.waits(reason, parts.clock.clock.uptime() + delay_s)
        parts.on_update(Retrying(None if was_lost else reason, delay_s))
        # Not waited for: a stuck disk must not make the gap longer.
        self._background.start(parts.files.write_state())
        if parts.came_back is None:
            await asyncio.sleep(delay_s)
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(parts.came_back(), delay_s)
        # What waits for the disk must go first, or the next connection fills the memory at once.
        while parts.log.is_open and parts.store.pending_bytes > MAX_PENDING_BYTES // 2:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.2)
