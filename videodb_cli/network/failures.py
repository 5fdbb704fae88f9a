"""Which error a failed connection is, and its message. No message holds a password or a secret path."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from videodb_cli.network.errors import CannotReachError, MissingNetworkPackageError, NetworkConfigurationError
from videodb_cli.network.proxies import how_to_write

if TYPE_CHECKING:
    import ssl

    from videodb_cli.network.route import Route

_SSL_PREFIX = re.compile(r"^\[[^]]*\] ")
_SSL_PLACE = re.compile(r" \(_ssl\.c:\d+\)$")
_ATTEMPT = re.compile(r"\[Errno (\d+)\] Connect call failed")
_MAX_WORDS = 300
# Error numbers of OpenSSL and macOS for a certificate that no trusted CA has signed. Other certificate errors may go
# away on a retry: a clock that is not set yet, a captive portal that answers for another host.
_UNKNOWN_CA: Final = frozenset((2, 18, 19, 20, 21, 27, -67843))
# OpenSSL's reason for an answer that is not TLS.
_NO_TLS: Final = "WRONG_VERSION_NUMBER"
_CA_HINT: Final = "export SSL_CERT_FILE=/path/to/ca.pem (the certificate of your company's CA, in PEM form)"


# Before the first connection these errors end a listener, because a retry would fail in the same way.
FINAL: Final = (NetworkConfigurationError, MissingNetworkPackageError)


def said_by_system(error: OSError) -> str:
    """Return the system's message for an OSError, without the text that asyncio adds; empty if there is none."""
    if error.errno is not None and str(error.strerror).startswith("Connect call failed"):
        return os.strerror(error.errno)
    if error.strerror is None and (attempts := _ATTEMPT.findall(str(error))):
        # asyncio's, for a host with several addresses.
        return os.strerror(int(attempts[-1]))
    return _SSL_PLACE.sub("", _SSL_PREFIX.sub("", error.strerror or ""))


def chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes, outermost first; of an exception group, only the first member."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        together = found.exceptions if isinstance(found, BaseExceptionGroup) else ()
        found = together[0] if together else found.__cause__ or found.__context__


def reason_of(error: BaseException) -> str:
    """Return why something failed: the message of the innermost system error if there is one, else its kind."""
    for cause in chain(error):
        if isinstance(cause, OSError) and (said := said_by_system(cause)):
            return said
    return " ".join(str(error).split())[:_MAX_WORDS] or type(error).__name__


def certificate_failure(
    error: BaseException, route: Route, trusted: str
) -> NetworkConfigurationError | CannotReachError | None:
    """Return what is wrong with the certificate that was shown, or None if that is not what failed.

    ``trusted`` says whose signatures count. A CA that is unknown here is final.
    """
    refused = _verification_error(error)
    if refused is None:
        return None
    whose = route.host
    if route.proxy is not None and route.proxy.scheme == "https":
        whose = f"the proxy {route.proxy.address}, or of {route.host} behind it,"
    why = " ".join((refused.verify_message or reason_of(refused)).split()).rstrip(".")
    if refused.verify_code in _UNKNOWN_CA:
        return NetworkConfigurationError(
            f"the certificate of {whose} is not signed by a CA that is trusted here ({why}; trusted: {trusted})",
            code="unknown_ca",
            hint=_CA_HINT,
        )
    return CannotReachError(f"the certificate of {whose} is not valid: {why}", code="bad_certificate")


def _verification_error(error: BaseException) -> ssl.SSLCertVerificationError | None:
    import ssl

    return next((found for found in chain(error) if isinstance(found, ssl.SSLCertVerificationError)), None)


def proxy_answered(status: int, route: Route) -> NetworkConfigurationError | CannotReachError:
    """Return the error for an HTTP proxy's refusal. 407 is final: a retry sends the same user and password."""
    proxy = route.proxy
    assert proxy is not None  # noqa: S101 - only a proxy answers for a proxy
    if status == 407:
        return wants_password(route)
    if status == 403:
        return CannotReachError(
            f"the proxy {proxy.address} ({proxy.source}) does not let us through to {route.target} (HTTP 403)",
            code="proxy_refused",
        )
    return CannotReachError(
        f"the proxy {proxy.address} ({proxy.source}) answered HTTP {status} for {route.target}", code="proxy_failed"
    )


def wants_password(route: Route) -> NetworkConfigurationError:
    """Return the error for a proxy that does not take our user and password, or wants some."""
    proxy = route.proxy
    assert proxy is not None  # noqa: S101 - only a proxy asks for them
    number = "" if proxy.is_socks else " (HTTP 407)"
    said = f"the proxy {proxy.address} ({proxy.source}) wants a user and a password{number}"
    if proxy.user is not None:
        said = f"the proxy {proxy.address} refuses the user and password that {proxy.source} has{number}"
    written = how_to_write(proxy.source, f"{proxy.scheme}://USER:PASSWORD@{proxy.place}")
    return NetworkConfigurationError(said, code="proxy_password", hint=written)


def proxy_unreachable(why: str, route: Route) -> CannotReachError:
    """Return the error for a proxy to which no connection could be opened."""
    proxy = route.proxy
    assert proxy is not None  # noqa: S101 - only a proxy can be away
    return CannotReachError(
        f"the proxy {proxy.address} ({proxy.source}) cannot be reached: {why}", code="proxy_unreachable"
    )


def proxy_talks_otherwise(route: Route, why: str) -> CannotReachError:
    """Return the error for a server at the proxy's address that does not speak the protocol of the proxy."""
    proxy = route.proxy
    assert proxy is not None  # noqa: S101 - only a proxy can be none
    return CannotReachError(f"the proxy {proxy.address} ({proxy.source}) {why}", code="bad_proxy_answer")


def broke_on_the_way(words: str, error: BaseException, route: Route) -> CannotReachError:
    """Return the error for a connection that broke after it was open: at the proxy or behind it, which is unknown."""
    proxy = route.proxy
    assert proxy is not None  # noqa: S101 - a direct connection is told of by its user
    if proxy.scheme == "https" and any(getattr(found, "reason", None) == _NO_TLS for found in chain(error)):
        return proxy_talks_otherwise(route, f"does not speak TLS; if it is an HTTP proxy, write http://{proxy.place}")
    return CannotReachError(f"{route.target}: {words}{route.by}", code="proxy_failed")


def socks_failed(error: BaseException, route: Route) -> NetworkConfigurationError | CannotReachError | None:
    """Return what a failure by a SOCKS proxy means, or None if it is none of the network's. Needs python-socks."""
    from socket import gaierror

    from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

    for found in chain(error):
        if isinstance(found, ProxyConnectionError):
            # The message of python-socks is asyncio's, and httpcore keeps the cause only as ``__context__``.
            return proxy_unreachable(reason_of(found.__cause__ or found.__context__ or found), route)
        if isinstance(found, ProxyTimeoutError):
            return broke_on_the_way("no answer in time", found, route)
        if isinstance(found, ProxyError):
            return _socks_refused(found, route)
        if isinstance(found, gaierror) and route.proxy is not None and route.proxy.scheme == "socks5":
            why = f"{route.host}: {reason_of(found)}; with socks5h:// the proxy resolves names"
            return CannotReachError(why, code="proxy_failed")
    if any(isinstance(found, OSError) for found in chain(error)):
        return broke_on_the_way(reason_of(error), error, route)
    return None


def _socks_refused(error: Exception, route: Route) -> NetworkConfigurationError | CannotReachError:
    said = " ".join(str(error).split())[:_MAX_WORDS]
    if "No acceptable authentication" in said or "authentication failure" in said:
        return wants_password(route)
    if getattr(error, "error_code", None):
        return proxy_talks_otherwise(route, f"does not bring us to {route.target}: {said}")
    return proxy_talks_otherwise(route, "does not answer as a SOCKS5 proxy does")
