"""The decision for an address: the first rule that applies, and its reason in words."""

from __future__ import annotations

import sys

import pytest

from videodb_cli.network.errors import MissingNetworkPackageError, NetworkConfigurationError
from videodb_cli.network.route import decide, ignored_bypasses, unusable_proxies

P = "http://me:hush@proxy.test:3128"
BAD = "http://me:hu#sh@proxy.test"


@pytest.mark.parametrize(
    ("url", "environment", "words"),
    [
        ("https://api.test", {}, "directly (no proxy is set)"),
        ("https://api.test", {"HTTPS_PROXY": P}, "by the proxy http://proxy.test:3128 with a user and password "),
        ("wss://api.test/x", {"HTTPS_PROXY": P}, "by the proxy http://proxy.test:3128 with a user and password "),
        ("http://api.test", {"HTTPS_PROXY": P}, "directly (no proxy is set)"),
        ("http://api.test", {"HTTP_PROXY": "p:1"}, "by the proxy http://p:1 (HTTP_PROXY)"),
        ("ws://api.test", {"http_proxy": "p:1"}, "by the proxy http://p:1 (http_proxy)"),
        ("https://api.test", {"ALL_PROXY": "socks://p"}, "by the proxy socks5h://p:1080 (ALL_PROXY)"),
        ("https://api.test", {"ALL_PROXY": P, "no_proxy": ".test"}, "directly (no_proxy has .test)"),
        ("https://api.test", {"ALL_PROXY": P, "no_proxy": "", "NO_PROXY": "*"}, "directly (NO_PROXY has *)"),
        ("https://api.test", {"ALL_PROXY": P, "no_proxy": "a", "NO_PROXY": "*"}, "by the proxy http://proxy.test:3128"),
        ("https://api.test", {"ALL_PROXY": P, "NO_PROXY": "api.test:8443"}, "by the proxy http://proxy.test:3128"),
        ("https://api.test:8443", {"ALL_PROXY": P, "NO_PROXY": "api.test:8443"}, "directly (NO_PROXY has api.test:84"),
        ("https://[fd00::1]/", {"ALL_PROXY": P, "NO_PROXY": "::1, [fd00::/8]"}, "directly (NO_PROXY has [fd00::/8])"),
        ("https://localhost", {"ALL_PROXY": P}, "directly (this machine is never reached by a proxy)"),
        ("http://127.0.0.1:1", {"HTTP_PROXY": BAD}, "directly (this machine is never reached by a proxy)"),
        ("ws://[::1]:1", {"ALL_PROXY": BAD}, "directly (this machine is never reached by a proxy)"),
        ("https://api.test", {"ALL_PROXY": BAD, "NO_PROXY": "api.test"}, "directly (NO_PROXY has api.test)"),
        ("https://api.test", {"HTTPS_PROXY": P, "ALL_PROXY": BAD}, "by the proxy http://proxy.test:3128"),
    ],
)
def test_decisions(url: str, environment: dict[str, str], words: str) -> None:
    route = decide(url, environment)
    assert route.in_words.startswith(words)
    assert "hush" not in f"{route!r}{route.in_words}{route.by}{route.target}"


@pytest.mark.parametrize("url", ["https://", "ftp://a.test", "a.test", "", "https://[::", "https://a.test:x"])
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        decide(url, {"HTTPS_PROXY": P})
    assert not isinstance(refused.value, NetworkConfigurationError)


def test_what_cannot_work_is_said_where_it_is_needed() -> None:
    with pytest.raises(NetworkConfigurationError, match="HTTPS_PROXY is not the address of a proxy"):
        decide("https://api.test", {"HTTPS_PROXY": BAD, "ALL_PROXY": P})
    with pytest.raises(NetworkConfigurationError, match="kind socks4; videodb can use http, https, socks5 and socks5h"):
        decide("https://api.test", {"ALL_PROXY": "socks4://p"})


def test_socks_needs_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)
    with pytest.raises(MissingNetworkPackageError) as missing:
        decide("https://api.test", {"ALL_PROXY": "socks5://p"})
    assert (missing.value.exit_status, missing.value.hint) == (7, "pip install 'videodb-cli[socks]'")
    assert decide("https://localhost", {"ALL_PROXY": "socks5://p"}).proxy is None


def test_for_doctor() -> None:
    assert ignored_bypasses({"NO_PROXY": "a.test 10.* http://u:hush@b.test"}) == ("NO_PROXY", ["10.*", "b.test"])
    assert ignored_bypasses({"NO_PROXY": "a.test"}) is None
    assert ignored_bypasses({}) is None
    assert unusable_proxies({"ALL_PROXY": BAD}) == ["ALL_PROXY is not the address of a proxy"]
    assert unusable_proxies({"HTTPS_PROXY": P, "HTTP_PROXY": "ftp://x"}) == [
        "HTTP_PROXY names a proxy of kind ftp; videodb can use http, https, socks5 and socks5h"
    ]
    assert unusable_proxies({"HTTPS_PROXY": P}) == []
