"""``GET /``: what this is, and above all what it is not."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli import __version__
from videodb_cli.local.http.answers import success

BANNER = "This is the embedded VideoDB-compatible service of videodb-cli, a stand-in for development, demos and tests. \
It is not the VideoDB service."


async def show(request: Request) -> Response:
    """Say so, without a key."""
    del request
    return success(
        {"service": "videodb-cli embedded service", "embedded": True, "version": __version__}, message=BANNER
    )


routes = [Route("/", show, methods=["GET"])]
