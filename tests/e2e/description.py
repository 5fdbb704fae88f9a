"""Holds answers of the embedded service against its own OpenAPI document."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import jsonschema_rs
import requests

from videodb_cli.local.http.app import ROUTES
from videodb_cli.local.http.description.document import build_document


class Description:
    """The document, and which of its answers were seen."""

    def __init__(self) -> None:
        self.document = build_document(ROUTES)
        self.seen: set[tuple[str, str, str]] = set()
        self._paths = [
            (path, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)) + r"/?\Z"))
            for path in sorted(self.document["paths"], key=lambda path: path.count("{"))
        ]

    def path_of(self, address: str) -> str:
        """The path in the document that an address has."""
        asked = urlsplit(address).path or "/"
        return next(path for path, pattern in self._paths if pattern.match(asked))

    def check(self, method: str, address: str, status: int, answer: Any) -> None:
        """Raise AssertionError for an answer that the document does not have, ValidationError for another shape."""
        path = self.path_of(address)
        responses = self.document["paths"][path][method.lower()]["responses"]
        assert str(status) in responses, f"{method} {path} answered {status}, which is not in the document"
        self.seen.add((method, path, str(status)))
        content = responses[str(status)]
        if "$ref" in content:
            content = self.document["components"]["responses"][str(status)]
        schema = content["content"]["application/json"]["schema"]
        jsonschema_rs.validate({**schema, "components": self.document["components"]}, answer)

    def on_response(self, response: requests.Response, *_: Any, **__: Any) -> None:
        """Check an answer that the SDK got, as a hook of its session."""
        request = response.request
        self.check(str(request.method), str(request.url), response.status_code, response.json())
