"""What is opened is a web address, by a program that gets it as one argument, without a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.program import eventually
from videodb_cli.app.browser import is_web_address, open_page


@pytest.mark.parametrize(
    "url", ["https://example.com/p?a=1&b=$(x)", "http://127.0.0.1:8080/player/m-1", "https://[::1]/"]
)
def test_web_addresses(url: str) -> None:
    assert is_web_address(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "--help",
        "https://",
        "https://a b/",
        "https://a/\n",
        "https://[",
        "x",
        "https://ex\u202eample.com/",
        "ftp://example.com",
        "https:example.com",
    ],
)
def test_what_is_no_web_address(url: str) -> None:
    assert not is_web_address(url)


def test_the_browser_gets_the_address_as_one_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser, told = tmp_path / "my browser", tmp_path / "told"
    browser.write_text(f'#!/bin/sh\nprintf "%s|" "$#" "$@" > {told}\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"'{browser}' --new")
    url = "https://example.com/p?a=1&b=$(touch+x);c='*'"
    assert open_page(url)
    eventually(told.exists)
    assert told.read_text() == f"2|--new|{url}|"


@pytest.mark.parametrize("named", ["", "no-such-browser", "false", "'unbalanced"])
def test_no_browser(named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROWSER", named)
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    assert not open_page("https://example.com/")
