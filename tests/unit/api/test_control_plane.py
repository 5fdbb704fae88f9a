"""The control plane over a transport that answers from memory: what is asked, and what becomes of each answer."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.api.control_plane import ControlPlane, answered_at, retry_after_s
from videodb_cli.api.failures import (
    BadRequestError,
    KeyRefusedError,
    NoSuchThingError,
    OutOfCreditsError,
    RequestFailedError,
)
from videodb_cli.errors import ConflictError, VideodbError
from videodb_cli.settings import Credentials, Secret

KEY = "sk-test-0123456789abcdef"
BASE = "https://api.example/v1"
Handler = Callable[[httpx.Request], Any]


async def call(handler: Handler, *, timeout_s: float = 5) -> tuple[dict[str, Any], list[httpx.Request]]:
    asked: list[httpx.Request] = []

    async def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        found = handler(request)
        response: httpx.Response = await found if asyncio.iscoroutine(found) else found
        return response

    async with ControlPlane(
        Credentials(Secret(KEY), BASE, "the environment", "the environment"), timeout_s=timeout_s
    ) as plane:
        client = plane._connect()
        client._transport = httpx.MockTransport(answer)
        client._mounts = {}
        return await plane.call("GET", "/collection/default/websocket"), asked


def gives(status: int, **answer: Any) -> Handler:
    return lambda _: httpx.Response(status, **answer)


async def test_the_request() -> None:
    data, (request,) = await call(gives(200, json={"success": True, "data": {"websocket_url": "wss://x"}}))
    assert data == {"websocket_url": "wss://x"}
    assert str(request.url) == f"{BASE}/collection/default/websocket"
    assert request.headers["x-access-token"] == KEY
    assert request.headers["x-videodb-client"].startswith("videodb-cli/")
    assert "authorization" not in request.headers


FAILED: dict[str, Any] = {"success": False, "message": f"no: {KEY} is\nwrong", "error_code": "X"}


# None of them is 2: the command line was parsed before anything was asked.
STATUSES: dict[type[VideodbError], int] = {
    KeyRefusedError: 3,
    NoSuchThingError: 4,
    RequestFailedError: 5,
    OutOfCreditsError: 6,
    BadRequestError: 6,
    ConflictError: 9,
}


@pytest.mark.parametrize(
    ("handler", "kind"),
    [
        (gives(401, json=FAILED), KeyRefusedError),
        (gives(403, json=FAILED), KeyRefusedError),
        (gives(404, json=FAILED), NoSuchThingError),
        (gives(402, json=FAILED), OutOfCreditsError),
        (gives(410, json=FAILED), NoSuchThingError),
        (gives(409, json=FAILED), ConflictError),
        (gives(400, json=FAILED), BadRequestError),
        (gives(405, json=FAILED), BadRequestError),
        (gives(413, json=FAILED), BadRequestError),
        (gives(422, json=FAILED), BadRequestError),
        (gives(200, json=FAILED), BadRequestError),
        (gives(302, json=FAILED), RequestFailedError),
        (gives(408, json=FAILED), RequestFailedError),
        (gives(425, json=FAILED), RequestFailedError),
        (gives(429, json=FAILED), RequestFailedError),
        (gives(500, json=FAILED), RequestFailedError),
        (gives(503, json=FAILED), RequestFailedError),
        (gives(400, text="<html>Bad Request</html>"), RequestFailedError),
        (gives(422, json={"detail": []}), RequestFailedError),
        (gives(401, json={"message": "Unauthorized"}), RequestFailedError),
        (gives(403, text="<html>Forbidden</html>"), RequestFailedError),
        (gives(403, json=["success"]), RequestFailedError),
        (gives(404, text="not here"), RequestFailedError),
        (gives(200, text="hello"), RequestFailedError),
        (gives(200, content=b"\xff"), RequestFailedError),
        (gives(200, json={"success": True, "data": [1]}), RequestFailedError),
        (gives(302, headers={"location": "https://evil.example/"}), RequestFailedError),
        (gives(200, content=b"x" * (17 << 20)), RequestFailedError),
    ],
)
async def test_failures(handler: Handler, kind: type[VideodbError]) -> None:
    with pytest.raises(kind) as failed:
        await call(handler)
    assert type(failed.value) is kind
    assert failed.value.exit_status == STATUSES[kind]
    assert KEY not in str(failed.value)
    assert "\n" not in str(failed.value)


async def test_a_message_that_quotes_secrets() -> None:
    url = "wss://u:p@events.example/x?ticket=abc"
    handler = gives(500, json={"success": False, "message": f"{url} is gone. {'x' * 245} {KEY}"})
    with pytest.raises(RequestFailedError) as failed:
        await call(handler)
    said = str(failed.value)
    assert "HTTP 500: wss://… is gone. xxx" in said
    assert "ticket" not in said
    assert "sk-" not in said, "a key that is cut in two is half a key"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)
BODIES = st.binary(max_size=40) | st.fixed_dictionaries(
    {}, optional={"success": JSON, "message": JSON | st.just("KEY"), "error_code": JSON, "data": JSON}
).map(lambda body: json.dumps(body).encode())


@given(st.integers(200, 599), BODIES, st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_answer_is_more_than_a_failure(status: int, body: bytes, retry_after: str | None) -> None:
    """Any status with any body: data, or an error of ours, whose text quotes no key."""
    credentials = Credentials(Secret(KEY), BASE, "the environment", "the environment")
    failure: VideodbError | None = None
    try:
        data = ControlPlane(credentials)._data_of(status, retry_after, body.replace(b"KEY", KEY.encode()))
        assert isinstance(data, dict)
    except VideodbError as error:
        failure = error
    assert KEY not in str(failure)
    assert retry_after or getattr(failure, "retry_after_s", None) is None


async def test_redirects_only_within_the_same_origin() -> None:
    def once(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/"):
            return httpx.Response(200, json={"success": True, "data": {}})
        return httpx.Response(307, headers={"location": f"{request.url.path}/"})

    assert len((await call(once))[1]) == 2
    for elsewhere in ("https://evil.example/", "http://api.example/v1/", "https://api.example:444/"):
        asked: list[str] = []

        def away(request: httpx.Request, elsewhere: str = elsewhere, asked: list[str] = asked) -> httpx.Response:
            asked.append(request.url.host)
            return httpx.Response(302, headers={"location": elsewhere})

        with pytest.raises(RequestFailedError, match="HTTP 302"):
            await call(away)
        assert asked == ["api.example"]
    with pytest.raises(RequestFailedError):
        await call(lambda request: httpx.Response(302, headers={"location": str(request.url)}))


async def test_a_stall_ends_with_the_timeout() -> None:
    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(60)
        raise AssertionError

    with pytest.raises(RequestFailedError, match=r"did not answer within 0\.05 s"):
        await call(never, timeout_s=0.05)


@pytest.mark.parametrize(
    "error",
    [
        httpx.ConnectError("x"),
        httpx.ReadError(""),
        httpx.RemoteProtocolError("odd"),
        OSError(111, "refused"),
        ValueError("a label of the name is too long"),
    ],
    ids=repr,
)
async def test_transport_failures(error: Exception) -> None:
    def fail(_: httpx.Request) -> httpx.Response:
        raise error

    with pytest.raises(RequestFailedError, match=r"^api\.example: ."):
        await call(fail)


async def test_retry_after_reaches_whoever_waits() -> None:
    with pytest.raises(RequestFailedError) as failed:
        await call(gives(429, headers={"retry-after": "7"}))
    assert (failed.value.status, failed.value.retry_after_s) == (429, 7)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("5", 5),
        ("0.5", 0.5),
        ("-3", 0),
        ("nan", 0),
        ("inf", 3600),
        ("99999999", 3600),
        ("Mon, 02 Mar 2026 10:00:10 GMT", 10),
        ("Mon, 02 Mar 2026 09:00:00 GMT", 0),
        ("Mon, 02 Mar 2026 10:00:10", None),
    ],
)
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after_s(value, datetime(2026, 3, 2, 10, tzinfo=UTC)) == seconds


async def test_a_date_in_retry_after_is_by_the_clock_of_the_service() -> None:
    """Ours may be wrong by years: on a board without a battery it begins in 1970."""
    headers = {"date": "Mon, 02 Mar 2026 10:00:00 GMT", "retry-after": "Mon, 02 Mar 2026 10:00:07 GMT"}
    with pytest.raises(RequestFailedError) as failed:
        await call(gives(503, headers=headers))
    assert failed.value.retry_after_s == pytest.approx(7, abs=1)
    assert retry_after_s(headers["retry-after"], answered_at(headers["date"])) == pytest.approx(7, abs=1)
    assert abs((answered_at(None) - datetime.now(UTC)).total_seconds()) < 1


# ---- log records -----------------------------------------------------------------------------------------------------


async def test_each_call_is_logged_with_its_attempt_and_without_its_query(caplog: pytest.LogCaptureFixture) -> None:
    answers: list[httpx.Response | Exception] = [
        httpx.Response(503, headers={"retry-after": "7"}),
        httpx.ConnectError("no way"),
        *(httpx.Response(200, json={"success": True, "data": {}}) for _ in range(3)),
    ]
    both_ask = asyncio.Barrier(2)
    at_once = False

    async def answer(_: httpx.Request) -> httpx.Response:
        if at_once:
            await both_ask.wait()
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    with caplog.at_level(logging.DEBUG, "videodb_cli.api"):
        async with ControlPlane(Credentials(Secret(KEY), BASE, "a test", "a test")) as plane:
            client = plane._connect()
            client._transport = httpx.MockTransport(answer)
            for _ in range(2):
                with pytest.raises(RequestFailedError):
                    await plane.call("GET", "/rtstream/r/transcription?page=secret")
            await plane.call("GET", "/rtstream/r/transcription?page=secret")
            at_once = True
            # The second answer of the same call must not stumble over what the first has forgotten.
            await asyncio.gather(*(plane.call("GET", "/rtstream/r/transcription") for _ in range(2)))
    said = [re.sub(r"\d+ ms", "N ms", record.getMessage()) for record in caplog.records]
    assert said == [
        "GET /rtstream/r/transcription answered HTTP 503 after N ms, attempt 1, retry after 7 s",
        "GET /rtstream/r/transcription failed after N ms, attempt 2: api.example: no way",
        "GET /rtstream/r/transcription answered HTTP 200 after N ms, attempt 3",
        "GET /rtstream/r/transcription answered HTTP 200 after N ms, attempt 1",
        "GET /rtstream/r/transcription answered HTTP 200 after N ms, attempt 1",
    ]
