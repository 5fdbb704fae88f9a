"""The service's two envelopes: ``{"success": true, "data": …}`` and ``{"success": false, "message", "error_code"}``.

A route raises `ServiceError`; nothing else decides what a failure looks like on the wire.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response


class ServiceError(Exception):
    """A request that the service refuses, with the HTTP status and the documented error body."""

    def __init__(self, status: int, message: str, error_code: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.error_code = error_code


def not_found(what: str) -> ServiceError:
    """404: ``what`` is a sentence's subject, such as ``"Session cap-1"``."""
    return ServiceError(404, f"{what} was not found", "NOT_FOUND")


def invalid(message: str) -> ServiceError:
    """400: the request breaks a rule that the sentence names."""
    return ServiceError(400, message, "INVALID_REQUEST")


def success(data: Mapping[str, object] | None = None, *, status: int = 200, message: str | None = None) -> Response:
    """The documented success body; ``data`` is left out when there is none."""
    body: dict[str, object] = {"success": True}
    if message is not None:
        body["message"] = message
    if data is not None:
        body["data"] = data
    return json_response(body, status)


def failure(problem: ServiceError) -> Response:
    """The documented failure body of ``problem``."""
    return json_response(
        {"success": False, "message": problem.message, "error_code": problem.error_code}, problem.status
    )


def json_response(body: Mapping[str, object], status: int = 200) -> Response:
    """``body`` as compact JSON that no cache keeps (it may carry tokens and secret URLs)."""
    from starlette.responses import Response

    return Response(orjson.dumps(body), status, media_type="application/json", headers={"cache-control": "no-store"})
