"""Which proxy the environment names for an address. Pure: the environment is an argument.

As curl does it: ``https_proxy`` for https and wss, ``http_proxy`` for http and ws, else ``all_proxy``. The name in
lower case comes first; a variable that is empty counts as not set. Unlike curl, ``HTTP_PROXY`` counts too, as it does
for most programs, but not where a web server runs us as CGI: there the client chooses it, as the header ``Proxy:``.
A proxy without a port has that of its scheme: 80, 443, 1080.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import Final, NamedTuple
from urllib.parse import quote, unquote, urlsplit

from videodb_cli.diagnostics.redact import remember
from videodb_cli.network.errors import NetworkConfigurationError
from videodb_cli.settings import Secret

_PORTS: Final = {"http": 80, "https": 443, "socks5": 1080, "socks5h": 1080}
# Desktops write this for SOCKS with names that the proxy resolves.
_SAME_AS: Final = {"socks": "socks5h"}
_KINDS: Final = "http, https, socks5 and socks5h"
_ESCAPES: Final = "with a password: http://USER:PASSWORD@HOST:PORT, %40 for @, %3A for :, %2F for /, %23 for #"
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_HOST = re.compile(r"[A-Za-z0-9._-]+")
_IPV6 = re.compile(r"[0-9A-Fa-f:.]+(%[A-Za-z0-9._-]+)?")
_MAX_SOCKS_WORD = 255


class Proxy(NamedTuple):
    """A proxy. ``source`` is the variable, or the settings, that name it. ``scheme`` is one of four."""

    scheme: str
    host: str
    port: int
    source: str
    user: Secret | None = None
    password: Secret | None = None

    @property
    def place(self) -> str:
        """Host and port."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def address(self) -> str:
        """The address as it may be shown."""
        return f"{self.scheme}://{self.place}"

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS, and not HTTP."""
        return self.scheme.startswith("socks")

    def url(self) -> Secret:
        """Return the address with user and password, for a library."""
        if self.user is None:
            return Secret(self.address)
        password = self.password.reveal() if self.password is not None else ""
        return Secret(f"{self.scheme}://{quote(self.user.reveal(), safe='')}:{quote(password, safe='')}@{self.place}")


class Named(NamedTuple):
    """The unparsed value of a variable or of a system setting. It may hold a password."""

    source: str
    value: Secret


def named_proxy(is_tls: bool, environment: Mapping[str, str]) -> Named | None:
    """Return what the environment names as the proxy for an address, or None."""
    if is_tls:
        names = ["https_proxy", "HTTPS_PROXY"]
    else:
        names = ["http_proxy"] if "REQUEST_METHOD" in environment else ["http_proxy", "HTTP_PROXY"]
    return _first(environment, *names, "all_proxy", "ALL_PROXY")


def named_bypass(environment: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the variable that says what is reached directly, and its value, or None."""
    found = _first(environment, "no_proxy", "NO_PROXY")
    return None if found is None else (found.source, found.value.reveal())


def for_display(name: str, value: str) -> str:
    """Return the value of a proxy variable as it may be shown: without user and password, or nothing of it."""
    try:
        proxy = parse_proxy(Named(name, Secret(value)))
    except NetworkConfigurationError:
        return "(not the address of a proxy)"
    return proxy.address + (" with a user and password" if proxy.user is not None else "")


def remember_passwords(environment: Mapping[str, str]) -> None:
    """Let redaction know the passwords of all proxies that the environment names, also of those that cannot be used."""
    for name, value in environment.items():
        if name.lower().endswith("_proxy") and "@" in value:
            user_part = value.partition("://")[2].rpartition("@")[0] or value.rpartition("@")[0]
            password = user_part.partition(":")[2]
            for secret in (user_part, password, unquote(password)):
                remember(secret)


def _first(environment: Mapping[str, str], *names: str) -> Named | None:
    for name in names:
        if value := environment.get(name, "").strip():
            return Named(name, Secret(value))
    return None


def parse_proxy(named: Named) -> Proxy:
    """Understand the address of a proxy; ``HOST:PORT`` means http.

    Raises NetworkConfigurationError for one that cannot be used. Its value is in no message: it may hold a password.
    """
    text = named.value.reveal()
    match = _SCHEME.match(text)
    scheme = match[1].lower() if match else "http"
    scheme = _SAME_AS.get(scheme, scheme)
    if scheme not in _PORTS:
        raise NetworkConfigurationError(
            f"{named.source} names a proxy of kind {scheme[:20]}; videodb can use {_KINDS}",
            code="unsupported_proxy",
            hint=how_to_write(named.source, f"{'socks5h' if scheme.startswith('socks') else 'http'}://HOST:PORT"),
        )
    proxy = _parsed(scheme, text[match.end() :] if match else text, named.source)
    if proxy is None:
        raise NetworkConfigurationError(
            f"{named.source} is not the address of a proxy", code="bad_proxy", hint=_how(named.source)
        )
    return proxy


def _how(source: str) -> str:
    return how_to_write(source, "http://HOST:PORT") + f" · {_ESCAPES}"


def _parsed(scheme: str, rest: str, source: str) -> Proxy | None:
    """Return the proxy, or None. Never raises, because error messages of the standard library quote passwords."""
    if not rest.isprintable() or " " in rest:
        return None
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname, parts.port
        user = None if parts.username is None else unquote(parts.username, errors="strict")
        password = unquote(parts.password or "", errors="strict")
        host = host if host is None or host.isascii() else host.encode("idna").decode("ascii")
    except ValueError:
        return None
    # With an @ after the host, the password holds an unescaped / or #, and the "host" is a part of the password.
    if not host or "@" in parts.path + parts.query + parts.fragment:
        return None
    if not (_IPV6 if ":" in host else _HOST).fullmatch(host) or port == 0:
        return None
    if user is not None and scheme.startswith("socks") and not all(_is_socks_word(word) for word in (user, password)):
        return None
    return Proxy(
        scheme,
        host,
        port or _PORTS[scheme],
        source,
        None if user is None else Secret(user),
        None if user is None else Secret(password),
    )


def _is_socks_word(word: str) -> bool:
    return word.isascii() and len(word) <= _MAX_SOCKS_WORD


def from_system(is_tls: bool, host: str, platform: str = sys.platform) -> Named | None:
    """Return the proxy of the system settings of macOS and Windows; used only if no variable names one."""
    if platform not in {"darwin", "win32"}:
        return None
    import urllib.request

    if urllib.request.proxy_bypass(host):
        return None
    found = urllib.request.getproxies()
    for scheme in ("https" if is_tls else "http", "socks"):
        if value := found.get(scheme):
            # They name a SOCKS proxy as http://HOST:PORT too.
            is_socks = scheme == "socks" and value.startswith("http://")
            return Named("the system's settings", Secret("socks5h://" + value[7:] if is_socks else value))
    return None


def how_to_write(source: str, address: str) -> str:
    """Return the hint that shows how to set the proxy in the place where it was set."""
    return f"export {source}={address}" if source.isidentifier() else f"name it as {address} in {source}"
