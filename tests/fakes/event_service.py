"""A stand-in for the service's event side: the REST call for a socket URL and the socket, both on one loopback port.

With TLS it is a server whose certificate `authority` signs.

What each connection does is a script: an ``async def act(socket)`` for the first connection, the second, and so on; the
last one is used for all further ones. `tests/unit/fakes` holds it to the protocol with a plain client.
"""

from __future__ import annotations

import asyncio
import contextlib
import http
import itertools
import json
import ssl
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response

KEY = "sk-test-0123456789abcdef"
Act = Callable[[ServerConnection], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the REST call. ``body`` None means the socket URL, as the service gives it."""

    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    content_type: str = "application/json"


def refusal(status: int = 401, message: str = "Invalid API key") -> Answer:
    """The service's own refusal of a key."""
    return Answer(status, json.dumps({"success": False, "message": message, "error_code": "UNAUTHORIZED"}))


async def stay(socket: ServerConnection) -> None:
    """Keep the connection open until the client leaves."""
    await socket.wait_closed()


def send(*messages: str | bytes, then: Act = stay) -> Act:
    """Send these messages, then go on."""

    async def act(socket: ServerConnection) -> None:
        for message in messages:
            await socket.send(message)
        await then(socket)

    return act


def close(code: int = 1001, reason: str = "") -> Act:
    """Close in an orderly way."""

    async def act(socket: ServerConnection) -> None:
        await socket.close(code, reason)

    return act


def then(*acts: Act) -> Act:
    """Do one after the other."""

    async def act(socket: ServerConnection) -> None:
        for one in acts:
            await one(socket)

    return act


def pause(seconds: float) -> Act:
    """Wait a moment."""

    async def act(socket: ServerConnection) -> None:
        del socket
        await asyncio.sleep(seconds)

    return act


async def stop_reading(socket: ServerConnection) -> None:
    """Be there and take nothing in: neither a ping nor a close is answered, as behind a pulled cable."""
    socket.transport.pause_reading()


async def cut(socket: ServerConnection) -> None:
    """Cut the TCP connection without a word."""
    socket.transport.abort()


class EventService:
    """The stand-in, running in a thread. ``with EventService(...) as service: service.url``."""

    def __init__(
        self,
        *acts: Act,
        answers: Sequence[Answer] = (),
        ids: Callable[[int], str | None] = lambda number: f"ws-{number}",
        answer_pings: bool = True,
        name: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``tls`` makes it an https and wss service; ``name`` is the host in the addresses that it gives."""
        self._acts = acts or (stay,)
        self._answers = list(answers)
        self._ids = ids
        self._answer_pings = answer_pings
        self._name = name
        self._tls = tls
        self._numbers = itertools.count(1)
        self._loop = asyncio.new_event_loop()
        self._server: Server | None = None
        self._ready = threading.Event()
        self._changed = threading.Condition()
        self.requests: list[tuple[str, Headers]] = []
        self.connections: list[ServerConnection] = []
        self.open_connections = 0
        self.port = 0

    # ---- life cycle ----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="event-service", daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the event service did not start")
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        self._end = asyncio.Event()
        async with serve(
            self._handle,
            "127.0.0.1",
            self.port,
            process_request=self._rest,
            compression=None,
            ping_interval=None,
            max_size=None,
            ssl=self._tls,
        ) as server:
            self._server = server
            self.port = next(iter(server.sockets)).getsockname()[1]
            self._ready.set()
            await self._end.wait()
            # Clients that read nothing, or were told to be left alone, must not keep a test waiting.
            for connection in self.connections:
                connection.transport.abort()
            server.close(close_connections=True)

    # ---- the protocol --------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        return f"http{self._s}://{self._name}:{self.port}"

    @property
    def _s(self) -> str:
        return "" if self._tls is None else "s"

    @property
    def environment(self) -> dict[str, str]:
        """What `videodb` needs to find this service."""
        return {"VIDEO_DB_API_KEY": KEY, "VIDEO_DB_API": self.url}

    async def _rest(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path.startswith("/socket/"):
            return None
        self.requests.append((request.path, request.headers))
        self._notify()
        answer = self._answers.pop(0) if self._answers else Answer()
        if answer.delay_s:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._end.wait(), answer.delay_s)
        body = answer.body
        if body is None:
            if request.headers.get("x-access-token") != KEY:
                answer = refusal()
                body = answer.body or ""
            else:
                place = f"ws{self._s}://{self._name}:{self.port}"
                data = {"websocket_url": f"{place}/socket/{len(self.requests)}?token=secret-ticket"}
                body = json.dumps({"success": True, "data": data})
        headers = Headers({"Content-Type": answer.content_type, "Content-Length": str(len(body.encode()))})
        for name, value in answer.headers.items():
            headers[name] = value
        headers["Connection"] = "close"
        return Response(answer.status, http.HTTPStatus(answer.status).phrase, headers, body.encode())

    async def _handle(self, socket: ServerConnection) -> None:
        number = next(self._numbers)
        if not self._answer_pings:
            _withhold_pongs(socket)
        self.connections.append(socket)
        self.open_connections += 1
        self._notify()
        try:
            connection_id = self._ids(number)
            if connection_id is not None:
                await socket.send(json.dumps({"connection_id": connection_id}))
            act = self._acts[min(number, len(self._acts)) - 1]
            await act(socket)
        finally:
            self.open_connections -= 1
            self._notify()

    # ---- for the test's thread -----------------------------------------------------------------------------------

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[EventService], Any], timeout_s: float = 10.0) -> None:
        """Wait until the condition holds; AssertionError after the deadline."""
        with self._changed:
            assert self._changed.wait_for(lambda: condition(self), timeout_s), "the event service never got there"

    def answer_well(self) -> None:
        """Drop the answers that are still to come: from now on the service answers as it should."""
        self._loop.call_soon_threadsafe(self._answers.clear)

    def send(self, *messages: str | bytes) -> None:
        """Send messages over the youngest connection, from the test's thread."""
        self.call(send(*messages, then=_nothing))

    def call(self, act: Act, timeout_s: float = 30.0) -> None:
        """Run an act on the youngest connection, from the test's thread, and wait for its end."""
        future = asyncio.run_coroutine_threadsafe(_as_coroutine(act, self.connections[-1]), self._loop)
        future.result(timeout_s)


def _withhold_pongs(socket: ServerConnection) -> None:
    send_frame = socket.protocol.send_frame

    def send_all_but_pongs(frame: Frame) -> None:
        if frame.opcode is not Opcode.PONG:
            send_frame(frame)

    socket.protocol.send_frame = send_all_but_pongs  # type: ignore[method-assign]


async def _as_coroutine(act: Act, socket: ServerConnection) -> None:
    await act(socket)


async def _nothing(socket: ServerConnection) -> None:
    del socket
