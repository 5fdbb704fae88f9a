"""The decision for one address: directly or by which proxy, and why."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

from videodb_cli import diagnostics
from videodb_cli.network.errors import MissingNetworkPackageError, NetworkConfigurationError
from videodb_cli.network.noproxy import bypasses, is_this_machine
from videodb_cli.network.proxies import Proxy, from_system, named_bypass, named_proxy, parse_proxy
from videodb_cli.version import __version__

USER_AGENT = f"videodb-cli/{__version__}"
_log = diagnostics.Logger("videodb_cli.network")
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Route(NamedTuple):
    """How a host is reached. ``proxy`` None: directly. ``why`` says so in words."""

    host: str
    port: int
    is_tls: bool
    proxy: Proxy | None
    why: str

    @property
    def target(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def in_words(self) -> str:
        """The decision and its reason, for people; without a password."""
        if self.proxy is None:
            return f"directly ({self.why})"
        known = " with a user and password" if self.proxy.user is not None else ""
        return f"by the proxy {self.proxy.address}{known} ({self.why})"

    @property
    def by(self) -> str:
        """The suffix of an error message that names the proxy; empty without one."""
        return f" (by the proxy {self.proxy.address})" if self.proxy is not None else ""


def decide(url: str, environment: Mapping[str, str] | None = None) -> Route:
    """Decide how the host of an http, https, ws or wss URL is reached.

    Raises NetworkConfigurationError for a proxy that cannot be used, MissingNetworkPackageError for a SOCKS proxy
    without its package, ValueError for a URL without a host.
    """
    given = os.environ if environment is None else environment
    parts = urlsplit(url)
    host, scheme = parts.hostname, parts.scheme.lower()
    if not host or scheme not in _PORTS:
        raise ValueError("not a URL with a host")
    port, is_tls = parts.port or _PORTS[scheme], scheme in {"https", "wss"}
    if is_this_machine(host):
        return Route(host, port, is_tls, None, "this machine is never reached by a proxy")
    named = named_proxy(is_tls, given)
    if named is None:
        named = from_system(is_tls, host) if environment is None else None
        if named is None:
            return Route(host, port, is_tls, None, "no proxy is set")
    elif (bypass := named_bypass(given)) is not None:
        variable, value = bypass
        for entry in bypasses(value)[0]:
            if entry.covers(host, port):
                return Route(host, port, is_tls, None, f"{variable} has {entry.text}")
    proxy = parse_proxy(named)
    if proxy.is_socks and importlib.util.find_spec("python_socks") is None:
        raise MissingNetworkPackageError(
            f"{proxy.source} names a SOCKS proxy, and the package that speaks to it is not installed",
            code="no_socks",
            hint="pip install 'videodb-cli[socks]'",
        )
    return Route(host, port, is_tls, proxy, proxy.source)


# What was logged last about each host, so that a listener that asks for the same one for months logs it once.
_logged: dict[str, str] = {}


def log_route(route: Route, trusted: str) -> None:
    """Log how a host is reached, once until it changes. ``trusted`` describes the certificates; empty without TLS."""
    words = f"{route.in_words}; {f'trusts {trusted}' if trusted else 'without TLS'}"
    if _log.is_enabled and _logged.get(route.target) != words:
        _logged[route.target] = words
        _log.debug("%s is reached %s", route.target, words)


def ignored_bypasses(environment: Mapping[str, str] | None = None) -> tuple[str, list[str]] | None:
    """Return the NO_PROXY variable and its entries that cannot be parsed, without passwords; None if all can."""
    found = named_bypass(os.environ if environment is None else environment)
    ignored = bypasses(found[1])[1] if found is not None else []
    if found is None or not ignored:
        return None
    return found[0], [word.rpartition("@")[2][:60] for word in ignored]


def unusable_proxies(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return what is wrong with the proxies of the environment, also with those that are not needed."""
    given = os.environ if environment is None else environment
    found: list[str] = []
    for is_tls in (True, False):
        named = named_proxy(is_tls, given)
        if named is not None:
            try:
                parse_proxy(named)
            except NetworkConfigurationError as error:
                if error.message not in found:
                    found.append(error.message)
    return found
