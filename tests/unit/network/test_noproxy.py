"""What NO_PROXY covers, what it means nothing to, and which hosts can only be this machine."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.network.noproxy import bypasses, is_this_machine, sparing_this_machine


@pytest.mark.parametrize(
    ("text", "host", "port", "covers"),
    [
        ("*", "example.org", 443, True),
        ("example.org", "example.org", 443, True),
        ("example.org", "EXAMPLE.org.", 443, True),
        ("Example.Org.", "example.org", 443, True),
        ("example.org", "api.example.org", 443, True),
        ("example.org", "notexample.org", 443, False),
        (".example.org", "example.org", 443, True),
        (".example.org", "a.b.example.org", 443, True),
        ("*.example.org", "a.example.org", 443, True),
        ("api.example.org", "example.org", 443, False),
        ("example.org:443", "example.org", 443, True),
        ("example.org:8443", "example.org", 443, False),
        (".example.org:443", "a.example.org", 443, True),
        ("münchen.example", "xn--mnchen-3ya.example", 443, True),
        ("xn--mnchen-3ya.example", "münchen.example", 443, True),
        ("10.1.2.3", "10.1.2.3", 443, True),
        ("10.1.2.3", "10.1.2.4", 443, False),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("10.1.2.3:80", "10.1.2.3", 443, False),
        ("10.0.0.0/8", "10.200.0.1", 443, True),
        ("10.9.9.9/8", "10.200.0.1", 443, True),
        ("10.0.0.0/8", "11.0.0.1", 443, False),
        ("10.0.0.0/8", "10.example.org", 443, False),
        ("0.0.0.0/0", "192.0.2.1", 443, True),
        ("0.0.0.0/0", "2001:db8::1", 443, False),
        ("2001:db8::1", "2001:db8::1", 443, True),
        ("[2001:db8::1]", "2001:db8::1", 443, True),
        ("[2001:db8::1]:443", "2001:db8::1", 443, True),
        ("[2001:db8::1]:80", "2001:db8::1", 443, False),
        ("2001:DB8:0:0::1", "2001:db8::1", 443, True),
        ("fd00::/8", "fd12::7", 443, True),
        ("[fd00::/8]", "fe80::7", 443, False),
        ("[fd00::]/8", "fd12::7", 443, True),
        ("192.0.2.1", "::ffff:192.0.2.1", 443, True),
        ("example.org", "10.1.2.3", 443, False),
        ("a.test, b.test", "b.test", 443, True),
        ("a.test b.test", "b.test", 443, True),
        (" ,, a.test ,\tb.test,", "b.test", 443, True),
        ("[::1, b.test", "b.test", 443, True),
        ("", "b.test", 443, False),
        ("intranet", "intranet", 80, True),
        ("a_b.test", "a_b.test", 80, True),
    ],
)
def test_entries(text: str, host: str, port: int, covers: bool) -> None:
    assert any(entry.covers(host, port) for entry in bypasses(text)[0]) is covers


@pytest.mark.parametrize(
    "word",
    [
        *("[::1", "::1]", "[::1]:x", "[::1]:0", "[example.org]", "10.0.0.0/99", "10.0.0", "10.0.0.256", "fd00::/200"),
        *("http://a.test", "a.test:0", "a.test:99999", "a.test:https", ":443", "10.*", "*a.test", "a..test", "-", "/"),
    ],
)
def test_what_means_nothing_is_named_and_the_rest_counts(word: str) -> None:
    entries, ignored = bypasses(f"a.test,{word},b.test")
    assert ([entry.text for entry in entries], ignored) == (["a.test", "b.test"], [word])


@given(st.text(), st.text(), st.integers(0, 65535))
def test_no_text_is_too_odd(text: str, host: str, port: int) -> None:
    for entry in bypasses(text)[0]:
        entry.covers(host, port)
    is_this_machine(host)


@pytest.mark.parametrize(
    "host",
    [
        *("localhost", "LOCALHOST.", "app.localhost", "127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::", "127.1"),
        *("2130706433", "0x7f.1", "::ffff:127.0.0.1"),
    ],
)
def test_this_machine(host: str) -> None:
    assert is_this_machine(host)


@pytest.mark.parametrize("host", ["example.org", "localhost.example.org", "192.0.2.1", "notlocalhost", "2001:db8::1"])
def test_another_machine(host: str) -> None:
    assert not is_this_machine(host)


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({}, "localhost,127.0.0.1,::1"),
        ({"NO_PROXY": "a.test"}, "a.test,localhost,127.0.0.1,::1"),
        ({"no_proxy": "a.test", "NO_PROXY": "b.test"}, "a.test,localhost,127.0.0.1,::1"),
    ],
)
def test_other_programs_spare_this_machine(given: dict[str, str], value: str) -> None:
    assert sparing_this_machine({"X": "y", **given}) == {"X": "y", "no_proxy": value, "NO_PROXY": value}
