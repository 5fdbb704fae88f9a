"""The OpenAPI document, made of the application's routes and the table of operations."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

from starlette.routing import Route

from videodb_cli.local.http.description.operations import OPERATIONS
from videodb_cli.local.http.description.schemas import BOOLEAN, COMPONENTS, STRING, ref, shape
from videodb_cli.version import __version__

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.routing import BaseRoute

    from videodb_cli.local.http.description.operation import Operation

_ABOUT: Final = (
    "What the embedded VideoDB-compatible service of videodb-cli answers. It is a stand-in for development, demos and "
    "tests, not the VideoDB service. Events come over the WebSocket whose address "
    "GET /collection/{cid}/websocket gives. Every path may end with a slash."
)
_FAILURES: Final = {
    400: "The request breaks a rule that the message names",
    401: "The key is missing, wrong or too old",
    402: "The account has no credits",
    403: "The host, the web page or the token may not do this",
    404: "There is no such thing",
    413: "The request body is too large",
}
_PARAMETER: Final = re.compile(r"\{(\w+)\}")


def keys_of(routes: Iterable[BaseRoute]) -> dict[str, Any]:
    """The endpoint of each call, by ``"METHOD /path"``. HEAD goes with GET."""
    return {
        f"{method} {route.path}": route.endpoint
        for route in routes
        if isinstance(route, Route)
        for method in sorted(route.methods or ())
        if method != "HEAD"
    }


def build_document(routes: Iterable[BaseRoute], server: str | None = None) -> dict[str, Any]:
    """The document of an application. Raises KeyError for a route that is not in the table."""
    paths: dict[str, dict[str, Any]] = {}
    for key, endpoint in keys_of(routes).items():
        method, path = key.split(" ", 1)
        paths.setdefault(path, {})[method.lower()] = _operation(method, path, OPERATIONS[key], endpoint)
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Embedded service of videodb-cli", "version": __version__, "description": _ABOUT},
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": COMPONENTS,
            "responses": {str(status): _failure(status) for status in _FAILURES},
            "securitySchemes": {"token": {"type": "apiKey", "in": "header", "name": "x-access-token"}},
        },
    }
    if server is not None:
        document["servers"] = [{"url": server}]
    return document


def _operation(method: str, path: str, operation: Operation, endpoint: Any) -> dict[str, Any]:
    summary, _, rest = inspect.cleandoc(endpoint.__doc__ or "").partition("\n\n")
    names = _PARAMETER.findall(path)
    parameters = [{"name": name, "in": "path", "required": True, "schema": STRING} for name in names]
    parameters += [{"name": name, "in": "query", "schema": schema} for name, schema in operation.query.items()]
    made: dict[str, Any] = {
        "operationId": f"{method.lower()}{re.sub(r'[^A-Za-z0-9]+', '_', path).rstrip('_')}",
        "summary": " ".join(summary.split()),
        "responses": _responses(operation, has_id=bool(names)),
    }
    if rest:
        made["description"] = rest
    if parameters:
        made["parameters"] = parameters
    if operation.is_open:
        made["security"] = []
    if operation.body is not None:
        made["requestBody"] = {"content": {operation.body_type: {"schema": operation.body}}}
    return made


def _responses(operation: Operation, *, has_id: bool) -> dict[str, Any]:
    if operation.files:
        content: dict[str, Any] = {kind: {"schema": {}} for kind in operation.files}
        good: dict[str, Any] = {"description": "The file", "content": content}
    elif operation.status == 204:
        good = {"description": "Nothing"}
    else:
        good = {"description": "Done", "content": {"application/json": {"schema": _envelope(operation)}}}
    errors = set(operation.errors) | {403}
    if not operation.is_open:
        errors |= {400, 401}
    if has_id:
        errors.add(404)
    if operation.body is not None:
        errors.add(413)
    responses = {str(operation.status): good}
    for status in sorted(errors):
        responses[str(status)] = {"$ref": f"#/components/responses/{status}"}
    if 206 in errors:
        responses["206"] = {**good, "description": "A part of the file"}
        responses["416"] = {"description": "The file has no such part"}
    return responses


def _failure(status: int) -> dict[str, Any]:
    return {"description": _FAILURES[status], "content": {"application/json": {"schema": ref("Error")}}}


def _envelope(operation: Operation) -> dict[str, Any]:
    required: dict[str, Any] = {"success": {**BOOLEAN, "const": True}}
    if operation.data is not None:
        required["data"] = operation.data
    return shape(required, {"message": STRING})
