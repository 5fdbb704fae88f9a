"""Playback: playlists, segments and exports under their unguessable ids, and a page that plays them."""

from __future__ import annotations

import html
import json
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import not_found
from videodb_cli.local.media.store import EXPORT, MEDIA_TYPES, PLAYLIST, RECORDING, cut_playlist

# Players live in pages of other origins; the id in the path is what protects the file.
_CORS = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "Content-Length, Content-Range, Accept-Ranges",
    "cross-origin-resource-policy": "cross-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}
_PREFLIGHT = {
    **_CORS,
    "access-control-allow-methods": "GET, HEAD",
    "access-control-allow-headers": "Range",
    "access-control-allow-private-network": "true",
    "access-control-max-age": "600",
}
_PAGE_POLICY = (
    "default-src 'none'; media-src 'self' blob:; connect-src 'self'; script-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)


async def serve_media(request: Request) -> Response:
    """One file of a recording, with byte ranges; a playlist perhaps cut to ``start``…``end`` (seconds within it)."""
    media_id, name = request.path_params["media_id"], request.path_params["name"]
    path = service_of(request).media.path(media_id, name)
    if path is None:
        raise not_found("This recording")
    if path.suffix == ".m3u8":
        return _playlist(request, path)
    return FileResponse(path, media_type=MEDIA_TYPES[path.suffix], headers={**_CORS, "cache-control": "private"})


async def preflight(request: Request) -> Response:
    """What a browser asks before it sends a byte range from another origin."""
    del request
    return Response(status_code=204, headers=_PREFLIGHT)


async def show_player(request: Request) -> Response:
    """A page that plays the export if there is one, else the recording of a stream, with nothing from elsewhere.

    A stream that was compiled of several is played file after file.
    """
    service = service_of(request)
    media_id = request.path_params.get("media_id") or request.query_params.get("v", "")
    if not service.media.has(media_id):
        raise not_found("This recording")
    stream = service.find_stream_of(media_id)
    span = _span(request)
    base = f"/media/{media_id}"
    if clips := service.library.clips(media_id):
        parts = [
            [f"/media/{clip.media_id}/{service.library.file_of(clip.media_id)}", clip.start, clip.end] for clip in clips
        ]
        source = f'data-parts="{html.escape(json.dumps(parts))}"'
    elif service.media.path(media_id, EXPORT) is not None:
        source = f'data-mp4="{base}/{EXPORT}{_fragment(span)}"'
    elif span is None and stream is not None and stream.is_playing:
        source = f'data-live="{base}/{RECORDING}" data-hls="{base}/{PLAYLIST}"'
    else:
        source = f'data-mp4="{base}/{RECORDING}{_fragment(span)}"'
    page = _asset("player.html").replace("@SOURCE@", source)
    headers = {"content-security-policy": _PAGE_POLICY, "referrer-policy": "no-referrer", "cache-control": "no-store"}
    return Response(page, media_type="text/html", headers=headers)


async def player_script(request: Request) -> Response:
    """The script of the page."""
    del request
    return Response(_asset("player.js"), media_type="text/javascript", headers={"cache-control": "no-cache"})


async def player_style(request: Request) -> Response:
    """The style of the page."""
    del request
    return Response(_asset("player.css"), media_type="text/css", headers={"cache-control": "no-cache"})


def _playlist(request: Request, path: Path) -> Response:
    text: str | None = path.read_text("utf-8")
    span = _span(request)
    if span is not None and text is not None:
        text = cut_playlist(text, *span)
        if text is None:
            raise not_found("This part of the recording")
    return Response(text, media_type=MEDIA_TYPES[".m3u8"], headers={**_CORS, "cache-control": "no-store"})


def _span(request: Request) -> tuple[float, float] | None:
    start = fields.query_number(request.query_params, "start")
    end = fields.query_number(request.query_params, "end")
    if start is None and end is None:
        return None
    return start or 0.0, 1e9 if end is None else end


def _fragment(span: tuple[float, float] | None) -> str:
    """What tells a browser to play only that span of a file."""
    return f"#t={span[0]:.3f},{span[1]:.3f}" if span is not None else ""


def _asset(name: str) -> str:
    return resources.files("videodb_cli.local").joinpath("player", name).read_text("utf-8")


routes = [
    Route("/play/player.js", player_script, methods=["GET"]),
    Route("/play/player.css", player_style, methods=["GET"]),
    Route("/play/watch", show_player, methods=["GET"]),
    Route("/play/embed", show_player, methods=["GET"]),
    Route("/play/{media_id}", show_player, methods=["GET"]),
    Route("/media/{media_id}/{name}", serve_media, methods=["GET"]),
    Route("/media/{media_id}/{name}", preflight, methods=["OPTIONS"]),
]
