"""The control plane over HTTP: one method for each endpoint, typed answers, typed errors.

Paths and shapes follow the public API description of the service. The token goes into ``x-access-token``; a redirect
is followed only within the same scheme, host and port, so that it cannot carry the token elsewhere.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import orjson

from videodb_cli import diagnostics
from videodb_cli.api.capture_calls import CaptureCalls
from videodb_cli.api.failures import RequestFailedError, refusal_of
from videodb_cli.network.errors import CannotReachError
from videodb_cli.network.failures import reason_of
from videodb_cli.network.route import USER_AGENT, decide
from videodb_cli.settings import Credentials

if TYPE_CHECKING:
    import httpx

# One call, from name resolution to the last byte of the answer.
CALL_TIMEOUT_S = 20.0
_MAX_BODY_BYTES = 16 << 20
_MAX_RETRY_AFTER_S = 3600.0
_MAX_REDIRECTS = 3
_log = diagnostics.Logger("videodb_cli.api")
_SOCKET_URL = re.compile(r"(wss?://)[^\s\"']+", re.IGNORECASE)


class ControlPlane(CaptureCalls):
    """Calls to one service with one token. Use as ``async with``, or call `close`."""

    def __init__(self, credentials: Credentials, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self._credentials = credentials
        self._timeout_s = timeout_s
        self._client: httpx.AsyncClient | None = None
        # How often each call has failed since it last worked.
        self._failures: dict[tuple[str, str], int] = {}
        # Seconds by which the service's clock is ahead of ours, from the last answer's Date; None before it.
        self.clock_offset_s: float | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. Idempotent."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def use(self, credentials: Credentials) -> None:
        """Use another address or token from the next call on."""
        if credentials != self._credentials:
            await self.close()
            self._credentials = credentials

    # ---- endpoints -----------------------------------------------------------------------------------------------

    async def websocket_url(self, collection_id: str) -> str:
        """Return a fresh socket URL: opaque, secret, used once. Raises as `call` does."""
        data = await self.call("GET", f"/collection/{quote(collection_id, safe='')}/websocket")
        url = data.get("websocket_url")
        if not isinstance(url, str) or not url:
            raise RequestFailedError("the service answered without a socket URL")
        return url

    async def create_rtstream(
        self,
        url: str,
        *,
        name: str,
        collection_id: str = "default",
        media_types: Sequence[str] = ("video", "audio"),
        store: bool = False,
        ws_connection_id: str | None = None,
    ) -> dict[str, Any]:
        """Let the service read a live source. Returns ``{id, name, status, media_types, …}``."""
        body: dict[str, Any] = {
            "url": url,
            "name": name,
            "collection_id": collection_id,
            "media_types": list(media_types),
            "store": store,
        }
        return await self.call("POST", "/rtstream", _with(body, ws_connection_id=ws_connection_id))

    async def rtstream(self, rtstream_id: str) -> dict[str, Any]:
        """Return one stream: ``{id, name, status, …}``."""
        return await self.call("GET", f"/rtstream/{quote(rtstream_id, safe='')}")

    async def export_rtstream(self, rtstream_id: str, *, name: str | None = None) -> dict[str, Any]:
        """Make a video of the recording of a stream. Returns ``{video_id, stream_url, player_url, duration, …}``."""
        return await self.call("POST", f"/rtstream/{quote(rtstream_id, safe='')}/export", _with({}, name=name))

    async def start_transcription(self, rtstream_id: str, *, ws_connection_id: str | None = None) -> dict[str, Any]:
        """Start speech to text of a stream, with events to this connection. Returns ``{status, engine}``."""
        return await self.call(
            "POST",
            f"/rtstream/{quote(rtstream_id, safe='')}/transcription",
            _with({"action": "start"}, ws_connection_id=ws_connection_id),
        )

    async def start_visual_index(
        self,
        rtstream_id: str,
        *,
        prompt: str,
        extraction_config: Mapping[str, Any] | None = None,
        ws_connection_id: str | None = None,
    ) -> dict[str, Any]:
        """Start a visual index, as ``index_visuals`` of the SDK does. Returns ``{rtstream_index_id, …}``."""
        body = {
            "extraction_type": "time",
            "extraction_config": dict(extraction_config or {}),
            "prompt": prompt,
        }
        return await self.call(
            "POST",
            f"/rtstream/{quote(rtstream_id, safe='')}/index/scene",
            _with(body, ws_connection_id=ws_connection_id),
        )

    # ---- the call ------------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make one call and return the member ``data`` of its answer.

        Raises:
            VideodbError: The service refused the call; see `refusal_of`. KeyRefusedError is one of these.
            NetworkConfigurationError: The proxy or the certificates cannot work (`network.failures.FINAL`).
            RequestFailedError: Everything else, for example a proxy's own 403.
        """
        began = time.monotonic()
        call = (method, path.partition("?")[0])
        attempt = self._failures.get(call, 0) + 1
        try:
            status, retry_after, content = await self._answer(method, path, body)
        except RequestFailedError as error:
            self._failures[call] = attempt
            _log.debug("%s %s failed after %.0f ms, attempt %d: %s", *call, _ms_since(began), attempt, error)
            raise
        asked_s = retry_after_s(retry_after, self._service_time())
        asked = "" if asked_s is None else f", retry after {asked_s:g} s"
        _log.debug(
            "%s %s answered HTTP %d after %.0f ms, attempt %d%s", *call, status, _ms_since(began), attempt, asked
        )
        if 200 <= status < 300:
            self._failures.pop(call, None)
        else:
            self._failures[call] = attempt
        return self._data_of(status, retry_after, content)

    async def _answer(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, str | None, bytes]:
        """Return status, Retry-After and body. Raises RequestFailedError if there is none, and `FINAL` errors."""
        import httpx

        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._exchange(method, path, body)
        except TimeoutError:
            by = decide(self._credentials.base_url).by
            raise RequestFailedError(
                f"{self._credentials.host} did not answer within {self._timeout_s:g} s{by}"
            ) from None
        except CannotReachError as error:
            raise RequestFailedError(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
            raise RequestFailedError(f"{self._credentials.host}: {reason_of(error)}") from None

    async def _exchange(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, str | None, bytes]:
        client = self._client or self._connect()
        request = client.build_request(method, path, json=body)
        response = await client.send(request, stream=True)
        for _ in range(_MAX_REDIRECTS):
            onward = response.next_request
            if onward is None or _origin(onward.url) != _origin(request.url):
                break
            await response.aclose()
            response = await client.send(onward, stream=True)
        try:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > _MAX_BODY_BYTES:
                    raise RequestFailedError("the answer is larger than any that the service gives")
        finally:
            await response.aclose()
        self.clock_offset_s = _ahead_s(response.headers.get("date"), datetime.now(UTC), self.clock_offset_s)
        return response.status_code, response.headers.get("retry-after"), bytes(content)

    def _service_time(self) -> datetime:
        """Return the time by the service's clock, to compare its dates with: ours may be wrong by years."""
        return datetime.now(UTC) + timedelta(seconds=self.clock_offset_s or 0.0)

    def _connect(self) -> httpx.AsyncClient:
        from videodb_cli.network.client import new_client

        self._client = new_client(
            base_url=self._credentials.base_url,
            headers={"x-access-token": self._credentials.token.reveal(), "x-videodb-client": USER_AGENT},
            timeout=self._timeout_s,
        )
        return self._client

    def _data_of(self, status: int, retry_after: str | None, content: bytes) -> dict[str, Any]:
        try:
            answer = orjson.loads(content)
        except orjson.JSONDecodeError:
            answer = None
        if not isinstance(answer, dict):
            answer = None
        is_ours = answer is not None and answer.get("success") is False
        message = _message(answer, self._credentials.token.reveal())
        refusal = refusal_of(status, message, self._credentials) if is_ours else None
        if refusal is not None:
            raise refusal
        if not 200 <= status < 300 or is_ours:
            detail = f": {message}" if message else ""
            raise RequestFailedError(
                f"{self._credentials.host} answered HTTP {status}{detail}",
                status=status,
                retry_after_s=retry_after_s(retry_after, self._service_time()),
            )
        data = answer.get("data") if answer is not None else None
        if answer is None or not isinstance(data, dict | type(None)):
            raise RequestFailedError(
                f"{self._credentials.host} answered HTTP {status} with a body that is not the service's", status=status
            )
        return data or {}


def _ms_since(began: float) -> float:
    return (time.monotonic() - began) * 1000


def _with(body: dict[str, Any], **optional: Any) -> dict[str, Any]:
    """Add the members that have a value."""
    return {**body, **{name: value for name, value in optional.items() if value is not None}}


def _ahead_s(date: str | None, now: datetime, known: float | None) -> float | None:
    try:
        return (parsedate_to_datetime(date) - now).total_seconds() if date else known
    except (ValueError, TypeError):
        return known


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _message(answer: dict[str, Any] | None, key: str) -> str:
    """Return the service's message, without the key or the path of a socket URL, should it quote them."""
    message = answer.get("message") if answer is not None else None
    if not isinstance(message, str):
        return ""
    # Replaced before the message is cut, or half of a key could stay.
    return _SOCKET_URL.sub(r"\1…", " ".join(message.split()).replace(key, "…"))[:300]


def answered_at(date: str | None) -> datetime:
    """Return the time of an answer by the clock of the server (``Date``), else by ours."""
    ahead_s = _ahead_s(date, now := datetime.now(UTC), 0.0)
    return now + timedelta(seconds=ahead_s or 0.0)


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for (RFC 9110 §10.2.3), at most an hour.

    ``now`` is the time by the clock of the server.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError):
            return None
    if not seconds >= 0:
        return 0.0
    return min(seconds, _MAX_RETRY_AFTER_S)
