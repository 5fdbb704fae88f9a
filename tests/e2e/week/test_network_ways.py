"""The client and the socket by every kind of way, in this process: what the proxy is asked, what is not followed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

from tests.fakes.authority import Authority
from tests.fakes.proxy import Proxy
from videodb_cli.network import tls
from videodb_cli.network.client import new_client
from videodb_cli.network.errors import CannotReachError, NetworkConfigurationError
from videodb_cli.network.route import USER_AGENT
from videodb_cli.network.websocket import open_websocket

NAME = "api.videodb.test"


class Service:
    """Answers over TLS: ``/`` with the path, ``/socket`` as a socket that echoes, ``/away`` with a redirect."""

    def __init__(self) -> None:
        self.port = 0
        self.paths: list[str] = []

    async def answer(self, connection: ServerConnection, request: Request) -> Response | None:
        self.paths.append(request.path)
        if request.path == "/socket":
            return None
        response = connection.respond(302 if request.path == "/away" else 200, request.path)
        if request.path == "/away":
            response.headers["Location"] = f"wss://localhost:{self.port}/socket"
        return response

    @staticmethod
    async def echo(connection: ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)


@pytest.fixture
async def service(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Service]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    for name in ("no_proxy", "NO_PROXY", tls.DIRECTORY_NAME):
        monkeypatch.delenv(name, raising=False)
    authority = Authority()
    monkeypatch.setenv(tls.FILE_NAME, str(authority.write_file(tmp_path / "ca.pem")))
    found = Service()
    context = authority.server_context(NAME, "localhost", "192.0.2.7")
    async with serve(found.echo, "127.0.0.1", 0, ssl=context, process_request=found.answer) as server:
        found.port = next(iter(server.sockets)).getsockname()[1]
        yield found


@pytest.mark.parametrize(
    ("scheme", "host", "asked"),
    [
        ("http", NAME, f"CONNECT {NAME}"),
        ("socks5h", NAME, f"SOCKS5 {NAME}"),
        ("socks5h", "192.0.2.7", "SOCKS5 192.0.2.7"),
        ("socks5", "192.0.2.7", "SOCKS5 192.0.2.7"),
    ],
)
async def test_client_and_socket_ask_for_the_same(
    service: Service, monkeypatch: pytest.MonkeyPatch, scheme: str, host: str, asked: str
) -> None:
    with Proxy("http" if scheme == "http" else "socks5") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{proxy.place}")
        async with new_client() as client:
            # The second request comes over the same connection, or over a new one if the service closed it.
            for _ in range(2):
                answer = await client.get(f"https://{host}:{service.port}/path")
                assert (answer.status_code, answer.text) == (200, "/path")
        async with await open_websocket(f"wss://{host}:{service.port}/socket") as opened:
            await opened.send("hello")
            assert await opened.recv() == "hello"
            assert opened.request is not None
            assert opened.request.headers["User-Agent"] == USER_AGENT
        assert set(proxy.asked) == {f"{asked}:{service.port}"}


@pytest.mark.parametrize(("scheme", "asked"), [("socks5", "192.0.2.7"), ("socks5h", NAME)])
async def test_who_resolves_names(service: Service, monkeypatch: pytest.MonkeyPatch, scheme: str, asked: str) -> None:
    """As with curl: ``socks5`` resolves here, ``socks5h`` lets the proxy do it. REST and socket agree."""
    resolve = socket.getaddrinfo

    def lookup(host: str, *more: Any, **named: Any) -> Any:
        return resolve("192.0.2.7" if host == NAME else host, *more, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    with Proxy("socks5") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"{scheme}://{proxy.place}")
        async with new_client() as client:
            assert (await client.get(f"https://{NAME}:{service.port}/")).status_code == 200
        async with await open_websocket(f"wss://{NAME}:{service.port}/socket"):
            pass
        assert proxy.asked == [f"SOCKS5 {asked}:{service.port}"] * 2


async def test_a_socket_goes_where_it_was_sent(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        with pytest.raises(InvalidStatus) as refused:
            await open_websocket(f"wss://{NAME}:{service.port}/away")
        assert refused.value.response.status_code == 302
        assert proxy.asked == [f"CONNECT {NAME}:{service.port}"]
    assert service.paths == ["/away"]


async def test_a_password_is_in_no_exception(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(user="me", password="hush") as proxy:
        monkeypatch.setenv("ALL_PROXY", f"http://me:hushhush@{proxy.place}")
        async with new_client() as client:
            for attempt in (client.get(f"https://{NAME}:{service.port}/"), open_websocket(f"wss://{NAME}/socket")):
                with pytest.raises(NetworkConfigurationError) as refused:
                    await attempt
                assert refused.value.__context__ is None
                assert "hush" not in refused.value.message + str(refused.value.hint)


async def test_a_silent_proxy_is_named(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(manner="silent") as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        async with new_client(timeout=0.3) as client:
            with pytest.raises(CannotReachError, match=f"no answer in time .by the proxy http://{proxy.place}"):
                await client.get(f"https://{NAME}:{service.port}/")
        with pytest.raises(TimeoutError):
            await open_websocket(f"wss://{NAME}:{service.port}/socket", open_timeout=0.3)


async def test_a_renewed_ca_is_read_without_a_restart(
    service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    right = (tmp_path / "ca.pem").read_bytes()
    Authority().write_file(tmp_path / "other.pem").replace(tmp_path / "ca.pem")
    async with new_client() as client:
        address = f"https://localhost:{service.port}/"
        with pytest.raises(NetworkConfigurationError, match="not signed by a CA that is trusted here"):
            await client.get(address)
        (tmp_path / "new.pem").write_bytes(right)
        (tmp_path / "new.pem").replace(tmp_path / "ca.pem")
        assert (await client.get(address)).status_code == 200
        async with await open_websocket(f"wss://localhost:{service.port}/socket"):
            pass


async def test_an_idle_connection_that_ended_is_not_used_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By SOCKS our own stream tells whether the other side is still there."""
    served = 0

    async def serve_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal served
        await reader.readuntil(b"\r\n\r\n")
        served += 1
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve_once, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with Proxy("socks5") as proxy:
            monkeypatch.setenv("ALL_PROXY", proxy.url)
            async with new_client() as client:
                for number in (1, 2, 3):
                    assert (await client.get(f"http://a.test:{port}/")).text == "ok"
                    assert served == number
                    # Until the end of the connection has come by the proxy.
                    await _until(lambda: _has_ended(client))


def _has_ended(client: object) -> bool:
    ways = client._transport._ways.values()  # type: ignore[attr-defined]
    return all(connection.has_expired() for way in ways for connection in way._pool.connections)


async def _until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110 - somebody else's state
            await asyncio.sleep(0.005)
