"""A WebSocket by the route that is decided for its address."""

from __future__ import annotations

import ssl
import time
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidProxyMessage, InvalidProxyStatus, InvalidStatus, WebSocketException

from videodb_cli import diagnostics
from videodb_cli.network import tls
from videodb_cli.network.failures import (
    broke_on_the_way,
    certificate_failure,
    chain,
    proxy_answered,
    proxy_talks_otherwise,
    proxy_unreachable,
    reason_of,
    socks_failed,
)
from videodb_cli.network.route import USER_AGENT, Route, decide, log_route

_log = diagnostics.Logger("videodb_cli.network")


class _Connect(connect):
    """A connection that follows no redirect: the other host could need another route."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_websocket(url: str, **options: Any) -> ClientConnection:
    """Open a socket, with these options of ``websockets.connect``.

    Raises what ``connect`` raises (WebSocketException, OSError, EOFError, ValueError, TimeoutError) for a failure of
    the server or of a direct connection; CannotReachError, or one of `network.failures.FINAL`, if it has to do with
    certificates or a proxy. Their sentences do not hold the URL, which may be secret.
    """
    route = decide(url)
    proxy = route.proxy
    options |= {"proxy": proxy.url().reveal() if proxy is not None else None, "user_agent_header": USER_AGENT}
    trusted = ""
    if route.is_tls or (proxy is not None and proxy.scheme == "https"):
        trust = tls.trust()
        trusted = trust.trusted
        options |= {"ssl": trust.context} if route.is_tls else {}
        options |= {"proxy_ssl": trust.context} if proxy is not None and proxy.scheme == "https" else {}
    log_route(route, trusted)
    began = time.monotonic()
    failure: Exception | None
    try:
        connection = await _Connect(url, **options)
    except (OSError, EOFError, WebSocketException) as error:
        took_ms = (time.monotonic() - began) * 1000
        _log.debug("socket to %s refused after %.0f ms: %s", route.target, took_ms, _kind_of(error))
        failure = _explained(error, route, trusted)
        if failure is None:
            raise
    else:
        _log.debug("socket to %s opened after %.0f ms", route.target, (time.monotonic() - began) * 1000)
        return connection
    # Raised outside of the except block, so that it has no context: messages of libraries may quote a password.
    raise failure


def _kind_of(error: Exception) -> str:
    """Return what went wrong without a library's own words, which may quote the URL."""
    status = error.response.status_code if isinstance(error, InvalidStatus | InvalidProxyStatus) else None
    return type(error).__name__ if status is None else f"HTTP {status}"


def _explained(error: Exception, route: Route, trusted: str) -> Exception | None:
    """Return what a failure means if certificates or a proxy have to do with it, else None."""
    if (refused := certificate_failure(error, route, trusted)) is not None:
        return refused
    proxy = route.proxy
    if proxy is None or isinstance(error, TimeoutError):
        return None
    if proxy.is_socks:
        return socks_failed(error, route)
    if isinstance(error, InvalidProxyStatus):
        return proxy_answered(error.response.status_code, route)
    if isinstance(error, InvalidProxyMessage):
        has_closed = any(isinstance(found, EOFError) for found in chain(error))
        why = "closed the connection without an answer" if has_closed else "does not answer as an HTTP proxy does"
        return proxy_talks_otherwise(route, why)
    if not isinstance(error, OSError):
        return None
    # The only TCP connection goes to the proxy; these errors happen only after it was opened.
    if isinstance(error, ConnectionResetError | ConnectionAbortedError | BrokenPipeError | ssl.SSLError):
        return broke_on_the_way(reason_of(error), error, route)
    return proxy_unreachable(reason_of(error), route)
