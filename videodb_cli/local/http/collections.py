"""Collections, and the address of the event socket."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import service_of
from videodb_cli.local.http.answers import success


async def list_collections(request: Request) -> Response:
    """All collections; there is one."""
    collections = service_of(request).state.collections.values()
    return success(
        {"collections": [collection.as_json() for collection in collections], "default_collection": "default"}
    )


async def get_collection(request: Request) -> Response:
    """One collection."""
    return success(service_of(request).state.collection(request.path_params["cid"]).as_json())


async def get_websocket_url(request: Request) -> Response:
    """A socket address that works once, within a minute."""
    service = service_of(request)
    service.state.collection(request.path_params["cid"])
    return success({"websocket_url": f"{service.socket_url}?ticket={service.state.issue_ticket()}"})


routes = [
    Route("/collection", list_collections, methods=["GET"]),
    Route("/collection/{cid}", get_collection, methods=["GET"]),
    Route("/collection/{cid}/websocket", get_websocket_url, methods=["GET"]),
]
