"""The listener's loop: attempt after attempt, deciding what to forgive.

One task waits for each socket, whose messages go straight to the intake; the log's own thread writes. Nothing here
waits for the disk while a socket is open, but for the publication of a new id.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

from videodb_cli.api.failures import KeyRefusedError
from videodb_cli.errors import RefusedError, UnreachableError, VideodbError
from videodb_cli.eventlog.write.store import LogBack, LogStore, LogTrouble
from videodb_cli.eventlog.write.watchdog import WriteWatchdog
from videodb_cli.listener.backoff import CAP_S, FIRST_S, Backoff
from videodb_cli.listener.connection import AttemptFailedError, Connection, Ended, Timing, open_connection
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.gaps import GapTracker
from videodb_cli.listener.intake import MAX_PENDING_BYTES, ConnectionHandler, Intake, LineGate
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.presence import Presence
from videodb_cli.listener.publication import Publication, listener_fields
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.recovery.seen import Seen
from videodb_cli.listener.renewal import DrainingConnections, next_connection
from videodb_cli.listener.trouble import TroubleTeller
from videodb_cli.listener.updates import (
    ClockWasSet,
    Connected,
    IdReplaced,
    ListenerUpdate,
    Lost,
    Renewed,
    Retrying,
    Statement,
    Stopping,
    Unconfirmed,
)
from videodb_cli.model.event import Event
from videodb_cli.network.failures import FINAL
from videodb_cli.process.clock import Clock, ClockSet

_STOP_TIMEOUT_S = 3.0
# So long the log may take to note that a connection stands, before the id is published all the same.
_NOTED_WITHIN_S = 1.0


@dataclass(frozen=True, slots=True)
class ListenerPolicy:
    """How one run behaves. ``max_retries`` None never gives up; times are seconds.

    ``max_age_s``: when a connection is that old, the next one is opened beside it; None: never.
    """

    clear: bool = False
    max_retries: int | None = None
    healthy_after_s: float = 30.0
    final_refusal_after_s: float = 600.0
    heartbeat_s: float = 5.0
    log_warning_s: float = 60.0
    max_age_s: float | None = 6600.0
    first_retry_s: float = FIRST_S
    timing: Timing = field(default_factory=Timing)


class Listener:
    """Hears one account's events into one directory until stopped. Its caller holds the directory's lock.

    ``fresh_url`` asks the control plane; ``on_update`` gets what happens; ``on_line`` every line as it is logged;
    ``recoverer`` makes what reads back after a gap, from the parts that it needs, or is None.
    """

    def __init__(  # noqa: PLR0913 - the parts of a listener are what they are
        self,
        *,
        fresh_url: Callable[[], Awaitable[str]],
        host: str,
        store: LogStore,
        presence: Presence,
        policy: ListenerPolicy,
        on_update: Callable[[ListenerUpdate], None],
        on_line: Callable[[bytes, Event | None], None] | None = None,
        backoff: Backoff | None = None,
        recoverer: Callable[[Journal, Counters, Seen, Intake, Clock], Recoverer] | None = None,
        clock: Callable[[Callable[[ClockSet], None]], Clock] = Clock,
    ) -> None:
        self._fresh_url = fresh_url
        self._store = store
        self._policy = policy
        self._on_update = on_update
        self._backoff = backoff or Backoff(policy.first_retry_s, policy.first_retry_s * CAP_S / FIRST_S)
        self._clock = clock(self._on_clock_set)
        self._counters = Counters(self._clock.uptime())
        # Ids are published and announced one after another.
        self._telling = asyncio.Lock()
        self._gate = LineGate(on_line) if on_line is not None else None
        self._journal = Journal(store, host, self._gate, self._clock)
        seen = Seen(self._clock.corrected)
        self._intake = Intake(store, self._counters, seen, self._gate)
        self._recoverer = None
        if recoverer is not None:
            self._recoverer = recoverer(self._journal, self._counters, seen, self._intake, self._clock)
        self._gaps = GapTracker(store, self._journal, self._counters, self._recoverer, on_update, self._clock)
        self._draining = DrainingConnections(self._intake, self._gaps)
        self._files = Publication(
            presence, lambda: listener_fields(self, host), lambda reason: self.log_trouble(LogTrouble(reason))
        )
        self._trouble = TroubleTeller(store, policy.log_warning_s, on_update)
        self._stop = asyncio.Event()
        self._connection: Connection | None = None
        self._log_is_open = False
        self._has_stood = False
        self._heard_at: float | None = None
        self._opening: asyncio.Future[None] | None = None
        self._background: set[asyncio.Task[None]] = set()
        self._refused_since: float | None = None
        self._last_failure: str | None = None
        self._retry_at: float | None = None
        self.output_dropped: Callable[[], int] = lambda: 0

    # ---- what others look at -------------------------------------------------------------------------------------

    @property
    def connection(self) -> Connection | None:
        """The youngest open connection."""
        return self._connection

    @property
    def last_message_at(self) -> float | None:
        """Uptime seconds of the last message of this run, over any socket."""
        young = self._connection.last_message_at if self._connection is not None else None
        times = (young, self._draining.last_message_at, self._heard_at)
        return max((at for at in times if at is not None), default=None)

    @property
    def clock(self) -> Clock:
        """The wall clock, and the one that nobody sets."""
        return self._clock

    @property
    def counters(self) -> Counters:
        """What was heard and lost so far."""
        return self._counters

    @property
    def store(self) -> LogStore:
        """The log."""
        return self._store

    @property
    def journal(self) -> Journal:
        """What writes our own lines into the log."""
        return self._journal

    @property
    def policy(self) -> ListenerPolicy:
        """How this run behaves."""
        return self._policy

    @property
    def recoverer(self) -> Recoverer | None:
        """What reads back after a gap."""
        return self._recoverer

    @property
    def retrying(self) -> tuple[float | None, str | None]:
        """When the next attempt begins (uptime seconds), and why the last one failed."""
        return self._retry_at, self._last_failure

    # ---- life cycle ----------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask for a graceful end. Idempotent; to be called from the event loop's thread."""
        self._stop.set()

    def log_trouble(self, trouble: LogTrouble | LogBack) -> None:
        """Take word of the log's state; to be called from the event loop's thread."""
        if self._trouble.take(trouble):
            # `status` is to know at once, without waiting for the next heartbeat.
            self._in_background(self._files.write_state())

    def _on_clock_set(self, step: ClockSet) -> None:
        """Write down that the wall clock was set, and go on by the new one. Called by whoever looks at it."""
        if self._log_is_open:
            self._journal.clock_set(step)
        if self._recoverer is not None:
            self._recoverer.clock_set(step.step_s)
        self._on_update(ClockWasSet(step.step_s))

    def _in_background(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def run(self) -> Statement:
        """Listen until `stop`. Returns the loss statement.

        Raises CredentialsError for a key that is finally refused, UnreachableError after the last retry, RefusedError
        for a log that cannot be opened. The log is closed and the files are removed in any case.
        """
        failed = False
        await self._files.claim()
        heartbeat = asyncio.create_task(self._files.beat(self._policy.heartbeat_s), name="heartbeat")
        try:
            if not self._policy.clear:
                await self._open_log()
                await self._gaps.look_at_last_run()
            await self._attempt_until_stopped()
        except VideodbError:
            failed = True
            raise
        finally:
            heartbeat.cancel()
            statement = await self._finish()
            if failed and self._has_stood:
                # Nobody is given the statement then; what was heard and lost is said all the same.
                self._on_update(statement)
        return statement

    async def _attempt_until_stopped(self) -> None:
        attempts = asyncio.create_task(self._attempts(), name="attempts")
        stopping = asyncio.create_task(self._stop.wait(), name="stop")
        try:
            await asyncio.wait({attempts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not attempts.done():
                self._on_update(Stopping())
                if self._connection is None:
                    attempts.cancel()
                else:
                    # The readers go on until the close is answered: what the service sent before that is ours.
                    await asyncio.gather(self._connection.close(), self._draining.close())
                await asyncio.wait({attempts}, timeout=_STOP_TIMEOUT_S)
                attempts.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await attempts
        finally:
            stopping.cancel()
            attempts.cancel()
            await self._draining.close()

    async def _finish(self) -> Statement:
        if self._recoverer is not None:
            await self._recoverer.stop()
        self._clock.look()
        now = self._clock.uptime()
        self._counters.disconnected(now)
        if self._opening is not None:
            with contextlib.suppress(VideodbError):
                await self._opening
                self._log_is_open = True
        if not self._log_is_open and self._store.pending_bytes:
            # No connection ever stood, so nothing is cleared; but what came before an id is kept.
            with contextlib.suppress(VideodbError):
                await asyncio.to_thread(self._store.open)
                self._log_is_open = True
        statement = self._counters.statement(now)
        if self._log_is_open:
            self._journal.stopped(statement)
        unwritten = await asyncio.to_thread(self._store.close)
        await self._files.release()
        if unwritten:
            raise RefusedError(f"{unwritten} bytes of events could not be written to the log", code="log")
        if not self._store.is_confirmed:
            self._on_update(Unconfirmed())
        return statement

    async def _open_log(self) -> None:
        # A thread cannot be cancelled: whoever ends us while it opens the log waits for it, and opens nothing twice.
        if self._opening is None:
            clear = self._policy.clear
            self._opening = asyncio.ensure_future(asyncio.to_thread(lambda: self._store.open(clear=clear)))
        await asyncio.shield(self._opening)
        self._log_is_open = True
        WriteWatchdog(self._store, asyncio.get_running_loop().call_later).start()
        if self._policy.clear and self._recoverer is not None:
            self._recoverer.floor = self._clock.unix()

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
            except FINAL as error:
                if not self._has_stood:
                    raise
                self._refused_since = None
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
        self._retry_at = self._clock.uptime() + delay_s
        self._on_update(Retrying(None if was_lost else reason, delay_s))
        # Not waited for: a stuck disk must not make the gap longer.
        self._in_background(self._files.write_state())
        await asyncio.sleep(delay_s)
        # What waits for the disk must go first, or the next connection fills the memory at once.
        while self._log_is_open and self._store.pending_bytes > MAX_PENDING_BYTES // 2:  # noqa: ASYNC110 - a thread
            await asyncio.sleep(0.2)

    async def _connect(self) -> Connection:
        url = await self._fresh_url()
        connection = await open_connection(url, self._policy.timing)
        try:
            await connection.wait_for_id(self._intake.take_early)
        except BaseException:
            connection.abort()
            connection.hand_over(self._intake.take)
            raise
        return connection

    async def _listen_on(self, connection: Connection) -> Ended:
        """Hear a connection, and those that take over from it in time, until the youngest one ends."""
        previous: Connection | None = None
        while True:
            younger = await self._hear_until_renewed(connection, previous)
            if isinstance(younger, Ended):
                return younger
            previous, connection = connection, younger

    async def _hear_until_renewed(self, connection: Connection, previous: Connection | None) -> Ended | Connection:
        self._connection = connection
        handler = ConnectionHandler(
            connection, self._intake, on_healthy=self._backoff.forgive, on_new_id=self._on_new_id
        )
        healthy = asyncio.get_running_loop().call_later(self._policy.healthy_after_s, self._backoff.forgive)
        renewing = asyncio.create_task(
            next_connection(connection, self._policy.max_age_s, self._connect, self._draining.expect_two),
            name="renewal",
        )
        hearing: asyncio.Task[Ended] | None = None
        younger: Connection | None = None
        try:
            gap_s = await self._note(connection, previous)
            connection_id = connection.connection_id
            # A slow disk may keep us from making this id known, or the one before it: what comes meanwhile goes to the
            # log all the same, and does not wait in memory.
            hearing = asyncio.create_task(connection.hear(handler.handle), name="hear")
            async with self._telling:
                await self._make_known(connection_id)
                self._announce(Connected(connection_id, gap_s) if previous is None else Renewed(connection_id))
            await asyncio.wait({hearing, renewing}, return_when=asyncio.FIRST_COMPLETED)
            if not hearing.done() and not self._stop.is_set():
                younger = renewing.result()
                self._draining.add(connection, hearing, handler, younger)
                return younger
            ended = await hearing
        except BaseException:
            if hearing is None:
                connection.hand_over(handler.handle)
            raise
        finally:
            healthy.cancel()
            if younger is None:
                await self._leave(connection, hearing, renewing)
        if not self._stop.is_set():
            detail = self._gaps.note_loss(connection, ended, for_log=handler.gave_up_for_log)
            self._on_update(Lost(detail, self._clock.unix_or_none(connection.last_message_at)))
        return ended

    async def _leave(
        self, connection: Connection, hearing: asyncio.Task[Ended] | None, renewing: asyncio.Task[Connection]
    ) -> None:
        self._heard_at = self.last_message_at
        self._connection = None
        if hearing is not None:
            hearing.cancel()
        if renewing.done() and not renewing.cancelled() and renewing.exception() is None:
            # It came at the very moment of the end: nobody has been told of it.
            renewing.result().abort()
        renewing.cancel()
        self._draining.expect_one()
        # Also at the end of the run: a socket that goes on would deliver into a log that is being closed.
        connection.abort()
        await self._files.withdraw()

    # ---- connections come and go ---------------------------------------------------------------------------------

    async def _note(self, connection: Connection, previous: Connection | None) -> float | None:
        """Write down that a connection stands. Returns the seconds of the gap within this run, if any."""
        if not self._log_is_open:
            await self._open_log()
        self._has_stood = True
        self._retry_at = self._last_failure = None
        if previous is not None:
            self._gaps.note_renewal(connection, previous)
            return None
        if self._gate is None:
            return self._gaps.note_connection(connection)
        with self._gate.front():
            return self._gaps.note_connection(connection)

    async def _make_known(self, connection_id: str) -> None:
        """Publish an id once the log knows of it, so that no id is used of which it would not tell."""
        await asyncio.to_thread(self._store.flush, _NOTED_WITHIN_S)
        await self._files.publish(connection_id)

    def _announce(self, update: Connected | Renewed) -> None:
        self._on_update(update)
        if self._gate is not None:
            self._gate.open()

    def _on_new_id(self, connection: Connection, connection_id: str) -> None:
        """The service replaced the id of an open connection: what was bound to the old one is bound to nothing."""
        self._gaps.note_new_id(connection, connection_id)
        if connection is self._connection:
            self._in_background(self._publish_new_id(connection, connection_id))

    async def _publish_new_id(self, connection: Connection, connection_id: str) -> None:
        async with self._telling:
            if connection is not self._connection:
                return  # it is gone already, and its id with it
            await self._make_known(connection_id)
            self._on_update(IdReplaced(connection_id))
