"""One question to an OpenAI-compatible endpoint: at most one retry, one time limit for all of it."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING, Any, Final

import orjson

from videodb_cli.local.describe.options import KEY_NAME
from videodb_cli.network.errors import CannotReachError
from videodb_cli.network.failures import FINAL, reason_of

if TYPE_CHECKING:
    import httpx

    from videodb_cli.local.describe.options import DescribeOptions
    from videodb_cli.local.describe.prompts import Messages
    from videodb_cli.settings import Secret

MAX_TOKENS: Final = 1024
_MAX_ANSWER_BYTES: Final = 1024 * 1024
_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 3.0  # a longer Retry-After is left to the caller
_PASSING: Final = frozenset({408, 425, 429, 500, 502, 503, 504})


class EndpointError(Exception):
    """The endpoint did not answer. The text says why, and holds no secret.

    Attributes:
        retry_after_s: How long it wants to be left alone, None if it did not say.
    """

    def __init__(self, reason: str, *, may_pass: bool = False, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.may_pass = may_pass
        self.retry_after_s = retry_after_s


class Endpoint:
    """Asks a model by ``POST …/v1/chat/completions``. Used on one event loop; whoever made it closes it."""

    def __init__(self, options: DescribeOptions, key: Secret | None) -> None:
        self.options = options
        self._key = key
        self._model = options.model
        self._client: httpx.AsyncClient | None = None

    @property
    def model(self) -> str:
        """The name of the model; without one the word ``endpoint``, until it has been asked."""
        return self._model or "endpoint"

    async def ask(self, messages: Messages) -> str:
        """Return the text of the answer. Raises `EndpointError`, at the latest after ``timeout_s``."""
        limit = self.options.timeout_s
        try:
            async with asyncio.timeout(limit):
                return await self._ask(messages)
        except TimeoutError:
            raise EndpointError(f"it did not answer within {limit:g} s") from None

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()

    async def _ask(self, messages: Messages) -> str:
        try:
            return await self._once(messages)
        except EndpointError as error:
            pause = error.retry_after_s if error.retry_after_s is not None else _PAUSE_S
            if not error.may_pass or pause > _LONGEST_PAUSE_S:
                raise
        await asyncio.sleep(pause)
        return await self._once(messages)

    async def _once(self, messages: Messages) -> str:
        if self._model is None:
            self._model = _first_model(await self._send("GET", "/models", None))
        body = {"model": self._model, "messages": messages, "max_tokens": MAX_TOKENS, "stream": False}
        # A picture of some hundred kilobytes: encoded at once, it holds the loop up for a millisecond.
        return _content(await self._send("POST", "/chat/completions", orjson.dumps(body)))

    async def _send(self, method: str, path: str, body: bytes | None) -> Any:
        import httpx

        try:
            status, headers, content = await self._exchange(method, self.options.url + path, body)
        except FINAL as error:
            raise EndpointError(str(error)) from None
        except CannotReachError as error:
            raise EndpointError(str(error), may_pass=True) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            raise EndpointError(reason_of(error), may_pass=True) from None
        if status >= 300:
            raise self._refusal(status, headers.get("retry-after"))
        try:
            return orjson.loads(content)
        except orjson.JSONDecodeError:
            raise EndpointError("it answered with something else than JSON") from None

    async def _exchange(self, method: str, url: str, body: bytes | None) -> tuple[int, httpx.Headers, bytes]:
        from videodb_cli.network.client import new_client

        if self._client is None:
            self._client = new_client(timeout=None)  # `ask` limits all of a call
        headers = {"content-type": "application/json"}
        if self._key is not None:
            headers["authorization"] = f"Bearer {self._key.reveal()}"
        async with self._client.stream(method, url, content=body, headers=headers) as answer:
            content = bytearray()
            async for block in answer.aiter_bytes():
                content += block
                if len(content) > _MAX_ANSWER_BYTES:
                    raise EndpointError("its answer is too large")
            return answer.status_code, answer.headers, bytes(content)

    def _refusal(self, status: int, retry_after: str | None) -> EndpointError:
        reason = f"it answered {status}"
        if status in {401, 403}:
            reason += f" (is {KEY_NAME} right?)"
        elif status == 404:
            reason += f" (does it have the model {self.model}?)"
        return EndpointError(reason, may_pass=status in _PASSING, retry_after_s=_seconds(retry_after))


def _seconds(retry_after: str | None) -> float | None:
    """Return the seconds of a ``Retry-After``; a date in it counts as none."""
    try:
        seconds = float(retry_after or "")
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _first_model(listed: Any) -> str:
    data = listed.get("data") if isinstance(listed, dict) else None
    for one in data if isinstance(data, list) else ():
        if isinstance(one, dict) and isinstance(one.get("id"), str) and one["id"]:
            return str(one["id"])
    raise EndpointError("it lists no model (name one: --model M)")


def _content(answer: Any) -> str:
    try:
        content = answer["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        content = None
    if not isinstance(content, str):
        raise EndpointError("its answer is no chat completion")
    return content
