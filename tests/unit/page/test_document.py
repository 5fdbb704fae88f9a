import base64
import hashlib
import html
import re
from importlib import resources

import pytest

from tests.fakes.pages import page_data
from videodb_cli.page.content import Entry, Lane, PageContent, Video
from videodb_cli.page.document import MARK, iter_page, page_policy, web_address

HOSTILE = "</script><script>alert(1)</script>\u2028<img src=x onerror=alert(1)>@DATA@@SCRIPT@"


def page_of(content: PageContent) -> str:
    return b"".join(iter_page(content)).decode()


def policy_of(page: str) -> str:
    found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    assert found is not None
    return html.unescape(found[1])


def hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_only_the_scripts_and_the_style_of_the_page_are_allowed() -> None:
    page = page_of(PageContent(title="T"))
    policy = policy_of(page)
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    assert [hashed(text) in policy for text in scripts + styles] == [True, True]
    for part in (
        "default-src 'none'",
        "connect-src 'none'",
        "media-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
    ):
        assert part in policy
    assert "unsafe" not in policy
    assert page.encode().startswith(b"<!doctype html>\n" + MARK)


def test_no_text_of_an_event_stands_in_the_markup() -> None:
    content = PageContent(title=HOSTILE, lanes=[Lane(HOSTILE, HOSTILE, 1)], entries=[Entry(1.0, 1.0, 0, HOSTILE)])
    page = page_of(content)
    plain = page_of(PageContent(title="T"))
    assert "<script>alert" not in page
    assert "<img" not in page
    assert page.count("<script") == plain.count("<script")
    assert page_data(page)["texts"] == [HOSTILE]


@pytest.mark.parametrize(
    ("address", "is_taken"),
    [
        ("https://example.com/a", True),
        ("http://127.0.0.1:8080/a?b=c", True),
        ("javascript:alert(1)", False),
        ("JaVaScript:alert(1)", False),
        ("data:text/html,x", False),
        ("file:///etc/passwd", False),
        ("//example.com/x", False),
        ("https://exa mple.com/", False),
        ("https://example.com/\u0000", False),
        ("https://", False),
        ("https://[::1/", False),
        ("https://example.com:x/", False),
        (17, False),
        (None, False),
    ],
)
def test_only_web_addresses_are_taken(address: object, is_taken: bool) -> None:
    assert web_address(address) == (address if is_taken else "")


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("https://cdn.example.com/x/index.m3u8", "https://cdn.example.com"),
        ("http://127.0.0.1:38211/x", "http://127.0.0.1:38211"),
        ("http://[::1]:80/x", "http://[::1]:80"),
    ],
)
def test_a_page_with_a_video_may_ask_its_origin_alone(address: str, origin: str) -> None:
    policy = page_policy([Video("m-1", 0.0, hls=address)])
    assert f"connect-src {origin};" in policy
    assert f"media-src {origin} blob:;" in policy


@pytest.mark.parametrize(
    "address", ["https://a;script-src *", "https://*/x", "https://a'b/", "https://a,b/", "javascript:x"]
)
def test_no_address_adds_to_the_policy(address: str) -> None:
    policy = page_policy([Video("m-1", 0.0, hls=address)])
    assert "connect-src 'none'" in policy
    assert "*" not in policy


def test_the_library_for_hls_is_there_only_when_it_is_needed() -> None:
    without = page_of(PageContent(title="T", videos=[Video("m-1", 0.0, mp4="https://example.com/x.mp4")]))
    with_it = page_of(PageContent(title="T", videos=[Video("m-1", 0.0, hls="https://example.com/x.m3u8")]))
    assert len(with_it) - len(without) > 100_000
    assert policy_of(with_it).count("sha256-") == policy_of(without).count("sha256-") + 1


def test_the_library_is_the_published_one() -> None:
    assets = resources.files("videodb_cli.page").joinpath("assets", "vendor")
    readme = assets.joinpath("README.md").read_text()
    content = assets.joinpath("hls.light.min.js").read_bytes()
    assert hashlib.sha256(content).hexdigest() in readme
    assert "Apache License" in assets.joinpath("hls.js.LICENSE").read_text()
