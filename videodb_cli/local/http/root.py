"""``GET /``: what this is, and above all what it is not. ``GET /openapi.json``: what it answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import service_of
from videodb_cli.local.http.answers import json_response, success
from videodb_cli.version import __version__

BANNER = "This is the embedded VideoDB-compatible service of videodb-cli, a stand-in for development, demos and tests. \
It is not the VideoDB service."


async def show(request: Request) -> Response:
    """Say so, without a key."""
    del request
    return success(
        {"service": "videodb-cli embedded service", "embedded": True, "version": __version__}, message=BANNER
    )


async def show_description(request: Request) -> Response:
    """This document, without a key."""
    from videodb_cli.local.http.description.document import build_document

    return json_response(build_document(request.app.routes, service_of(request).base_url))


routes = [
    Route("/", show, methods=["GET"]),
    Route("/openapi.json", show_description, methods=["GET"]),
]
