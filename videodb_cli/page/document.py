"""Writes a page: the template with its data, its style, its scripts, and a policy that lets nothing else run or load.

Text of events is data in base64; the scripts insert it as text. Scripts and style are allowed by their hashes alone.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
import zlib
from importlib import resources
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from videodb_cli.page.payload import payload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from videodb_cli.page.content import PageContent, Video

# Stands in the first bytes of every page: tells a page of ours from a stranger's file.
MARK: Final = b"<!-- videodb page -->"
_PLACE: Final = re.compile(r"@([A-Z]+)@")
_SCRIPTS: Final = ("data", "model", "draw", "timeline", "list", "sources", "video", "panels", "main")


def web_address(address: object) -> str:
    """Return an http(s) address as it is, and an empty string for anything else, such as ``javascript:``."""
    if not isinstance(address, str) or any(character <= " " for character in address):
        return ""
    try:
        parts = urlsplit(address)
        named = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return ""
    return address if named else ""


def iter_page(content: PageContent, *, policy: str | None = None) -> Iterator[bytes]:
    """Yield the page in pieces. ``policy`` is that of `page_policy` by default."""
    shown = policy or page_policy(content.videos)
    layout = "player" if content.is_player else "report"
    parts: dict[str, Callable[[], bytes]] = {
        "POLICY": lambda: html.escape(shown).encode(),
        "TITLE": lambda: html.escape(content.title).encode("utf-8", "replace"),
        "LAYOUT": layout.encode,
        "STYLE": _asset("page.css").encode,
        "SCRIPT": _script().encode,
        "DATA": lambda: payload(content),
        "HLS": lambda: _packed_hls() if _needs_hls(content.videos) else b"",
    }
    # Split, not replaced: what is inserted is not looked at again.
    for number, piece in enumerate(_PLACE.split(_asset("page.html"))):
        yield parts[piece]() if number % 2 else piece.encode()


def page_policy(videos: Iterable[Video], *, own_origin: bool = False) -> str:
    """Return the Content-Security-Policy of a page that plays these recordings.

    Args:
        videos: What it plays: only their origins may be asked for anything.
        own_origin: The page is served, and its recordings come from the server that it came from.
    """
    videos = list(videos)
    origins = sorted({origin for video in videos if (origin := _origin(video.hls or video.mp4))})
    if own_origin:
        origins.insert(0, "'self'")
    scripts = [_hash(_script())]
    if _needs_hls(videos):
        scripts.append(_hash(_hls()))
    sources = " ".join(origins)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {' '.join(scripts)}",
            f"style-src {_hash(_asset('page.css'))}",
            "img-src data:",
            f"media-src {sources} blob:" if sources else "media-src 'none'",
            f"connect-src {sources or chr(39) + 'none' + chr(39)}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _origin(address: str) -> str:
    """Return the origin of an address as a source of a policy; none for what is no plain host, such as ``a;b``."""
    if not web_address(address):
        return ""
    parts = urlsplit(address)
    host = parts.hostname or ""
    if not all(character.isalnum() or character in "-.:_" for character in host) or not host.isascii():
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{parts.port}" if parts.port else "")


def _script() -> str:
    return '(() => {\n"use strict";\n' + "".join(_asset(f"{name}.js") for name in _SCRIPTS) + "})();\n"


def _needs_hls(videos: Iterable[Video]) -> bool:
    """Tell whether some browser cannot play them by itself."""
    return any(video.hls and not video.growing for video in videos)


def _packed_hls() -> bytes:
    return base64.b64encode(zlib.compress(_hls().encode(), 9))


def _hls() -> str:
    """Return hls.js without the name of its source map, which a debugger would ask for."""
    return _asset("vendor/hls.light.min.js").partition("//# sourceMappingURL=")[0]


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return resources.files("videodb_cli.page").joinpath("assets", name).read_text("utf-8")
