"""JSON Schemas (2020-12) of the log's lines and of every ``--json`` answer (`videodb schema`).

An answer may have more members than its schema names: a new member is no new shape (docs/decisions/0013).
"""

from __future__ import annotations

from typing import Any

from videodb_cli.errors import NotFoundError
from videodb_cli.schemas import answers, events

_BASE = "https://json-schema.org/draft/2020-12/schema"

Schema = dict[str, Any]


def all_schemas() -> dict[str, Schema]:
    """Return every schema by its name: ``event``, ``error``, and commands without the first word."""
    found = {"event": events.EVENT, "error": answers.ERROR, **answers.COMMANDS}
    return {name: {"$schema": _BASE, "title": name, **schema} for name, schema in found.items()}


def schema_of(name: str) -> Schema:
    """Return one schema. Raises NotFoundError for a name that has none."""
    found = all_schemas()
    if name not in found:
        raise NotFoundError(f"no schema is called {name[:60]}", code="no_schema", hint=f"one of: {', '.join(found)}")
    return found[name]
