"""One row of the table of operations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from videodb_cli.local.http.description.schemas import Schema


@dataclass(frozen=True, slots=True)
class Operation:
    """One call. ``data`` None: its answer has none. ``files``: it answers with these media types in place of JSON."""

    data: Schema | None = None
    body: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    status: int = 200
    errors: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    is_open: bool = False  # needs no key
    body_type: str = "application/json"
