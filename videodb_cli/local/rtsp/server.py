"""The RTSP server on asyncio: one port; with a certificate it takes TLS and plain connections on that same port."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Final, cast

from videodb_cli.local.rtsp.conversation import Conversation
from videodb_cli.local.rtsp.relay import Relay

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 256
HANDSHAKE_TIMEOUT_S: Final = 10.0
_TLS_HANDSHAKE: Final = 0x16
_TICK_S: Final = 1.0


class RtspServer:
    """Serves the channels of ``relay`` on a listening socket, which it owns. Used on one event loop.

    ``certificate_hash`` belongs to ``tls``: clients are told it, so that they can trust this certificate and no other.
    """

    def __init__(
        self, listener: socket.socket, *, tls: ssl.SSLContext | None = None, certificate_hash: str | None = None
    ) -> None:
        self.certificate_hash = certificate_hash
        self.relay = Relay(clock=time.time)
        host = str(listener.getsockname()[0])
        self.port: int = listener.getsockname()[1]
        self._own_host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
        self._listener = listener
        self._tls = tls
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._opening = 0

    def url(self, token: str, host: str) -> str:
        """The address of a channel for somebody who reaches this machine as ``host``."""
        scheme = "rtsp" if self._tls is None else "rtsps"
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/{token}"

    def own_url(self, token: str) -> str:
        """The address of a channel for this process: never encrypted."""
        return f"rtsp://{f'[{self._own_host}]' if ':' in self._own_host else self._own_host}:{self.port}/{token}"

    def start(self) -> None:
        """Take connections from now on."""
        self._listener.setblocking(False)
        self._spawn(self._accept())
        self._spawn(self._tick())

    async def close(self) -> None:
        """End every connection and give the port back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()
        for link in tuple(self._links):
            link.abort()
        for _ in range(100):
            if not self._links:
                return
            await asyncio.sleep(0.01)

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(self._listener)
            except OSError as error:  # out of file descriptors, or the peer went before we looked
                log.warning("a connection could not be taken: %s", error)
                await asyncio.sleep(0.1)
                continue
            if len(self._links) + self._opening >= MAX_CONNECTIONS:
                connection.close()
                continue
            self._opening += 1
            self._spawn(self._open(connection))

    async def _open(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection.setblocking(False)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = self._tls if self._tls is not None and await _wants_tls(loop, connection) else None
            await loop.connect_accepted_socket(
                lambda: _Link(self.relay, self._links),
                connection,
                ssl=tls,
                ssl_handshake_timeout=HANDSHAKE_TIMEOUT_S if tls is not None else None,
            )
        except (OSError, TimeoutError, asyncio.CancelledError) as error:
            connection.close()
            if isinstance(error, asyncio.CancelledError):
                raise
            log.info("a connection to the RTSP port ended before its first request: %s", error)
        finally:
            self._opening -= 1

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_S)
            for link in tuple(self._links):
                link.tick()

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Link(asyncio.Protocol):
    """One connection: bytes between asyncio and its `Conversation`."""

    def __init__(self, relay: Relay, links: set[_Link]) -> None:
        self._links = links
        self._transport: asyncio.Transport | None = None
        self._conversation = Conversation(relay, self, clock=time.monotonic)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._links.add(self)

    def data_received(self, data: bytes) -> None:
        self._conversation.receive(data)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._links.discard(self)
        self._conversation.lost()

    def tick(self) -> None:
        self._conversation.tick()

    def write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def unsent(self) -> int:
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()


async def _wants_tls(loop: asyncio.AbstractEventLoop, connection: socket.socket) -> bool:
    """Look at the first byte without taking it: no request begins as a TLS handshake does."""
    readable: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not readable.done():
            readable.set_result(None)

    loop.add_reader(connection.fileno(), wake)
    try:
        await asyncio.wait_for(readable, HANDSHAKE_TIMEOUT_S)
    finally:
        loop.remove_reader(connection.fileno())
    first = connection.recv(1, socket.MSG_PEEK)
    return bool(first) and first[0] == _TLS_HANDSHAKE
