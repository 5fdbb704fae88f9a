"""Deliveries to callback URLs: at least once, in order for each URL, tried again with growing pauses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from videodb_cli.local.http.answers import invalid
from videodb_cli.network.errors import CannotReachError
from videodb_cli.network.failures import FINAL, reason_of

if TYPE_CHECKING:
    import httpx

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 1.0
MAX_ATTEMPTS: Final = 8  # with pauses of 1, 2, 4 … 64 s: two minutes
MAX_WAITING: Final = 1000  # for one URL
_TIMEOUT_S: Final = 10.0
_END_S: Final = 2.0
# In the place of a status: there was none, and trying again may help, or cannot.
_LATER: Final = 600
_NEVER: Final = 0


def checked_callback(url: str | None) -> str | None:
    """``url`` if it can be delivered to. Raises `ServiceError` 400."""
    if url is None:
        return None
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable:
        raise invalid("callback_url must be an http or https address")
    return url


class Webhooks:
    """Queues and delivers. Used from the event loop only."""

    def __init__(self, *, first_pause_s: float = FIRST_PAUSE_S) -> None:
        self.first_pause_s = first_pause_s
        self._queues: dict[str, asyncio.Queue[Mapping[str, object]]] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._client: httpx.AsyncClient | None = None

    def send(self, url: str | None, body: Mapping[str, object]) -> None:
        """Deliver ``body`` to ``url`` in the background; nothing happens without a URL."""
        if url is None:
            return
        queue = self._queues.setdefault(url, asyncio.Queue(MAX_WAITING))
        try:
            queue.put_nowait(body)
        except asyncio.QueueFull:
            log.warning("a webhook is dropped: %d wait for %s already", MAX_WAITING, _shown(url))
            return
        if url not in self._workers:
            self._workers[url] = asyncio.ensure_future(self._work(url, queue))

    async def close(self) -> None:
        """Give what waits two more seconds, then give it up."""
        if self._workers:
            await asyncio.wait(self._workers.values(), timeout=_END_S)
        for worker in list(self._workers.values()):
            worker.cancel()
        await asyncio.gather(*self._workers.values(), return_exceptions=True)
        if self._client is not None:
            await self._client.aclose()

    async def _work(self, url: str, queue: asyncio.Queue[Mapping[str, object]]) -> None:
        try:
            while not queue.empty():
                await self._deliver(url, queue.get_nowait())
        finally:
            del self._queues[url], self._workers[url]

    async def _deliver(self, url: str, body: Mapping[str, object]) -> None:
        problem = ""
        for attempt in range(MAX_ATTEMPTS):
            if attempt:
                await asyncio.sleep(self.first_pause_s * 2 ** (attempt - 1))
            status, problem = await self._try(url, body)
            if status < 300 or (400 <= status < 500 and status not in {408, 429}):
                break
        if problem:
            log.warning("the webhook %s was not taken by %s: %s", body.get("event"), _shown(url), problem)

    async def _try(self, url: str, body: Mapping[str, object]) -> tuple[int, str]:
        """The status of one attempt (`_LATER` or `_NEVER` if there was none), and what was wrong with it."""
        import httpx

        from videodb_cli.network.client import new_client

        if self._client is None:
            self._client = new_client(timeout=_TIMEOUT_S)
        try:
            answer = await self._client.post(url, json=dict(body))
        except FINAL as error:
            return _NEVER, str(error)
        except CannotReachError as error:
            return _LATER, str(error)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            return _LATER, reason_of(error).replace(url, "…")
        return answer.status_code, "" if answer.status_code < 300 else f"it answered {answer.status_code}"


def _shown(url: str) -> str:
    """The address without what may be secret in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}"
