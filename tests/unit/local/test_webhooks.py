"""Webhooks go out by the same decision as everything else: by the proxy, or directly to this machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from tests.fakes.proxy import Proxy
from videodb_cli.local.webhooks import Webhooks
from videodb_cli.network.route import USER_AGENT


class Endpoint:
    """Takes every POST and remembers its headers."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.port = 0
        self.arrived = asyncio.Event()

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        body = next(line for line in head.lower().splitlines() if line.startswith("content-length:"))
        await reader.readexactly(int(body.split(":")[1]))
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()
        self.heads.append(head)
        self.arrived.set()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    found = Endpoint()
    async with await asyncio.start_server(found.take, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


async def deliver(url: str, endpoint: Endpoint) -> None:
    webhooks = Webhooks(first_pause_s=0.01)
    webhooks.send(url, {"event": "x"})
    async with asyncio.timeout(10):
        await endpoint.arrived.wait()
    await webhooks.close()


async def test_to_this_machine_directly(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(status=502) as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.setenv("ALL_PROXY", "socks4://nonsense")
        await deliver(f"http://127.0.0.1:{endpoint.port}/hook", endpoint)
        assert proxy.asked == []
    assert f"user-agent: {USER_AGENT}" in endpoint.heads[0].lower()


async def test_elsewhere_by_the_proxy(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy(user="me", password="hush") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        await deliver(f"http://hook.test:{endpoint.port}/hook", endpoint)
        assert proxy.asked == [f"POST http://hook.test:{endpoint.port}/hook"]
    assert "proxy-authorization" not in endpoint.heads[0].lower()


async def test_what_cannot_work_is_not_tried_again(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Proxy(user="me", password="hush") as proxy, caplog.at_level(logging.WARNING):
        monkeypatch.setenv("HTTP_PROXY", f"http://me:hushhush@{proxy.place}")
        webhooks = Webhooks(first_pause_s=0.01)
        webhooks.send(f"http://hook.test:{endpoint.port}/hook?secret", {"event": "x"})
        async with asyncio.timeout(10):
            while not caplog.messages:  # noqa: ASYNC110 - a list
                await asyncio.sleep(0.01)
        await webhooks.close()
        assert len(proxy.asked) == 1
    said = f"the proxy http://{proxy.place} refuses the user and password that HTTP_PROXY has (HTTP 407)"
    assert caplog.messages == [f"the webhook x was not taken by http://hook.test: {said}"]
