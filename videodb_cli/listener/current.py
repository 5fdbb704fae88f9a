"""Which connection is open, and what the next attempt waits for."""

from __future__ import annotations

from dataclasses import dataclass

from videodb_cli.listener.connection import Connection


@dataclass(slots=True)
class CurrentConnection:
    """What the listener knows about its connection now. Uptime seconds.

    Attributes:
        connection: The youngest open connection.
        heard_at: When the last message of an earlier connection of this run came.
        retry_at: When the next attempt begins.
        last_failure: Why the last attempt failed, or its connection ended.
    """

    connection: Connection | None = None
    heard_at: float | None = None
    retry_at: float | None = None
    last_failure: str | None = None

    def last_message_at(self, draining_at: float | None) -> float | None:
        """Return when the last message of this run came; ``draining_at``: over a connection that is being drained."""
        young = self.connection.last_message_at if self.connection is not None else None
        return max((at for at in (young, draining_at, self.heard_at) if at is not None), default=None)

    def stands(self) -> None:
        """An attempt succeeded."""
        self.retry_at = self.last_failure = None

    def waits(self, reason: str, until: float) -> None:
        """The next attempt begins then."""
        self.last_failure, self.retry_at = reason, until
