"""What a failure means: whose it is, whether trying again may help, and which words are for people."""

from __future__ import annotations

import ssl
from socket import gaierror

import pytest
from python_socks import ProxyConnectionError, ProxyError, ProxyTimeoutError

from videodb_cli.errors import VideodbError
from videodb_cli.network.failures import (
    CannotReachError,
    NetworkConfigurationError,
    broke_on_the_way,
    certificate_failure,
    chain,
    proxy_answered,
    reason_of,
    said_by_system,
    socks_failed,
)
from videodb_cli.network.route import Route, decide

URL = "https://api.test/secret"
BY_HTTP = decide(URL, {"HTTPS_PROXY": "http://me:hush@p.test:1"})
BY_TLS = decide(URL, {"HTTPS_PROXY": "https://p.test:1"})
BY_SOCKS = decide(URL, {"ALL_PROXY": "socks5://p.test:1"})
BY_SOCKS_H = decide(URL, {"ALL_PROXY": "socks5h://p.test:1"})
DIRECTLY = decide(URL, {})


def refused_certificate(code: int, message: str) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, f"[SSL: CERTIFICATE_VERIFY_FAILED] {message} (_ssl.c:1)")
    error.verify_code, error.verify_message = code, message
    return error


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (18, "self-signed certificate", NetworkConfigurationError),
        (19, "self-signed certificate in certificate chain", NetworkConfigurationError),
        (20, "unable to get local issuer certificate", NetworkConfigurationError),
        (-67843, "“api.test” certificate is not trusted", NetworkConfigurationError),
        (9, "certificate is not yet valid", CannotReachError),
        (10, "certificate has expired", CannotReachError),
        (62, "Hostname mismatch, certificate is not valid for 'api.test'.", CannotReachError),
    ],
)
def test_certificates(code: int, message: str, kind: type[VideodbError]) -> None:
    wrapped = OSError("wrapped")
    wrapped.__context__ = refused_certificate(code, message)
    found = certificate_failure(wrapped, DIRECTLY, "the system's store")
    assert type(found) is kind
    assert found.message.startswith("the certificate of api.test is not ")
    assert message.rstrip(".") in found.message
    assert (found.hint is not None and "SSL_CERT_FILE" in found.hint) is (kind is NetworkConfigurationError)


def test_whose_certificate_it_may_be() -> None:
    error = refused_certificate(20, "x")
    behind = "the proxy https://p.test:1, or of api.test behind it,"
    for route, whose in ((BY_HTTP, "api.test"), (BY_TLS, behind)):
        found = certificate_failure(error, route, "")
        assert found is not None
        assert found.message.startswith(f"the certificate of {whose} is not signed")
    assert certificate_failure(OSError(111, "refused"), DIRECTLY, "") is None


@pytest.mark.parametrize("status", [407, 403, 502])
def test_what_a_proxy_answers(status: int) -> None:
    found = proxy_answered(status, BY_HTTP)
    assert type(found) is (NetworkConfigurationError if status == 407 else CannotReachError)
    assert f"HTTP {status}" in found.message
    assert "the proxy http://p.test:1" in found.message
    assert "hush" not in f"{found.message} {found.hint}"


UNKNOWN = gaierror(-2, "Name or service not known")


@pytest.mark.parametrize(
    ("error", "route", "words"),
    [
        (ProxyConnectionError(111, "as asyncio"), BY_SOCKS, "p.test:1 (ALL_PROXY) cannot be reached: as asyncio"),
        (ProxyTimeoutError("60"), BY_SOCKS, "api.test:443: no answer in time (by the proxy socks5://p.test:1)"),
        (ProxyError("Not allowed", error_code=2), BY_SOCKS, "does not bring us to api.test:443: Not allowed"),
        (ProxyError("Unexpected SOCKS version number: 72"), BY_SOCKS, "does not answer as a SOCKS5 proxy does"),
        (ProxyError("No acceptable authentication methods were offered"), BY_SOCKS, "wants a user and a password"),
        (ProxyError("Username and password authentication failure"), BY_SOCKS, "wants a user and a password"),
        (UNKNOWN, BY_SOCKS, "with socks5h:// the proxy resolves names"),
        (UNKNOWN, BY_SOCKS_H, "api.test:443: Name or service not known (by the proxy"),
        (ConnectionResetError(104, "Reset"), BY_SOCKS, "Reset (by the proxy socks5://p.test:1)"),
    ],
    ids=repr,
)
def test_socks(error: Exception, route: Route, words: str) -> None:
    found = socks_failed(error, route)
    assert found is not None
    assert words in found.message


def test_what_is_none_of_the_network_s() -> None:
    assert socks_failed(KeyError("x"), BY_SOCKS) is None


def test_no_tls_behind_https() -> None:
    error = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
    error.reason = "WRONG_VERSION_NUMBER"
    assert "write http://p.test:1" in broke_on_the_way("x", error, BY_TLS).message
    assert broke_on_the_way("x", error, BY_HTTP).message == "api.test:443: x (by the proxy http://p.test:1)"


REFUSED = "[Errno 111] Connect call failed ('::1', 1, 0, 0)"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(111, "Connect call failed ('127.0.0.1', 1)"), "Connection refused"),
        (OSError(f"Multiple exceptions: {REFUSED}, {REFUSED}"), "Connection refused"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)"), "wrong version number"),
        (OSError("odd"), ""),
    ],
)
def test_the_system_s_words(error: OSError, words: str) -> None:
    assert said_by_system(error) == words


def test_the_reason_is_at_the_bottom() -> None:
    top = RuntimeError("All connection attempts failed")
    top.__cause__ = ExceptionGroup("several", [OSError(111, "Connection refused"), OSError(101, "unreachable")])
    assert reason_of(top) == "Connection refused"
    assert reason_of(ValueError("two\nlines")) == "two lines"
    assert reason_of(ValueError()) == "ValueError"
    loop = ValueError("x")
    loop.__cause__ = loop
    assert list(chain(loop)) == [loop]
