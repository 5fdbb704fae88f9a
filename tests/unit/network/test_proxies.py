"""Which variable counts, what an address of a proxy may look like, and that none of its passwords is ever shown."""

from __future__ import annotations

import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.network.errors import NetworkConfigurationError
from videodb_cli.network.proxies import Named, Proxy, from_system, named_proxy, parse_proxy
from videodb_cli.settings import Secret


@pytest.mark.parametrize(
    ("environment", "is_tls", "source"),
    [
        ({}, True, None),
        ({"HTTPS_PROXY": "a"}, True, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": "a"}, False, None),
        ({"https_proxy": "a", "HTTPS_PROXY": "b"}, True, "https_proxy"),
        ({"https_proxy": "", "HTTPS_PROXY": "b"}, True, "HTTPS_PROXY"),
        ({"HTTPS_PROXY": ""}, True, None),
        ({"HTTPS_PROXY": " \t"}, True, None),
        ({"HTTPS_PROXY": "", "ALL_PROXY": "c"}, True, "ALL_PROXY"),
        ({"all_proxy": "c", "ALL_PROXY": "d"}, True, "all_proxy"),
        ({"all_proxy": "c", "HTTPS_PROXY": "d"}, True, "HTTPS_PROXY"),
        ({"http_proxy": "a", "ALL_PROXY": "c"}, True, "ALL_PROXY"),
        ({"http_proxy": "a"}, False, "http_proxy"),
        ({"HTTP_PROXY": "a"}, False, "HTTP_PROXY"),
        ({"HTTP_PROXY": "a", "REQUEST_METHOD": "GET"}, False, None),
        ({"http_proxy": "a", "REQUEST_METHOD": "GET"}, False, "http_proxy"),
        ({"ALL_PROXY": "c"}, False, "ALL_PROXY"),
    ],
)
def test_which_variable_counts(environment: dict[str, str], is_tls: bool, source: str | None) -> None:
    found = named_proxy(is_tls, environment)
    assert (found.source if found is not None else None) == source


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://proxy.test:3128", "http://proxy.test:3128"),
        ("http://proxy.test:3128/", "http://proxy.test:3128"),
        ("http://proxy.test:3128/some/path?x=y#z", "http://proxy.test:3128"),
        ("HTTP://Proxy.Test:3128", "http://proxy.test:3128"),
        ("proxy.test:3128", "http://proxy.test:3128"),
        ("proxy.test", "http://proxy.test:80"),
        ("proxy", "http://proxy:80"),
        ("http://proxy.test", "http://proxy.test:80"),
        ("https://proxy.test", "https://proxy.test:443"),
        ("socks5://proxy.test", "socks5://proxy.test:1080"),
        ("socks5h://proxy.test:9050", "socks5h://proxy.test:9050"),
        ("SOCKS5H://proxy.test", "socks5h://proxy.test:1080"),
        ("socks://proxy.test", "socks5h://proxy.test:1080"),
        ("http://[::1]:3128", "http://[::1]:3128"),
        ("[2001:db8::1]", "http://[2001:db8::1]:80"),
        ("http://10.0.0.1:1", "http://10.0.0.1:1"),
        ("http://münchen.example:3128", "http://xn--mnchen-3ya.example:3128"),
        ("http://user:word@proxy.test:3128", "http://proxy.test:3128"),
        ("user:word@proxy.test:3128", "http://proxy.test:3128"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_proxy(Named("HTTPS_PROXY", Secret(text))).address == address


@pytest.mark.parametrize(
    ("text", "user", "password", "url"),
    [
        ("http://u:p@x.test", "u", "p", "http://u:p@x.test:80"),
        ("http://u@x.test", "u", "", "http://u:@x.test:80"),
        ("http://u:@x.test", "u", "", "http://u:@x.test:80"),
        ("http://u%40d:p%3A%2F%23%25@x.test", "u@d", "p:/#%", "http://u%40d:p%3A%2F%23%25@x.test:80"),
        ("http://u:p@q@x.test", "u", "p@q", "http://u:p%40q@x.test:80"),
        ("http://u:p:q@x.test", "u", "p:q", "http://u:p%3Aq@x.test:80"),
        ("http://D%5Cu:%C3%A9@x.test", "D\\u", "é", "http://D%5Cu:%C3%A9@x.test:80"),
    ],
)
def test_users_and_passwords(text: str, user: str, password: str, url: str) -> None:
    proxy = parse_proxy(Named("HTTPS_PROXY", Secret(text)))
    assert proxy.user is not None
    assert proxy.password is not None
    assert (proxy.user.reveal(), proxy.password.reveal(), proxy.url().reveal()) == (user, password, url)
    assert parse_proxy(Named("HTTPS_PROXY", proxy.url())) == proxy


@pytest.mark.parametrize(
    "text",
    [
        *("http://", "http://:3128", ":3128", "http://proxy.test:0", "http://proxy.test:99999", "http://proxy.test:x"),
        *("http://a b", "http://pro\nxy:1", "http://[::1", "http://[::zz]:1", "http://a^b:1", "http:///path", "@", "/"),
        *("http://u:hush#hush@x.test:1", "http://u:hush/hush@x.test:1", "http://u:12#hush@x.test", "u:hu?sh@x.test"),
        *("http://u:hush%FF@x.test:1", "socks5://u:hüsh@x.test", "socks5://u:" + "hush" * 70 + "@x.test"),
        *("socks4://u:hush@x.test", "socks4a://x.test", "ftp://x.test:1", "file:///etc/passwd", "quic+hush://x.test"),
    ],
)
def test_what_cannot_be_a_proxy_is_refused_without_its_value(text: str) -> None:
    with pytest.raises(NetworkConfigurationError) as refused:
        parse_proxy(Named("HTTPS_PROXY", Secret(text)))
    error = refused.value
    assert error.exit_status == 2
    assert "HTTPS_PROXY" in error.message
    assert error.hint
    assert "HTTPS_PROXY=" in error.hint
    shown = "".join(traceback.format_exception(error, chain=True)).split("\n", 1)[1]
    if "quic" not in text:
        assert "hush" not in error.message + error.hint + repr(error.__context__) + shown.replace(text, "")


@given(st.text(max_size=40))
def test_any_text_is_a_proxy_or_refused(text: str) -> None:
    for prefix in ("", "http://", "socks5://u:"):
        try:
            proxy = parse_proxy(Named("ALL_PROXY", Secret(prefix + text)))
        except NetworkConfigurationError:
            continue
        assert proxy.host
        assert 0 < proxy.port < 65536
        assert proxy.address.isprintable()


def test_a_proxy_does_not_show_its_password() -> None:
    proxy = parse_proxy(Named("HTTPS_PROXY", Secret("http://user:hush@x.test")))
    assert "hush" not in f"{proxy!r} {proxy} {proxy.address} {proxy.url()!r} {Named('a', Secret('hush'))!r}"


def test_the_settings_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"https": "http://s.test:1", "socks": "http://k.test:2"}
    monkeypatch.setattr("urllib.request.getproxies", lambda: found)
    monkeypatch.setattr("urllib.request.proxy_bypass", lambda host: host == "spared.test")

    def proxy_for(is_tls: bool, host: str = "a.test", platform: str = "darwin") -> Proxy | None:
        named = from_system(is_tls, host, platform)
        return None if named is None else parse_proxy(named)

    assert proxy_for(True) == Proxy("http", "s.test", 1, "the system's settings")
    assert proxy_for(False) == Proxy("socks5h", "k.test", 2, "the system's settings")
    assert proxy_for(True, "spared.test") is None
    assert proxy_for(True, platform="linux") is None
    found.clear()
    assert proxy_for(True) is None
    with pytest.raises(NetworkConfigurationError) as refused:
        parse_proxy(Named("the system's settings", Secret("http://:x")))
    assert refused.value.hint
    assert refused.value.hint.startswith("name it as http://HOST:PORT in the system's settings")
