"""How much the service keeps of anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from videodb_cli.local.http.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import Sized

MAX_ITEMS: Final = 10_000  # of each kind: a loop that creates for ever must not eat the machine


def guard_count(items: Sized, what: str) -> None:
    """Raise `ServiceError` 400 if there are `MAX_ITEMS` of them."""
    if len(items) >= MAX_ITEMS:
        raise ServiceError(400, f"This service holds at most {MAX_ITEMS} {what}", "TOO_MANY")
