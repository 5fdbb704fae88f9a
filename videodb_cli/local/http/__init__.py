"""The HTTP surface: one module a resource, each with its ``routes`` for the application's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request

    from videodb_cli.local.service import Service


def service_of(request: Request) -> Service:
    """The service that this application stands in front of."""
    service: Service = request.app.state.service
    return service
