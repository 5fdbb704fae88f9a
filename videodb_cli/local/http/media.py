"""Playback: playlists, segments and exports under their unguessable ids. `player` has the page that plays them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import not_found
from videodb_cli.local.media.store import MEDIA_TYPES, cut_playlist

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

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


def _playlist(request: Request, path: Path) -> Response:
    text: str | None = path.read_text("utf-8")
    span = fields.query_span(request)
    if span is not None and text is not None:
        text = cut_playlist(text, *span)
        if text is None:
            raise not_found("This part of the recording")
    return Response(text, media_type=MEDIA_TYPES[".m3u8"], headers={**_CORS, "cache-control": "no-store"})


routes = [
    Route("/media/{media_id}/{name}", serve_media, methods=["GET"]),
    Route("/media/{media_id}/{name}", preflight, methods=["OPTIONS"]),
]
