"""Redacts what the listener is about to write: messages of the socket, and records that are read back.

Records are redacted as they come from the service, before they are compared with the log: there both are redacted.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from videodb_cli.api.streams import StreamCalls
from videodb_cli.eventlog.query.redact import MARK, Redactor, marked
from videodb_cli.eventlog.read.decode import decode

if TYPE_CHECKING:
    from videodb_cli.api.control_plane import ControlPlane
    from videodb_cli.model.event import Event


class Redaction:
    """Redacts, and counts what was replaced in lines of the log.

    Attributes:
        counts: How many things of each kind were replaced in lines that were logged.
    """

    def __init__(self, redactor: Redactor) -> None:
        self.redactor = redactor
        self.counts: Counter[str] = Counter()

    def composed(self, rest: bytes, event: Event | None) -> tuple[bytes, Event | None]:
        """Return what `record.compose` has made of a message, redacted and marked."""
        found = self.redactor.line(b"{" + rest[:-1])
        if not found.counts:
            return rest, event
        self.counts.update(found.counts)
        decoded = None if event is None else decode(found.text)
        return marked(found.text, found.counts)[1:] + b"\n", decoded

    def recovered(self, event: Event) -> Event:
        """Return an event that was read back, redacted, and marked if anything of it was replaced."""
        found = self.redactor.event(event)
        kinds = self.redactor.kinds_in(found.text)
        if not kinds:
            return event
        self.counts.update(kinds)
        return {MARK: sorted(kinds), **found.text}

    def calls(self, service: ControlPlane) -> StreamCalls:
        """Return the calls of recovery, whose answers are redacted."""
        return RedactedCalls(service, self.redactor)


class RedactedCalls(StreamCalls):
    """The calls of recovery, whose answers are redacted before anybody sees them."""

    def __init__(self, service: ControlPlane, redactor: Redactor) -> None:
        super().__init__(service)
        self._redactor = redactor

    async def stream(self, stream: str) -> dict[str, Any]:
        """Return one stream."""
        return self._redacted(await super().stream(stream))

    async def session(self, collection: str, session: str) -> dict[str, Any]:
        """Return one capture session."""
        return self._redacted(await super().session(collection, session))

    async def _pages(self, path: str, query: dict[str, str], member: str) -> list[Any]:
        return [
            self._redacted(item) if isinstance(item, dict) else item
            for item in await super()._pages(path, query, member)
        ]

    def _redacted(self, answer: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = self._redactor.event(answer).text
        return found
