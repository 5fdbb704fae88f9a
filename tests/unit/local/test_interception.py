"""The proxy of `videodb local run`: one host's traffic goes to the service, the rest where it was meant to go."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from videodb_cli.local.interception import SERVICE_HOST, InterceptingProxy
from videodb_cli.local.rtsp.certificate import make_certificate


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer with the head of the request as the body."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        writer.close()
        return
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + head)
    await writer.drain()
    writer.close()


@asynccontextmanager
async def proxied(directory: Path) -> AsyncIterator[tuple[int, int]]:
    """The ports of a proxy and of the server that stands for the service, and for any other host."""
    key, certificate = make_certificate([SERVICE_HOST], now=datetime.now(UTC))
    (directory / "key.pem").write_bytes(key)
    (directory / "certificate.pem").write_bytes(certificate)
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    proxy = InterceptingProxy(port, directory / "certificate.pem", directory / "key.pem")
    await proxy.start()
    try:
        yield urlsplit(proxy.url).port or 0, port
    finally:
        await proxy.close()
        server.close()


async def ask(port: int, request: str) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request.encode("latin-1"))
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return answer.decode()


async def test_a_tunnel_to_the_service_is_answered_with_its_certificate(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"CONNECT {SERVICE_HOST}:443 HTTP/1.1\r\nHost: {SERVICE_HOST}\r\n\r\n".encode())
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 200 Connection established\r\n\r\n"
        trust = ssl.create_default_context(cafile=str(tmp_path / "certificate.pem"))
        await writer.start_tls(trust, server_hostname=SERVICE_HOST)
        writer.write(b"GET /collection HTTP/1.1\r\nHost: api.videodb.io\r\n\r\n")
        assert b"GET /collection HTTP/1.1" in await asyncio.wait_for(reader.read(), 20)
        writer.close()


async def test_a_client_that_does_not_trust_it_breaks_nothing(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"CONNECT {SERVICE_HOST}:443 HTTP/1.1\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        with pytest.raises(ssl.SSLCertVerificationError):
            await writer.start_tls(ssl.create_default_context(), server_hostname=SERVICE_HOST)
        writer.close()
        assert "GET / HTTP" in await ask(port, f"GET https://{SERVICE_HOST}/ HTTP/1.1\r\n\r\n")


async def test_absolute_addresses_are_forwarded_one_a_connection(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (port, other):
        ours = await ask(
            port,
            f"POST https://{SERVICE_HOST}/rtstream?a=b HTTP/1.1\r\nHost: {SERVICE_HOST}\r\n"
            "Proxy-Connection: keep-alive\r\nProxy-Authorization: Basic c2VjcmV0\r\nx-access-token: k\r\n\r\n",
        )
        assert "POST /rtstream?a=b HTTP/1.1\r\n" in ours
        assert "x-access-token: k" in ours
        assert "Proxy-" not in ours
        assert "Connection: close" in ours
        assert "GET / HTTP/1.1" in await ask(port, f"GET http://127.0.0.1:{other} HTTP/1.1\r\n\r\n")
        tunnel = await ask(port, f"CONNECT 127.0.0.1:{other} HTTP/1.1\r\n\r\nGET /x HTTP/1.1\r\n\r\n")
        assert tunnel.startswith("HTTP/1.1 200 Connection established")
        assert "GET /x HTTP/1.1" in tunnel


@pytest.mark.parametrize(
    ("request_head", "status"),
    [
        ("GET /collection HTTP/1.1\r\n\r\n", 400),
        ("GET https://example.org/ HTTP/1.1\r\n\r\n", 400),
        ("CONNECT :443 HTTP/1.1\r\n\r\n", 400),
        ("CONNECT host:port HTTP/1.1\r\n\r\n", 400),
        ("hello\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nx: " + "y" * 100_000 + "\r\n\r\n", 400),
        ("CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", 502),
    ],
)
async def test_what_cannot_be_forwarded_is_refused(tmp_path: Path, request_head: str, status: int) -> None:
    async with proxied(tmp_path) as (port, _):
        assert (await ask(port, request_head)).startswith(f"HTTP/1.1 {status} ")
