"""The ASGI application: every route, the gate in front of them, and one shape for every failure."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match, Route, WebSocketRoute
from starlette.websockets import WebSocket

from videodb_cli.local.faults.plan import FaultyCalls
from videodb_cli.local.http import (
    alerts,
    collections,
    control,
    media,
    player,
    root,
    rtstreams,
    scene_indexes,
    search,
    sessions,
    transcription,
    understanding,
    video_search,
    videos,
)
from videodb_cli.local.http.answers import ServiceError, failure
from videodb_cli.local.http.security import Gate
from videodb_cli.local.interception import SERVICE_HOST
from videodb_cli.local.sockets import MAX_CONNECTIONS, serve_socket

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from videodb_cli.local.service import Service

log = logging.getLogger(__name__)

_TABLES = (
    root,
    collections,
    sessions,
    alerts,
    search,
    rtstreams,
    transcription,
    scene_indexes,
    understanding,
    videos,
    video_search,
    media,
    player,
    control,
)
ROUTES = [route for table in _TABLES for route in table.routes]
_STATUS_PROBLEMS = {
    404: ("The embedded service has no such path; GET /openapi.json lists those it has", "NOT_FOUND"),
    405: ("The embedded service has this path, but not with this method", "METHOD_NOT_ALLOWED"),
}


async def open_socket(websocket: WebSocket) -> None:
    """The event socket: a ticket from the control plane opens it once."""
    service: Service = websocket.app.state.service
    if len(service.hub.connections) >= MAX_CONNECTIONS or not service.state.redeem_ticket(
        websocket.query_params.get("ticket", "")
    ):
        await websocket.close(1008, "the ticket is unknown, used or too old")
        return
    if service.faults.take(("reject",)) is not None:
        await websocket.close(1008, "a planned fault")
        return
    await serve_socket(service.hub, websocket, service.faults)


async def _on_problem(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, ServiceError)  # noqa: S101 - registered for this type only
    return failure(error)


def _methods(request: Request) -> list[str]:
    """Every method that the path of a request has."""
    routes = [route for route in request.app.routes if isinstance(route, Route)]
    matching = [route for route in routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in matching for method in route.methods or ()})


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    message, code = _STATUS_PROBLEMS.get(error.status_code, (str(error.detail), "ERROR"))
    answer = failure(ServiceError(error.status_code, message, code))
    answer.headers.update(error.headers or {})
    if error.status_code == 405:
        # A path has a route for each method, and Starlette knows only that of the first.
        answer.headers["allow"] = ", ".join(_methods(request))
    return answer


async def _on_departure(request: Request, error: Exception) -> Response:
    # The client went away in the middle of its request: nobody reads this answer.
    del request, error
    return failure(ServiceError(400, "The request body ended too soon", "INCOMPLETE"))


async def _on_bug(request: Request, error: Exception) -> Response:
    # Starlette raises it again after this answer, and the server logs its traceback.
    del request, error
    return failure(ServiceError(500, "The embedded service failed; see its log", "INTERNAL_ERROR"))


def build_app(service: Service) -> ASGIApp:
    """The application for one service."""
    app = Starlette(
        routes=[*ROUTES, WebSocketRoute("/socket", open_socket)],
        exception_handlers={
            ServiceError: _on_problem,
            HTTPException: _on_http_error,
            ClientDisconnect: _on_departure,
            Exception: _on_bug,
        },
    )
    app.router.redirect_slashes = False  # the gate has taken the slashes off
    app.state.service = service
    import socket

    names = {socket.gethostname().lower(), socket.getfqdn().lower()} if not service.options.loopback else set()
    # Requests that `videodb local run` led here name the host that their program meant.
    host_names = frozenset({*names, SERVICE_HOST} - {""})
    gate = Gate(app, key=service.options.key, is_client_token=service.state.is_client_token, host_names=host_names)
    return FaultyCalls(gate, service.faults)
