"""A proxy on loopback: HTTP (CONNECT and absolute-form) or SOCKS5, with a password or without, well behaved or not.

It brings every host to this machine, at the port that was asked for, so that names need not exist. `requests` tells
what was asked of it. `tests/unit/fakes` holds it to the protocols with plain sockets.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
import ssl
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import quote, urlsplit

_LIMIT = 1 << 16
_SOCKS_OK, _SOCKS_NOT_ALLOWED, _SOCKS_REFUSED = 0, 2, 5


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: ``CONNECT host:port``, ``POST http://…``, or ``SOCKS5 host:port``. Header names in lower case."""

    what: str
    headers: dict[str, str] = field(default_factory=dict)


class Proxy:
    """One of them, running in a thread. ``with Proxy() as proxy: proxy.url``.

    ``status``: what HTTP answers instead of working; SOCKS5 says "not allowed" to any. ``manner``: it ``closes``
    without an answer, answers ``garbage``, or is ``silent``. Both can be changed while it runs.
    """

    def __init__(
        self,
        kind: str = "http",
        *,
        user: str | None = None,
        password: str = "",
        status: int | None = None,
        manner: str = "works",
        host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.kind = kind
        self.user = user
        self.password = password
        self.status = status
        self.manner = manner
        self.requests: list[Asked] = []
        self.port = 0
        self._host = host
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def asked(self) -> list[str]:
        """What was asked, without headers."""
        return [request.what for request in self.requests]

    @property
    def place(self) -> str:
        """Host and port."""
        return f"[{self._host}]:{self.port}" if ":" in self._host else f"{self._host}:{self.port}"

    @property
    def url(self) -> str:
        """Its address, with the user and password that it takes."""
        scheme = "socks5h" if self.kind == "socks5" else "https" if self._tls is not None else "http"
        known = "" if self.user is None else f"{quote(self.user, safe='')}:{quote(self.password, safe='')}@"
        return f"{scheme}://{known}{self.place}"

    # ---- life cycle ----------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the proxy did not start")
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
        server = await asyncio.start_server(self._accept, self._host, self.port, ssl=self._tls)
        async with server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._end.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            await (self._socks if self.kind == "socks5" else self._http)(reader, writer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _misbehaves(self, writer: asyncio.StreamWriter) -> bool:
        if self.manner == "silent":
            await self._end.wait()
        if self.manner == "garbage":
            writer.write(b"\x16\x03 220 mail.example ESMTP\r\n\r\n")
            await writer.drain()
        return self.manner != "works"

    # ---- HTTP ----------------------------------------------------------------------------------------------------

    async def _http(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        start = await reader.readexactly(1)
        if not start.isalpha():
            # As web servers and proxies do with a client that begins TLS.
            writer.write(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
            await writer.drain()
            return
        head = (start + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        self.requests.append(Asked(f"{method} {target}", headers))
        if await self._misbehaves(writer):
            return
        status = self.status
        if status is None and self.user is not None:
            known = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            status = None if headers.get("proxy-authorization") == f"Basic {known}" else 407
        if status is not None:
            wanted = 'proxy-authenticate: Basic realm="proxy"\r\n' if status == 407 else ""
            answer = f"HTTP/1.1 {status} No\r\n{wanted}content-length: 0\r\nconnection: close\r\n\r\n"
            writer.write(answer.encode())
            await writer.drain()
            return
        if method == "CONNECT":
            await self._bring(reader, writer, int(target.rpartition(":")[2]), b"HTTP/1.1 200 Here you are\r\n\r\n", b"")
            return
        parts = urlsplit(target)
        kept = [line for line in lines if not line.lower().startswith(("proxy-", "connection:"))]
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        onward = "\r\n".join([f"{method} {path} HTTP/1.1", *kept, "connection: close", "", ""])
        await self._bring(reader, writer, parts.port or 80, b"", onward.encode("latin-1"))

    # ---- SOCKS5 (RFC 1928, RFC 1929) -----------------------------------------------------------------------------

    async def _socks(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        version, count = await reader.readexactly(2)
        methods = await reader.readexactly(count)
        if version != 5 or await self._misbehaves(writer):
            return
        wanted = 0 if self.user is None else 2
        chosen = wanted if wanted in methods else 0xFF
        writer.write(bytes((5, chosen)))
        if chosen == 0xFF:
            self.requests.append(Asked("SOCKS5 without a password"))
            return
        if chosen == 2:
            await reader.readexactly(1)
            user = await reader.readexactly((await reader.readexactly(1))[0])
            password = await reader.readexactly((await reader.readexactly(1))[0])
            is_right = (user, password) == ((self.user or "").encode(), self.password.encode())
            writer.write(bytes((1, 0 if is_right else 1)))
            if not is_right:
                self.requests.append(Asked("SOCKS5 with a wrong password"))
                return
        _, _, _, kind = await reader.readexactly(4)
        if kind == 3:
            host = (await reader.readexactly((await reader.readexactly(1))[0])).decode()
        else:
            host = str(ip_address(await reader.readexactly(4 if kind == 1 else 16)))
        port = int.from_bytes(await reader.readexactly(2), "big")
        self.requests.append(Asked(f"SOCKS5 {host}:{port}"))
        if self.status is not None:
            writer.write(bytes((5, _SOCKS_NOT_ALLOWED, 0, 1, 0, 0, 0, 0, 0, 0)))
            return

        async def say(code: int) -> None:
            # In two pieces, as a network may bring it.
            writer.write(bytes((5, code, 0)))
            await writer.drain()
            await asyncio.sleep(0)
            writer.write(bytes((1, 127, 0, 0, 1)) + port.to_bytes(2, "big"))
            await writer.drain()

        await self._bring(reader, writer, port, b"", b"", say)

    # ---- both ----------------------------------------------------------------------------------------------------

    async def _bring(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        port: int,
        answer: bytes,
        onward: bytes,
        say: Callable[[int], Awaitable[None]] | None = None,
    ) -> None:
        """Connect to this machine at a port, answer, and carry bytes to and fro until both sides have ended."""
        try:
            there, back = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            if say is not None:
                await say(_SOCKS_REFUSED)
            else:
                writer.write(b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n")
            return
        try:
            writer.write(answer)
            if say is not None:
                await say(_SOCKS_OK)
            back.write(onward)
            await asyncio.gather(_carry(reader, back), _carry(there, writer))
        finally:
            back.close()


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while chunk := await source.read(_LIMIT):
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
        else:
            target.close()


def has_ipv6() -> bool:
    """Tell whether this machine has the loopback address of IPv6."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False
