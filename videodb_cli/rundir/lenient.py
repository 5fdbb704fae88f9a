"""Typed reading of state files of any version: what cannot be read has its default, what is unknown is ignored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

_Struct = TypeVar("_Struct", bound=msgspec.Struct)


def read_fields(
    fields: Mapping[str, Any], kind: type[_Struct], parts: Mapping[str, type[msgspec.Struct]] | None = None
) -> _Struct:
    """Return what can be read of a decoded file; every member without a default must be readable.

    Args:
        fields: The decoded JSON object.
        kind: The type of the file.
        parts: For a member that holds an object, or a list of objects, their type by its name: what is bad within one
            leaves the rest of it.

    Raises:
        TypeError: A member without a default cannot be read.
    """
    try:
        return msgspec.convert(fields, kind)
    except (msgspec.ValidationError, ValueError):
        return _salvage(fields, kind, parts or {})


def _salvage(fields: Mapping[str, Any], kind: type[_Struct], parts: Mapping[str, type[msgspec.Struct]]) -> _Struct:
    known: dict[str, Any] = {}
    for member in msgspec.structs.fields(kind):
        if member.name not in fields:
            continue
        value, part = fields[member.name], parts.get(member.name)
        if part is not None and isinstance(value, list):
            value = [_salvage(item, part, parts) for item in value if isinstance(item, dict)]
        elif part is not None and isinstance(value, dict):
            value = _salvage(value, part, parts)
        try:
            known[member.name] = msgspec.convert(value, member.type)
        except (msgspec.ValidationError, ValueError):
            continue
    return kind(**known)
