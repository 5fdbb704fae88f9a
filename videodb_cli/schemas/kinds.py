"""The parts that schemas are made of."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
WHOLE: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
ANY: Schema = {}


def maybe(schema: Schema) -> Schema:
    """Return a schema that also allows null."""
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """Return the schema of a list."""
    return {"type": "array", "items": schema}


def record(members: dict[str, Schema], *, optional: tuple[str, ...] = (), says: str | None = None) -> Schema:
    """Return the schema of an object that has these members, and may have more."""
    found: Schema = {"type": "object", "properties": members}
    required = [name for name in members if name not in optional]
    if required:
        found["required"] = required
    return {**({"description": says} if says else {}), **found}


def answer(members: dict[str, Schema], *, optional: tuple[str, ...] = (), says: str | None = None) -> Schema:
    """Return the schema of a command's answer: it ends with the version of its shape."""
    return record({**members, "schema": {"const": 1}}, optional=optional, says=says)
