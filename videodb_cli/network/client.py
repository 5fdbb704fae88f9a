"""An HTTP client that decides for each request whether it goes directly or by a proxy."""

from __future__ import annotations

import ssl
from typing import Any

import httpcore
import httpx

from videodb_cli.network import tls
from videodb_cli.network.failures import (
    broke_on_the_way,
    certificate_failure,
    chain,
    proxy_answered,
    proxy_unreachable,
    reason_of,
    socks_failed,
)
from videodb_cli.network.proxies import Proxy
from videodb_cli.network.route import USER_AGENT, Route, decide, log_route


def new_client(**options: Any) -> httpx.AsyncClient:
    """Return a client with these options of httpx: it follows no redirect and reads nothing from the environment.

    Besides httpx's exceptions its requests raise NetworkConfigurationError and MissingNetworkPackageError, which are
    final, and CannotReachError.
    """
    headers = {"user-agent": USER_AGENT, **options.pop("headers", {})}
    return httpx.AsyncClient(
        transport=RoutedTransport(), headers=headers, trust_env=False, follow_redirects=False, **options
    )


class RoutedTransport(httpx.AsyncBaseTransport):
    """Decides the route of each request. Connections with the same proxy and certificates are shared."""

    def __init__(self) -> None:
        self._ways: dict[tuple[Proxy | None, ssl.SSLContext | None], httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request by its route."""
        route = decide(str(request.url))
        trust = tls.trust() if needs_tls(route) else None
        log_route(route, trust.trusted if trust is not None else "")
        key = (route.proxy, trust.context if trust is not None else None)
        if key not in self._ways:
            self._ways[key] = _way(route.proxy, key[1])
        failure: Exception | None
        try:
            response = await self._ways[key].handle_async_request(request)
        except Exception as error:
            failure = _explained(error, route, trust.trusted if trust is not None else "")
            if failure is None:
                raise
        else:
            if route.proxy is None or response.status_code != 407:
                return response
            # For plain http the proxy itself answers with 407.
            await response.aclose()
            failure = proxy_answered(407, route)
        # Raised outside of the except block, so that it has no context: messages of libraries may quote a password.
        raise failure

    async def aclose(self) -> None:
        """Close all connections."""
        for way in self._ways.values():
            await way.aclose()


def needs_tls(route: Route) -> bool:
    """Tell whether the connection to the host or to the proxy uses TLS."""
    return route.is_tls or (route.proxy is not None and route.proxy.scheme == "https")


def _way(proxy: Proxy | None, context: ssl.SSLContext | None) -> httpx.AsyncHTTPTransport:
    # Loading certificates takes half of the start-up time, so plain connections do without.
    verify: ssl.SSLContext | bool = context if context is not None else False
    if proxy is None:
        return httpx.AsyncHTTPTransport(verify=verify, trust_env=False)
    if not proxy.is_socks:
        return httpx.AsyncHTTPTransport(verify=verify, trust_env=False, proxy=_for_httpx(proxy, context))
    from videodb_cli.network.socks import SocksBackend

    transport = httpx.AsyncHTTPTransport(verify=verify, trust_env=False)
    # The SOCKS of httpx resolves names in another place than the event socket does, and fails on a split answer.
    transport._pool = httpcore.AsyncConnectionPool(  # noqa: SLF001
        ssl_context=context, network_backend=SocksBackend(proxy), keepalive_expiry=5.0
    )
    return transport


def _for_httpx(proxy: Proxy, context: ssl.SSLContext | None) -> httpx.Proxy:
    auth = None
    if proxy.user is not None:
        auth = (proxy.user.reveal(), proxy.password.reveal() if proxy.password is not None else "")
    return httpx.Proxy(
        proxy.address,
        auth=auth,
        ssl_context=context if proxy.scheme == "https" else None,
        headers={"user-agent": USER_AGENT},
    )


def _explained(error: Exception, route: Route, trusted: str) -> Exception | None:
    """Return what a failure means if certificates or a proxy have to do with it, else None."""
    if (refused := certificate_failure(error, route, trusted)) is not None:
        return refused
    proxy = route.proxy
    if proxy is None:
        return None
    if proxy.is_socks and (failed := socks_failed(error, route)) is not None:
        return failed
    if not isinstance(error, httpx.TransportError):
        return None
    if isinstance(error, httpx.ProxyError) and str(error)[:3].isdigit():
        return proxy_answered(int(str(error)[:3]), route)
    # With a proxy the only TCP connection goes to the proxy, so that is what could not be reached.
    if isinstance(error, httpx.ConnectError) and not proxy.is_socks and not _is_tls_error(error):
        return proxy_unreachable(reason_of(error), route)
    return broke_on_the_way(_in_words(error), error, route)


def _in_words(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.RemoteProtocolError):
        # Messages of h11 quote the bytes that it could not parse, which may hold secrets.
        return "the connection was closed without an answer" if "disconnected" in str(error) else "no HTTP came back"
    return reason_of(error)


def _is_tls_error(error: Exception) -> bool:
    return any(isinstance(found, ssl.SSLError) for found in chain(error))
