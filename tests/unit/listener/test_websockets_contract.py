"""What `EventSocket` and `Connection` rest on inside `websockets`. A release that moves it fails here, by name.

`process_event`, `protocol` and `recv_messages` are no public interface (docs/decisions/0012). The server's half is the
protocol of `websockets` itself, without I/O; what it sends reaches the socket in pieces of any size.
"""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection
from websockets.client import ClientProtocol
from websockets.exceptions import PayloadTooBig
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.uri import parse_uri

from videodb_cli.listener.event_socket import EventSocket

MAX_SIZE = 1000


class Transport(asyncio.Transport):
    """Keeps what is written, and what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_paused = self.is_aborted = self.has_ended = False

    def write(self, data: Any) -> None:
        self.written += data

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def pause_reading(self) -> None:
        self.is_paused = True

    def abort(self) -> None:
        self.is_aborted = True

    def write_eof(self) -> None:
        self.has_ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return False


class Pair:
    """A socket in this process and the server's half of its connection."""

    def __init__(self, kind: type[ClientConnection], piece: int) -> None:
        self._piece = piece
        self.transport = Transport()
        self.server = ServerProtocol()
        self.events: list[tuple[object, ...]] = []
        events = self.events

        class Watched(kind):  # type: ignore[misc, valid-type]
            def process_event(self, event: Any) -> None:
                events.append(
                    (event.opcode, bytes(event.data), event.fin)
                    if isinstance(event, Frame)
                    else (type(event).__name__,)
                )
                super().process_event(event)

        self.socket: Any = Watched(ClientProtocol(parse_uri("ws://localhost/"), max_size=MAX_SIZE), ping_interval=None)
        self.socket.connection_made(self.transport)

    async def open(self) -> Pair:
        handshake = asyncio.ensure_future(self.socket.handshake())
        await asyncio.sleep(0)
        self.server.receive_data(bytes(self.transport.written))
        self.transport.written.clear()
        (request,) = self.server.events_received()
        self.server.send_response(self.server.accept(request))  # type: ignore[arg-type]
        self.deliver()
        await handshake
        return self

    def deliver(self) -> None:
        """Hand on what the server has sent since, in pieces."""
        data = b"".join(self.server.data_to_send())
        for start in range(0, len(data), self._piece):
            self.socket.data_received(data[start : start + self._piece])

    def answers(self) -> list[Any]:
        """What the client has written, as the server understands it."""
        self.server.receive_data(bytes(self.transport.written))
        self.transport.written.clear()
        return self.server.events_received()


@pytest.fixture(params=[1, 7, 1 << 16], ids=lambda size: f"pieces of {size}")
async def pair(request: pytest.FixtureRequest) -> Pair:
    return await Pair(EventSocket, request.param).open()


async def test_the_library_gives_each_frame_to_process_event_at_once() -> None:
    """Of `websockets` alone: the response first, then every frame in order, while the data is being received."""
    pair = await Pair(ClientConnection, 1 << 16).open()
    assert pair.events == [("Response",)]
    pair.server.send_text(b"one", fin=False)
    pair.server.send_continuation(b"two", fin=True)
    pair.server.send_binary(b"\xff")
    pair.server.send_pong(b"p")
    pair.deliver()
    assert pair.events[1:] == [
        (Opcode.TEXT, b"one", False),
        (Opcode.CONT, b"two", True),
        (Opcode.BINARY, b"\xff", True),
        (Opcode.PONG, b"p", True),
    ]
    assert len(pair.socket.recv_messages.frames) == 3, "what we keep out of the queue is what it would hold"


async def test_whole_messages_pass_by_the_library_and_nothing_is_queued(pair: Pair) -> None:
    heard: list[bytes] = []
    pair.socket.deliver_to(heard.append)
    pair.server.send_text(b"first")
    pair.server.send_binary(b"\xff\xfe")
    pair.server.send_text("é".encode() * 200)
    pair.server.send_text(b"in ", fin=False)
    pair.server.send_ping(b"between")
    pair.server.send_continuation(b"three ", fin=False)
    pair.server.send_continuation(b"parts", fin=True)
    for number in range(100):
        pair.server.send_text(b"%d" % number)
    pair.deliver()
    expected = [b"first", b"\xff\xfe", "é".encode() * 200, b"in three parts", *(b"%d" % n for n in range(100))]
    assert heard == expected
    assert [event[0] for event in pair.events[1:]] == [Opcode.TEXT, Opcode.PING, Opcode.CONT, Opcode.CONT]
    assert len(pair.socket.recv_messages.frames) == 0
    assert not pair.transport.is_paused
    assert [(frame.opcode, bytes(frame.data)) for frame in pair.answers()] == [(Opcode.PONG, b"between")]


async def test_messages_that_come_with_the_handshake_are_held() -> None:
    pair = Pair(EventSocket, 1 << 16)
    handshake = asyncio.ensure_future(pair.socket.handshake())
    await asyncio.sleep(0)
    pair.server.receive_data(bytes(pair.transport.written))
    (request,) = pair.server.events_received()
    pair.server.send_response(pair.server.accept(request))  # type: ignore[arg-type]
    pair.server.send_text(b"early")
    pair.deliver()
    await handshake
    assert pair.socket.held == [b"early"]


async def test_pongs_come_back_through_the_library(pair: Pair) -> None:
    pong = await pair.socket.ping()
    assert len(pair.answers()) == 1
    pair.deliver()
    assert await asyncio.wait_for(pong, 1) >= 0


async def test_a_close_is_known_with_its_code(pair: Pair) -> None:
    pair.server.send_close(1001, "going away")
    pair.deliver()
    protocol = pair.socket.protocol
    assert (protocol.close_rcvd.code, protocol.close_rcvd.reason) == (1001, "going away")
    assert protocol.state is State.CLOSING
    assert protocol.parser_exc is None
    pair.socket.connection_lost(None)
    await asyncio.wait_for(pair.socket.wait_closed(), 1)


@pytest.mark.parametrize("fragments", [[], [600]], ids=["whole", "in fragments"])
async def test_a_message_over_the_limit_is_known_with_its_size(pair: Pair, fragments: list[int]) -> None:
    for size in fragments:
        pair.server.send_text(b"x" * size, fin=False)
    send = pair.server.send_continuation if fragments else pair.server.send_text
    send(b"x" * (MAX_SIZE + 1 - sum(fragments)), True)
    # The splitter has its own limit, which is larger: what is over ours goes through the library, as a fragment does.
    pair.socket._splitter._max_size = MAX_SIZE
    pair.deliver()
    protocol = pair.socket.protocol
    assert isinstance(protocol.parser_exc, PayloadTooBig)
    assert (protocol.parser_exc.size or 0) + (protocol.parser_exc.current_size or 0) == MAX_SIZE + 1
    assert protocol.close_sent.code == 1009
    assert protocol.close_rcvd is None


async def test_what_no_server_may_send_ends_it_with_a_reason(pair: Pair) -> None:
    masked = Frame(Opcode.TEXT, b"hello").serialize(mask=True)
    for start in range(len(masked)):
        pair.socket.data_received(masked[start : start + 1])
    assert pair.socket.protocol.close_sent.code == 1002
    assert "masking" in pair.socket.protocol.close_sent.reason


async def test_a_failure_to_take_a_message_ends_the_connection(pair: Pair) -> None:
    def fail(_: bytes) -> None:
        raise LookupError("no room")

    pair.socket.deliver_to(fail)
    pair.server.send_text(b"x")
    pair.deliver()
    assert isinstance(pair.socket.failure, LookupError)
    assert pair.transport.is_aborted
