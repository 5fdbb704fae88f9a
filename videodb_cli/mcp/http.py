"""The transport over streamable HTTP, on loopback, for clients that know the token.

The token keeps other users of this machine out; the checks of Host and Origin keep pages of a browser out.
"""

from __future__ import annotations

import contextlib
import errno
import hmac
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import ConflictError, RefusedError
from videodb_cli.rundir import private

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mcp.server import Server

HOST = "127.0.0.1"
_PATH = "/mcp"
_MOST_BODY = 4 << 20
_MOST_CONNECTIONS = 64
_MOST_SESSIONS = 256
_SESSION_IDLE_S = 1800.0
_END_S = 3


def listening_socket(port: int) -> socket.socket:
    """Return a socket that listens on loopback; port 0 is any that is free. Raises ConflictError for one in use."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
        found.listen(_MOST_CONNECTIONS)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"port {port} is in use", code="port_in_use", hint="videodb mcp --http --port 0, or another number"
            ) from None
        raise RefusedError(f"cannot listen on port {port}: {error.strerror}", code="port") from error
    return found


def serve(server: Server[Any], place: Path, bound: socket.socket, tell: Callable[[str], None]) -> None:
    """Serve until a signal ends it. The token is in a private file of ``place``, which is removed at the end."""
    import uvicorn
    from mcp.server.transport_security import TransportSecuritySettings

    port = bound.getsockname()[1]
    token = secrets.token_urlsafe(32)
    file = place / f"videodb_mcp_token_{port}"
    hosts = [f"{name}:{port}" for name in (HOST, "localhost")]
    app = server.streamable_http_app(
        streamable_http_path=_PATH,
        transport_security=TransportSecuritySettings(
            enable_dns_rebinding_protection=True,
            allowed_hosts=hosts,
            allowed_origins=[f"http://{name}" for name in hosts],
        ),
        max_request_body_size=_MOST_BODY,
        max_sessions=_MOST_SESSIONS,
        session_idle_timeout=_SESSION_IDLE_S,
    )
    settings = uvicorn.Config(
        Guard(app, token),
        log_config=None,
        access_log=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=_END_S,
        timeout_keep_alive=60,
    )
    private.write_atomic(file, f"{token}\n".encode())
    try:
        tell(f"MCP at http://{HOST}:{port}{_PATH} · Authorization: Bearer, with the token in {file}")
        _quiet_server(settings).run(sockets=[bound])
    finally:
        with contextlib.suppress(OSError):
            os.unlink(file)  # noqa: PTH108 - as the other private files are removed


def _quiet_server(settings: Any) -> Any:
    """Return a uvicorn server for which a signal is an orderly end: its own one sends the signal to itself again."""
    import uvicorn

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            numbers = (signal.SIGINT, signal.SIGTERM)
            before = {number: signal.signal(number, self.handle_exit) for number in numbers}
            try:
                yield
            finally:
                for number, handler in before.items():
                    signal.signal(number, handler)

    return Server(settings)


class Guard:
    """Lets only requests with the token through."""

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self._wanted = f"Bearer {token}".encode()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 401 to a request without the token, and pass on others."""
        if scope["type"] == "http" and not self._is_allowed(scope):
            await _refuse(send)
            return
        await self._app(scope, receive, send)

    def _is_allowed(self, scope: Any) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and hmac.compare_digest(given[0], self._wanted)


async def _refuse(send: Any) -> None:
    body = b'{"error":"send the token: Authorization: Bearer TOKEN (videodb mcp --http says which file has it)"}'
    headers = [(b"content-type", b"application/json"), (b"www-authenticate", b'Bearer realm="videodb"')]
    await send({"type": "http.response.start", "status": 401, "headers": headers})
    await send({"type": "http.response.body", "body": body})
