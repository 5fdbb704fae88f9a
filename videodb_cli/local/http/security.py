"""Who may speak to the service: the key, client tokens, and a guard against web pages.

A page in the user's browser can send requests to loopback, and with DNS rebinding even read the answers. Hence the
``Host`` header must name this machine by an address or a name of its own, and a foreign ``Origin`` is refused.
"""

from __future__ import annotations

import secrets
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from videodb_cli.local.http.answers import ServiceError, failure, invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp, Receive, Scope, Send

MAX_BODY_BYTES: Final = 1024 * 1024
TOKEN_HEADER: Final = "x-access-token"  # noqa: S105 - the name of a header
_OPEN_PREFIXES: Final = ("/media/", "/play/")
_OPEN_PATHS: Final = ("/", "/openapi.json")


def new_key() -> str:
    """A random API key for one service."""
    return f"sk-local-{secrets.token_urlsafe(32)}"


def is_own_host(header: str, names: frozenset[str]) -> bool:
    """Whether a ``Host`` header names this service: any IP address literal, ``localhost``, or one of ``names``.

    A rebound DNS name is never an address literal, so those are safe on every interface.
    """
    host = header.strip().lower()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    if host in names or host == "localhost":
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Gate:
    """ASGI middleware: host, origin, key, and paths with or without a trailing slash.

    ``is_client_token`` says whether a token that is not the key opens the service; `/_local/` takes the key only.
    """

    def __init__(
        self, app: ASGIApp, *, key: str, is_client_token: Callable[[str], bool], host_names: frozenset[str]
    ) -> None:
        self._app = app
        self._key = key.encode()
        self._is_client_token = is_client_token
        self._host_names = host_names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or hand on with the path normalised."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        path = "/" + "/".join(part for part in str(scope["path"]).split("/") if part)
        scope = {**scope, "path": path, "raw_path": path.encode()}
        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": problem.error_code})
        else:
            await failure(problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> ServiceError | None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if not is_own_host(host, self._host_names):
            return ServiceError(403, "The Host header does not name this service", "HOST_REFUSED")
        path = scope["path"]
        if path.startswith(_OPEN_PREFIXES):
            return None  # the id in the path is the secret, and players in other pages may play it
        origin = headers.get("origin")
        if origin is not None and origin.lower() not in {f"http://{host.lower()}", f"https://{host.lower()}"}:
            return ServiceError(403, "Requests from web pages are refused", "ORIGIN_REFUSED")
        if path in _OPEN_PATHS or scope["type"] == "websocket":
            return None  # these say what this is; a socket shows its ticket
        return self._token_problem(headers.get(TOKEN_HEADER), path, scope["method"])

    def _token_problem(self, token: str | None, path: str, method: str) -> ServiceError | None:
        if not token:
            return ServiceError(401, "The x-access-token header is missing", "UNAUTHORIZED")
        if secrets.compare_digest(token.encode("utf-8", "surrogateescape"), self._key):
            return None
        if not self._is_client_token(token):
            return ServiceError(401, "The access token is invalid or has expired", "UNAUTHORIZED")
        if path.startswith("/_local/") or (path == "/capture/session/token" and method == "POST"):
            return ServiceError(403, "A client token may not do this: use the API key", "FORBIDDEN")
        return None


async def read_object(request: Request, limit: int = MAX_BODY_BYTES) -> dict[str, Any]:
    """The JSON object in the body, ``{}`` for none. Raises `ServiceError` 413 beyond ``limit`` bytes, else 400."""
    content = await read_json(request, limit)
    if not isinstance(content, dict):
        raise invalid("The request body must be a JSON object")
    return content


async def read_json(request: Request, limit: int = MAX_BODY_BYTES) -> Any:
    """The JSON value in the body, ``{}`` for none. Raises `ServiceError` 413 beyond ``limit`` bytes, else 400."""
    import orjson

    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise ServiceError(413, f"The request body is larger than {limit} bytes", "TOO_LARGE")
    if not body:
        return {}
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise invalid("The request body is not valid JSON") from None
