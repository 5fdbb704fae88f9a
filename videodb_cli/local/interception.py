"""A proxy on loopback that leads one host's traffic to the embedded service: what `videodb local run` gives a command.

Both official SDKs connect to ``https://api.videodb.io`` unless the program passes another address, and both honour
``HTTPS_PROXY``. This proxy answers for that host with a certificate of its own, which only the command's environment
trusts, and hands the requests to the embedded service. Every other host is reached as through an ordinary proxy.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger(__name__)

SERVICE_HOST: Final = "api.videodb.io"
_MAX_HEAD: Final = 64 * 1024
_HEAD_TIMEOUT_S: Final = 30.0
_CONNECT_TIMEOUT_S: Final = 15.0
_BLOCK: Final = 64 * 1024
_HOP_BY_HOP: Final = ("proxy-connection:", "proxy-authorization:", "connection:", "keep-alive:")


class NoProxyRequestError(Exception):
    """What a client sent is no request to a proxy."""


class InterceptingProxy:
    """An HTTP proxy on a free port of the loopback.

    Args:
        service_port: Where the embedded service listens on 127.0.0.1.
        certificate: The PEM certificate for `SERVICE_HOST`.
        key: Its private key.
    """

    def __init__(self, service_port: int, certificate: Path, key: Path) -> None:
        self._service_port = service_port
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._context.set_alpn_protocols(["http/1.1"])
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def start(self) -> None:
        """Listen; `url` is known then."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_MAX_HEAD)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        """Listen no longer, and cut what is open."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - asyncio.start_server makes one for each connection
        self._tasks.add(task)
        try:
            await self._handle(reader, writer)
        except NoProxyRequestError as error:
            await _answer(writer, "400 Bad Request", str(error))
        except asyncio.CancelledError:
            pass  # by `close`; asyncio's own callback for the end of a connection cannot bear it
        except TimeoutError:
            await _answer(writer, "504 Gateway Timeout", "The host did not answer in time")
        except OSError as error:
            await _answer(writer, "502 Bad Gateway", f"The host cannot be reached: {error.strerror or error}")
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await _read_head(reader)
        if head is None:
            return
        method, target, version = _request_line(head)
        if method == "CONNECT":
            host, port = _host_and_port(f"//{target}", 443)
            await self._tunnel(host, port, reader, writer)
            return
        parts = urlsplit(target)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise NoProxyRequestError("The request names no host: this is a proxy")
        host, port = _host_and_port(target, 443 if parts.scheme == "https" else 80)
        is_ours = host == SERVICE_HOST
        if parts.scheme == "https" and not is_ours:
            raise NoProxyRequestError("An https address is reached by CONNECT")
        address = ("127.0.0.1", self._service_port) if is_ours else (host, port)
        upstream = await _connect(*address)
        path = f"{parts.path or '/'}{'?' if parts.query else ''}{parts.query}"
        upstream[1].write(_forwarded(head, f"{method} {path} {version}"))
        await _pipe(reader, writer, *upstream)

    async def _tunnel(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_ours = host == SERVICE_HOST
        upstream = await _connect(*(("127.0.0.1", self._service_port) if is_ours else (host, port)))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await writer.drain()
        if is_ours:
            try:
                await writer.start_tls(self._context)
            except (ssl.SSLError, OSError) as error:
                log.debug("a client did not take the certificate for %s: %s", SERVICE_HOST, error)
                upstream[1].close()
                return
        await _pipe(reader, writer, *upstream)


async def _read_head(reader: asyncio.StreamReader) -> bytes | None:
    try:
        return await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _HEAD_TIMEOUT_S)
    except asyncio.IncompleteReadError:
        return None
    except asyncio.LimitOverrunError:
        raise NoProxyRequestError("The head of the request is too large") from None


def _request_line(head: bytes) -> tuple[str, str, str]:
    parts = head.partition(b"\r\n")[0].decode("latin-1").split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise NoProxyRequestError("This is no HTTP request")
    return parts[0], parts[1], parts[2]


def _host_and_port(address: str, default: int) -> tuple[str, int]:
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise NoProxyRequestError("The request names no host")
    return host, port or default


def _forwarded(head: bytes, request_line: str) -> bytes:
    """The head for the host itself: one request a connection, because the next may name another host."""
    lines = head.decode("latin-1").split("\r\n")[1:-2]
    kept = [line for line in lines if not line.lower().startswith(_HOP_BY_HOP)]
    return "\r\n".join((request_line, *kept, "Connection: close", "", "")).encode("latin-1")


async def _connect(host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.wait_for(asyncio.open_connection(host, port), _CONNECT_TIMEOUT_S)


async def _pipe(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    upstream_reader: asyncio.StreamReader,
    upstream_writer: asyncio.StreamWriter,
) -> None:
    """Hand on bytes in both directions until both have ended, or one has broken."""
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, upstream_writer))
            group.create_task(_copy(upstream_reader, writer))
    except* OSError:
        log.debug("a connection through the proxy broke")
    finally:
        upstream_writer.close()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    while block := await source.read(_BLOCK):
        target.write(block)
        await target.drain()
    if target.can_write_eof():
        target.write_eof()
    else:
        target.close()  # TLS has no half-closed connection


async def _answer(writer: asyncio.StreamWriter, status: str, sentence: str) -> None:
    body = f"{sentence}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    with contextlib.suppress(OSError):
        writer.write(f"{head}Connection: close\r\n\r\n".encode() + body)
        await writer.drain()
