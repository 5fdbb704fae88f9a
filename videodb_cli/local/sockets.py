"""The event socket: connection ids, what waits for each, and who gets what.

As in the real service: an id lives as long as its socket, nothing follows it to the next one, and what is sent to an
id that is gone is lost. A receiver that does not read is cut off (never skipped: a skipped event would be lost in
silence), and learns it from the close.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from typing import TYPE_CHECKING, Final

from videodb_cli.local.events import encode
from videodb_cli.local.faults.frames import FaultyFrames
from videodb_cli.local.faults.plan import WIRE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from starlette.websockets import WebSocket

    from videodb_cli.local.faults.plan import Faults
    from videodb_cli.local.faults.wire import Wire

MAX_CONNECTIONS: Final = 512
MAX_WAITING_BYTES: Final = 64 * 1024 * 1024
ROOM_BYTES: Final = 1024 * 1024  # below this much waiting, a producer that can wait goes on
CLOSE_POLICY: Final = 1008

Frame = str | bytes


class EventConnection:
    """One open socket and the frames that wait for it. Used from the event loop only."""

    def __init__(self, connection_id: str) -> None:
        self.id = connection_id
        self.sent = 0
        self.wire: Wire | None = None
        self.closing: tuple[int, str] | None = None
        self._waiting: deque[Frame] = deque()
        self._waiting_bytes = 0
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    def send(self, frame: Frame) -> None:
        """Queue ``frame``. Never waits; a receiver with too much waiting is closed with 1008 instead."""
        if self.closing is not None:
            return
        self._waiting.append(frame)
        self._waiting_bytes += len(frame)
        if self._waiting_bytes > MAX_WAITING_BYTES:
            self.close(CLOSE_POLICY, "receiver too slow")
        elif self._waiting_bytes > ROOM_BYTES:
            self._room.clear()
        self._changed.set()

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the socket with ``code``; frames that wait are dropped with it."""
        self.closing = self.closing or (code, reason)
        self._changed.set()
        self._room.set()

    async def room(self) -> None:
        """Wait until little waits for this receiver, or it is gone: back-pressure for `trigger` and `replay`."""
        await self._room.wait()

    async def next_frame(self) -> Frame | None:
        """The next frame in order, or ``None`` once the socket is to be closed."""
        while self.closing is None:
            if self._waiting:
                frame = self._waiting.popleft()
                self._waiting_bytes -= len(frame)
                if self._waiting_bytes <= ROOM_BYTES:
                    self._room.set()
                self.sent += 1
                return frame
            self._changed.clear()
            await self._changed.wait()
        return None

    def gone(self) -> None:
        """The socket has ended: nobody waits for it any more."""
        self.closing = self.closing or (1006, "")
        self._waiting.clear()
        self._room.set()


class Hub:
    """All open sockets by connection id."""

    def __init__(self, *, on_change: Callable[[], None] = lambda: None) -> None:
        self.connections: dict[str, EventConnection] = {}
        self._on_change = on_change

    def open(self) -> EventConnection:
        """A new connection, whose first frame carries its id."""
        connection = EventConnection(f"ws-{secrets.token_hex(6)}")
        connection.send(encode({"connection_id": connection.id}))
        self.connections[connection.id] = connection
        self._on_change()
        return connection

    def drop(self, connection: EventConnection) -> None:
        """Forget a connection whose socket has ended."""
        connection.gone()
        self.connections.pop(connection.id, None)
        self._on_change()

    def send(self, connection_id: str | None, event: Mapping[str, object]) -> bool:
        """Queue ``event`` for one connection; false if there is no such open connection: then the event is lost."""
        connection = self.connections.get(connection_id) if connection_id is not None else None
        if connection is None:
            return False
        connection.send(encode(event))
        return True


async def serve_socket(hub: Hub, websocket: WebSocket, faults: Faults) -> None:
    """Accept ``websocket``, give it an id, and send what is queued for it until either side ends it.

    What the client sends is read and ignored, as by the service.
    """
    await websocket.accept()
    connection = hub.open()
    reader = asyncio.create_task(_read_until_closed(websocket))
    connection.wire = websocket.scope.get(WIRE)
    faulty = FaultyFrames(faults, connection.wire, connection)
    writer = asyncio.create_task(_write(connection, websocket, faulty))
    try:
        await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        hub.drop(connection)
        for task in (reader, writer):
            task.cancel()
        await asyncio.gather(reader, writer, return_exceptions=True)


async def _read_until_closed(websocket: WebSocket) -> None:
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


async def _write(connection: EventConnection, websocket: WebSocket, faulty: FaultyFrames) -> None:
    from starlette.websockets import WebSocketDisconnect

    try:
        while (waiting := await connection.next_frame()) is not None:
            for frame in await faulty.pass_on(waiting):
                if isinstance(frame, str):
                    await websocket.send_text(frame)
                else:
                    await websocket.send_bytes(frame)
                faulty.sent(frame)
        code, reason = connection.closing or (1000, "")
        if code != 1006:
            await websocket.close(code, reason)
    except (WebSocketDisconnect, RuntimeError, OSError):
        return  # the peer went away while we wrote; the reader sees it too
