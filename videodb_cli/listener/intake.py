"""The way of a message from a socket into the log: stamped, queued, counted, shown. The listener's hot path."""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Callable, Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

from videodb_cli.eventlog.write.record import compose
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.connection import AttemptFailedError, Connection, connection_id_in
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.model.event import Event

if TYPE_CHECKING:
    # Imported by those who redact only: its rules take time to compile.
    from videodb_cli.listener.redaction import Redaction

MAX_PENDING_BYTES = 64 << 20
_LATER_ID_BYTES = 600
# Two sockets that carry the same event do so within the time that the service takes to send it, not minutes apart.
_DUPLICATE_WINDOW_S = 120.0
_MAX_DUPLICATES = 50_000
_MAX_HELD = 10_000


class Intake:
    """Takes messages of all open sockets, in order of arrival.

    ``duplicates`` is set while two sockets are open.
    """

    def __init__(
        self,
        store: LogStore,
        counters: Counters,
        history: StreamHistory,
        on_line: Callable[[bytes, Event | None], None] | None,
        redaction: Redaction | None = None,
    ) -> None:
        self._redaction = redaction
        self._store = store
        self._counters = counters
        self._history = history
        self._on_line = on_line
        self._watch: Callable[[Event, str | None], None] | None = None
        self._absorb: Callable[[Event, bytes], bool] | None = None
        self.duplicates: CrossSocketDuplicates | None = None

    def watch_with(self, watch: Callable[[Event, str | None], None] | None) -> None:
        """Show every event, and the id of its connection, to the recovery while it needs to know; None: to nobody.

        What comes before a connection has its id comes with None.
        """
        self._watch = watch

    def absorb_with(self, absorb: Callable[[Event, bytes], bool]) -> None:
        """Let somebody take an event that the log holds already, with the message that brought it."""
        self._absorb = absorb

    @property
    def is_full(self) -> bool:
        """Whether more waits for the disk than memory may hold."""
        return self._store.pending_bytes > MAX_PENDING_BYTES

    def take_early(self, raw: bytes) -> None:
        """Take one message that came before the id. Raises AttemptFailedError if that goes on for too long."""
        self.take(raw)
        if self.is_full:
            raise AttemptFailedError("too much came before the connection id")

    def count_duplicate(self) -> None:
        """Count a message that another socket has brought already."""
        self._counters.doubles += 1

    def take(self, raw: bytes, connection_id: str | None = None) -> None:
        """Take one message that is an event or is kept as it is; ``connection_id`` names the socket that brought it."""
        rest, event = compose(raw)
        if self._redaction is not None:
            redacted, event = self._redaction.composed(rest, event)
            if redacted is not rest:
                rest, raw = redacted, b"{" + redacted[:-1]  # the message may be logged word for word
        if event is not None and self._absorb is not None and self._absorb(event, raw):
            self._counters.doubles += 1
            if self._watch is not None:
                self._watch(event, connection_id)
            return
        line = self._store.append(rest)
        if event is None:
            self._counters.unparsable += 1
        else:
            self._counters.live += 1
            self._history.note(event, line)
            if self._watch is not None:
                self._watch(event, connection_id)
        if self._on_line is not None:
            self._on_line(line, event)


class LineGate:
    """Shows lines, but none before the first connection has been announced: those are held, and shown then."""

    def __init__(self, on_line: Callable[[bytes, Event | None], None]) -> None:
        self._on_line = on_line
        self._is_open = False
        self._held: list[tuple[bytes, Event | None]] = []

    def __call__(self, line: bytes, event: Event | None) -> None:
        """Show a line now or later."""
        if self._is_open:
            self._on_line(line, event)
        elif len(self._held) < _MAX_HELD:
            self._held.append((line, event))

    @contextlib.contextmanager
    def front(self) -> Iterator[None]:
        """Show what comes within it before everything that is held."""
        earlier, self._held = self._held, []
        yield
        self._held += earlier

    def open(self) -> None:
        """Show what is held, and every line from now on. Idempotent."""
        self._is_open = True
        held, self._held = self._held, []
        for line, event in held:
            self._on_line(line, event)


class CrossSocketDuplicates:
    """Recognises a message that came over two sockets. What one socket brings twice stays two messages."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: dict[bytes, dict[int, int]] = {}
        self._order: deque[tuple[float, bytes]] = deque()

    def is_duplicate(self, socket: int, raw: bytes) -> bool:
        """Count a message of one socket; tell whether another one has brought it already."""
        now = self._clock()
        while self._order and (self._order[0][0] < now - _DUPLICATE_WINDOW_S or len(self._order) > _MAX_DUPLICATES):
            self._counts.pop(self._order.popleft()[1], None)
        key = blake2b(raw, digest_size=16).digest()
        counts = self._counts.get(key)
        if counts is None:
            self._counts[key] = {socket: 1}
            self._order.append((now, key))
            return False
        mine = counts.get(socket, 0)
        counts[socket] = mine + 1
        return mine < max((count for other, count in counts.items() if other != socket), default=0)


class ConnectionHandler:
    """Takes the messages of one connection.

    ``on_healthy`` is called at its first event, ``on_new_id`` when the service replaces its id.
    """

    def __init__(
        self,
        connection: Connection,
        intake: Intake,
        *,
        on_healthy: Callable[[], None],
        on_new_id: Callable[[Connection, str], None],
    ) -> None:
        self._connection = connection
        self._intake = intake
        self._on_healthy: Callable[[], None] | None = on_healthy
        self._on_new_id = on_new_id
        self.gave_up_for_log = False

    def handle(self, raw: bytes) -> None:
        """Take one message of the socket."""
        intake = self._intake
        if len(raw) < _LATER_ID_BYTES and b"onnection_" in raw and self._is_later_id(raw):
            return
        if self._on_healthy is not None:
            self._on_healthy()
            self._on_healthy = None
        if intake.duplicates is not None and intake.duplicates.is_duplicate(id(self), raw):
            intake.count_duplicate()
            return
        intake.take(raw, self._connection.connection_id)
        if intake.is_full:
            self.gave_up_for_log = True
            self._connection.abort()

    def _is_later_id(self, raw: bytes) -> bool:
        found = connection_id_in(raw, alone=True)
        if found is None:
            return False
        if found[0] != self._connection.connection_id:
            self._on_new_id(self._connection, found[0])
        return True
