"""Strings that must not be shown."""

from __future__ import annotations

from videodb_cli.diagnostics.redact import remember


class Secret:
    """A string that does not show itself in a repr, a log line or a traceback.

    Args:
        value: The secret. Log records and reports leave it out from now on, wherever it stands.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value
        remember(value)

    def reveal(self) -> str:
        """Return the secret itself, for where it is used."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)

    def masked(self) -> str:
        """Return enough to tell two keys apart, e.g. ``sk-…c3``; nothing of a short one."""
        return f"{self._value[:3]}…{self._value[-2:]}" if len(self._value) >= 12 else "…"
