"""The listener's loop: attempt after attempt, deciding what to forgive, and every message into the log.

One task reads the socket and stamps; the log's own thread writes. Nothing here waits for the disk while a socket is
open, but for the publication of a new id.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from videodb_cli.api.failures import KeyRefusedError
from videodb_cli.errors import RefusedError, UnreachableError, VideodbError
from videodb_cli.eventlog.record import Event
from videodb_cli.eventlog.stamps import iso_from_ms
from videodb_cli.eventlog.store import LogBack, LogStore, LogTrouble
from videodb_cli.listener.backoff import Backoff
from videodb_cli.listener.connection import (
    AttemptFailedError,
    Connection,
    Ended,
    Timing,
    connection_id_in,
    open_connection,
)
from videodb_cli.listener.ledger import Ledger
from videodb_cli.listener.presence import Presence
from videodb_cli.listener.updates import (
    Connected,
    IdReplaced,
    LogUnwritable,
    LogWritable,
    Lost,
    Retrying,
    Statement,
    Update,
)

_MAX_PENDING_BYTES = 64 << 20
_STOP_TIMEOUT_S = 3.0
_LATER_ID_BYTES = 600
_MAX_UNSHOWN = 1000


@dataclass(frozen=True, slots=True)
class Policy:
    """How one run behaves. ``max_retries`` None never gives up; times are seconds."""

    clear: bool = False
    max_retries: int | None = None
    healthy_after_s: float = 30.0
    final_refusal_after_s: float = 600.0
    heartbeat_s: float = 5.0
    log_warning_s: float = 60.0
    timing: Timing = field(default_factory=Timing)


class Listener:
    """Hears one account's events into one directory until stopped. Its caller holds the directory's lock.

    ``fresh_url`` asks the control plane; ``on_update`` gets what happens; ``on_line`` every line as it is logged.
    """

    def __init__(
        self,
        *,
        fresh_url: Callable[[], Awaitable[str]],
        host: str,
        store: LogStore,
        presence: Presence,
        policy: Policy,
        on_update: Callable[[Update], None],
        on_line: Callable[[bytes, Event | None], None] | None = None,
        backoff: Backoff | None = None,
    ) -> None:
        self._fresh_url = fresh_url
        self._host = host
        self._store = store
        self._presence = presence
        self._policy = policy
        self._on_update = on_update
        self._on_line = on_line
        self._backoff = backoff or Backoff()
        self._ledger = Ledger(time.time())
        self._stop = asyncio.Event()
        self._connection: Connection | None = None
        self._log_is_open = False
        self._has_stood = False
        self._unshown: list[tuple[bytes, Event | None]] = []
        self._opening: asyncio.Future[None] | None = None
        self._previous_id: str | None = None
        self._gave_up_for_log = False
        self._background: set[asyncio.Task[None]] = set()
        self._lost_at: float | None = None
        self._lost_reason = ""
        self._refused_since: float | None = None
        self._unhealthy = True
        self._files = asyncio.Lock()
        self._last_failure: str | None = None
        self._retry_at: float | None = None
        self._warned_at: float | None = None
        self.output_dropped: Callable[[], int] = lambda: 0

    # ---- life cycle ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask for a graceful end. Idempotent; to be called from the event loop's thread."""
        self._stop.set()

    def log_trouble(self, trouble: LogTrouble | LogBack) -> None:
        """Take word of the log's state; to be called from the event loop's thread."""
        if isinstance(trouble, LogBack):
            if self._warned_at is not None:
                self._on_update(LogWritable(trouble.seconds))
            self._warned_at = None
            return
        now = time.monotonic()
        if self._warned_at is None or now - self._warned_at >= self._policy.log_warning_s:
            self._warned_at = now
            self._on_update(LogUnwritable(trouble.reason, self._store.pending_bytes))

    async def run(self) -> Statement:
        """Listen until `stop`. Returns the loss statement.

        Raises CredentialsError for a key that is finally refused, UnreachableError after the last retry, RefusedError
        for a log that cannot be opened. The log is closed and the files are removed in any case.
        """
        await asyncio.to_thread(self._presence.claim)
        heartbeat = asyncio.create_task(self._beat(), name="heartbeat")
        try:
            if not self._policy.clear:
                await self._open_log()
            await self._attempt_until_stopped()
        finally:
            heartbeat.cancel()
            statement = await self._finish()
        return statement

    async def _attempt_until_stopped(self) -> None:
        attempts = asyncio.create_task(self._attempts(), name="attempts")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({attempts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not attempts.done():
                if self._connection is None:
                    attempts.cancel()
                else:
                    # The reader goes on until the close is answered: what the service sent before that is ours.
                    await self._connection.close()
                await asyncio.wait({attempts}, timeout=_STOP_TIMEOUT_S)
                attempts.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await attempts
        finally:
            stopping.cancel()
            attempts.cancel()

    async def _finish(self) -> Statement:
        now = time.time()
        self._ledger.disconnected(now)
        if self._opening is not None:
            with contextlib.suppress(VideodbError):
                await self._opening
                self._log_is_open = True
        if not self._log_is_open and self._store.pending_bytes:
            # No connection ever stood, so nothing is cleared; but what came before an id is kept.
            with contextlib.suppress(VideodbError):
                await asyncio.to_thread(self._store.open)
                self._log_is_open = True
        statement = self._ledger.statement(now)
        if self._log_is_open:
            self._own("listener.stopped", _statement_text(statement), asdict(statement))
        unwritten = await asyncio.to_thread(self._store.close)
        await asyncio.to_thread(self._presence.release)
        if unwritten:
            raise RefusedError(f"{unwritten} bytes of events could not be written to the log", code="log")
        return statement

    # ---- attempts ------------------------------------------------------------------------------------------------

    async def _attempts(self) -> None:
        while True:
            retry_after_s = None
            was_lost = False
            try:
                connection = await self._connect()
            except KeyRefusedError as error:
                self._decide_refusal(error)
                reason = str(error)
            except (AttemptFailedError, VideodbError) as error:
                self._refused_since = None
                reason = str(error)
                retry_after_s = getattr(error, "retry_after_s", None)
            else:
                self._refused_since = None
                ended = await self._listen_on(connection)
                if self._stop.is_set():
                    return
                reason = ended.detail
                was_lost = True
            await self._wait_before_retry(reason, retry_after_s, was_lost=was_lost)

    def _decide_refusal(self, error: KeyRefusedError) -> None:
        """Raise a refusal if it is final: before any connection has stood, or after ten minutes of nothing else."""
        now = time.monotonic()
        if self._refused_since is None:
            self._refused_since = now
        if not self._has_stood or now - self._refused_since >= self._policy.final_refusal_after_s:
            raise error

    async def _wait_before_retry(self, reason: str, retry_after_s: float | None, *, was_lost: bool) -> None:
        delay_s = self._backoff.next_delay_s(retry_after_s)
        limit = self._policy.max_retries
        if limit is not None and self._backoff.failures > limit:
            tries = "without a retry" if limit == 0 else "after 1 retry" if limit == 1 else f"after {limit} retries"
            raise UnreachableError(f"gave up {tries}: {reason}", code="gave_up", hint="videodb doctor")
        self._last_failure = reason
        self._retry_at = time.time() + delay_s
        self._on_update(Retrying(None if was_lost else reason, delay_s))
        await self._write_state()
        await asyncio.sleep(delay_s)
        # What waits for the disk must go first, or the next connection fills the memory at once.
        while self._log_is_open and self._store.pending_bytes > _MAX_PENDING_BYTES // 2:  # noqa: ASYNC110 - the writer is a thread
            await asyncio.sleep(0.2)

    async def _connect(self) -> Connection:
        url = await self._fresh_url()
        connection = await open_connection(url, self._policy.timing)
        try:
            await connection.wait_for_id(self._hear)
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _listen_on(self, connection: Connection) -> Ended:
        self._connection = connection
        self._unhealthy = True
        healthy = asyncio.get_running_loop().call_later(self._policy.healthy_after_s, self._prove_healthy)
        try:
            await self._announce(connection)
            ended = await connection.hear(self._hear)
        finally:
            healthy.cancel()
            self._connection = None
            if not self._stop.is_set():
                connection.abort()
            await self._withdraw()
        if not self._stop.is_set():
            self._note_loss(connection, ended)
        return ended

    def _prove_healthy(self) -> None:
        self._unhealthy = False
        self._backoff.forgive()

    # ---- connections come and go ---------------------------------------------------------------------------------

    async def _announce(self, connection: Connection) -> None:
        """Write down that a connection stands, publish its id, and only then say so."""
        if not self._log_is_open:
            await self._open_log()
        now = time.time()
        self._has_stood = True
        self._retry_at = self._last_failure = None
        self._ledger.connected(now)
        previous = self._previous_id
        details: dict[str, Any] = {"connection_id": connection.connection_id, "host": self._host}
        if connection.extra:
            details["frame"] = connection.extra
        self._own("listener.connected", f"connected as {connection.connection_id}", details)
        self._show_unshown()
        gap_s = self._close_gap(connection.connection_id, previous, now)
        self._previous_id = connection.connection_id
        await self._publish(connection.connection_id)
        self._on_update(Connected(connection.connection_id, gap_s))

    def _close_gap(self, connection_id: str, previous: str | None, now: float) -> float | None:
        if self._lost_at is None:
            return None
        seconds = round(max(now - self._lost_at, 0.0), 3)
        self._ledger.gap(seconds)
        self._own(
            "listener.gap",
            f"nothing could be heard for {seconds:g} s",
            {
                "from": iso_from_ms(int(self._lost_at * 1000)),
                "to": iso_from_ms(int(now * 1000)),
                "seconds": seconds,
                "reason": self._lost_reason,
                "old_connection_id": previous,
                "new_connection_id": connection_id,
            },
        )
        return seconds

    def _note_loss(self, connection: Connection, ended: Ended) -> None:
        self._ledger.disconnected(time.time())
        self._lost_at = ended.alive_at
        self._lost_reason = "log_not_writable" if self._gave_up_for_log else ended.reason
        details: dict[str, Any] = {
            "connection_id": connection.connection_id,
            "reason": self._lost_reason,
            "close_code": ended.close_code,
            "last_message_at": _iso(connection.last_message_at),
        }
        if ended.size is not None:
            details["size"] = ended.size
        detail = "the log cannot be written" if self._gave_up_for_log else ended.detail
        self._gave_up_for_log = False
        self._own("listener.disconnected", f"lost the connection: {detail}", details)
        self._on_update(Lost(detail, connection.last_message_at))

    async def _replace_id(self, connection_id: str) -> None:
        self._previous_id = connection_id
        await self._publish(connection_id)
        self._on_update(IdReplaced(connection_id))

    # ---- messages ------------------------------------------------------------------------------------------------

    def _hear(self, raw: bytes) -> None:
        """Take one message: stamp it, queue it for the log, show it."""
        connection = self._connection
        if connection is not None:
            if len(raw) < _LATER_ID_BYTES and b"onnection_" in raw and self._is_later_id(connection, raw):
                return
            if self._unhealthy:
                self._prove_healthy()
        line, event = self._store.receive(raw)
        ledger = self._ledger
        if event is None:
            ledger.unparsable += 1
        else:
            ledger.live += 1
        if self._on_line is not None:
            self._show(line, event)
        if self._store.pending_bytes > _MAX_PENDING_BYTES:
            if connection is None:
                raise AttemptFailedError("too much came before the connection id")
            self._gave_up_for_log = True
            connection.abort()

    def _is_later_id(self, connection: Connection, raw: bytes) -> bool:
        found = connection_id_in(raw, alone=True)
        if found is None:
            return False
        connection_id = found[0]
        if connection_id != connection.connection_id:
            connection.connection_id = connection_id
            text = f"the service replaced the connection id: {connection_id}"
            self._own("listener.connected", text, {"connection_id": connection_id, "host": self._host})
            task = asyncio.create_task(self._replace_id(connection_id))
            self._background.add(task)
            task.add_done_callback(self._background.discard)
        return True

    def _own(self, event: str, text: str, data: dict[str, Any]) -> None:
        line = self._store.record(event, text, data)
        if self._on_line is not None:
            self._show(line, None)

    def _show(self, line: bytes, event: Event | None) -> None:
        """Show a line; the first that is shown is that of the first connection, whatever came before it."""
        if self._on_line is None:
            return
        if self._has_stood:
            self._on_line(line, event)
        elif len(self._unshown) < _MAX_UNSHOWN:
            self._unshown.append((line, event))

    def _show_unshown(self) -> None:
        unshown, self._unshown = self._unshown, []
        for line, event in unshown:
            self._show(line, event)

    # ---- files ---------------------------------------------------------------------------------------------------

    async def _open_log(self) -> None:
        # A thread cannot be cancelled: whoever ends us while it opens the log waits for it, and opens nothing twice.
        if self._opening is None:
            clear = self._policy.clear
            self._opening = asyncio.ensure_future(asyncio.to_thread(lambda: self._store.open(clear=clear)))
        await asyncio.shield(self._opening)
        self._log_is_open = True

    async def _publish(self, connection_id: str) -> None:
        await self._touch_files(lambda: self._presence.publish_id(connection_id))
        await self._write_state()

    async def _withdraw(self) -> None:
        await self._touch_files(self._presence.withdraw_id)

    async def _write_state(self) -> None:
        fields = self._state()
        await self._touch_files(lambda: self._presence.write_state(fields))

    async def _touch_files(self, action: Callable[[], None]) -> None:
        """Change a file beside the log. A full disk must not end the listening: it is told as the log's trouble."""
        async with self._files:
            try:
                await asyncio.to_thread(action)
            except OSError as error:
                self.log_trouble(LogTrouble(error.strerror or str(error)))
            except RefusedError as error:
                # Somebody has put a link or a file of his own in the place of ours since we began.
                self.log_trouble(LogTrouble(str(error)))

    async def _beat(self) -> None:
        while True:
            await self._write_state()
            await asyncio.sleep(self._policy.heartbeat_s)

    def _state(self) -> dict[str, Any]:
        now = time.time()
        connection = self._connection
        ledger = self._ledger
        return {
            "state": "connected" if connection is not None else "connecting",
            "written_at": now,
            "started_at": ledger.started_at,
            "host": self._host,
            "connection_id": connection.connection_id if connection is not None else None,
            "connected_since": ledger.connected_since,
            "last_message_at": connection.last_message_at if connection is not None else None,
            "last_pong_at": connection.last_pong_at if connection is not None else None,
            "ping_interval_s": self._policy.timing.ping_interval_s,
            "ping_timeout_s": self._policy.timing.ping_timeout_s,
            "events": ledger.live,
            "unparsable": ledger.unparsable,
            "recovered": ledger.recovered,
            "reconnects": ledger.reconnects,
            "gaps": ledger.gaps,
            "gap_s": round(ledger.gap_s, 3),
            "events_per_s": round(ledger.rate(now), 3),
            "log_bytes": self._store.size,
            "pending_bytes": self._store.pending_bytes,
            "log_writable": not self._store.is_troubled,
            "output_dropped": self.output_dropped(),
            "retry_at": self._retry_at,
            "last_failure": self._last_failure,
        }


def _iso(unix_s: float | None) -> str | None:
    return None if unix_s is None else iso_from_ms(int(unix_s * 1000))


def _statement_text(statement: Statement) -> str:
    gaps = (
        f"{statement.gaps} gaps of {statement.gap_s:g} s" if statement.gaps != 1 else f"1 gap of {statement.gap_s:g} s"
    )
    return (
        f"stopped after {statement.connected_s:.0f} s connected: {statement.live} events, {gaps}, "
        f"{statement.recovered} recovered, {statement.unparsable} unparsable, {statement.dropped} dropped"
    )
