"""The stand-in of the event side keeps to the protocol, as a plain client sees it."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from tests.fakes.event_service import KEY, Answer, EventService, close, cut, refusal, send


def ask(service: EventService, key: str = KEY) -> tuple[int, Any, dict[str, str]]:
    request = urllib.request.Request(f"{service.url}/collection/default/websocket", headers={"x-access-token": key})
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return response.status, json.load(response), dict(response.headers)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode(), dict(error.headers)


def socket_url(service: EventService) -> str:
    url: str = ask(service)[1]["data"]["websocket_url"]
    return url


async def test_a_fresh_url_each_time_then_the_id_then_the_script() -> None:
    with EventService(send('{"a":1}', b"\xff"), close(1001, "bye"), cut) as service:
        urls = [await asyncio.to_thread(socket_url, service) for _ in range(3)]
        assert len(set(urls)) == 3
        async with connect(urls[0]) as socket:
            assert [await socket.recv() for _ in range(3)] == ['{"connection_id": "ws-1"}', '{"a":1}', b"\xff"]
            await asyncio.to_thread(service.send, "more")
            assert await socket.recv() == "more"
            assert service.open_connections == 1
        for url, code in ((urls[1], 1001), (urls[2], 1006)):
            async with connect(url) as socket:
                await socket.recv()
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert (closed.value.rcvd.code if closed.value.rcvd else 1006) == code
        await asyncio.to_thread(service.wait_until, lambda s: s.open_connections == 0)
        assert [path for path, _ in service.requests] == ["/collection/default/websocket"] * 3


def test_refusals_and_scripted_answers() -> None:
    with EventService(
        answers=[Answer(503, "busy", {"Retry-After": "7"}, content_type="text/html"), refusal(403)]
    ) as service:
        status, body, headers = ask(service)
        assert (status, body, headers["Retry-After"], headers["Content-Type"]) == (503, "busy", "7", "text/html")
        assert ask(service)[0] == 403
        assert ask(service)[0] == 200
        status, body, _ = ask(service, "wrong")
        assert (status, json.loads(body)["success"]) == (401, False)


@pytest.mark.parametrize("answers_pings", [True, False])
async def test_pings_can_go_unanswered(answers_pings: bool) -> None:
    with EventService(answer_pings=answers_pings) as service:
        url = await asyncio.to_thread(socket_url, service)
        async with connect(url, ping_interval=None) as socket:
            await socket.recv()
            pong = await socket.ping()
            if answers_pings:
                await asyncio.wait_for(pong, 5)
            else:
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(pong, 0.2)
                socket.transport.abort()


async def test_no_id_and_ids_of_choice() -> None:
    with EventService(send("x"), ids=lambda n: None if n == 1 else f"id {n}") as service:
        for expected in ("x", '{"connection_id": "id 2"}'):
            async with connect(await asyncio.to_thread(socket_url, service)) as socket:
                assert await socket.recv() == expected
