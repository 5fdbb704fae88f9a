"""One event of a log as programs read it."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any

from videodb_cli.model import event as ev


class Event:
    """One line of a log.

    Every attribute is None where the line does not carry it; a line of any shape can be looked at.

    Attributes:
        raw: The line as logged, without its newline.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The whole event as decoded JSON; empty if the line is no JSON object."""
        try:
            decoded = json.loads(self.raw)
        except ValueError:
            return {}
        return decoded if isinstance(decoded, dict) else {}

    @property
    def channel(self) -> str | None:
        """The channel, for example ``transcript``, ``visual_index``, ``alert`` or ``capture_session``."""
        return ev.channel_of(self.fields)

    @property
    def name(self) -> str | None:
        """The name of a life-cycle event, for example ``capture_session.active``."""
        return ev.name_of(self.fields)

    @property
    def text(self) -> str | None:
        """What was said, seen or alerted."""
        return ev.text_of(self.fields)

    @property
    def stream(self) -> str | None:
        """The name of the rtstream, else its id."""
        return ev.stream_of(self.fields)

    @property
    def session(self) -> str | None:
        """The id of the capture session that a life-cycle event is about."""
        return ev.session_of(self.fields)

    @property
    def received_at(self) -> float | None:
        """Unix seconds at which the listener received it."""
        return ev.received_at(self.fields)

    @property
    def happened_at(self) -> float | None:
        """Unix seconds at which it happened: as received, but for events that were recovered after a gap."""
        return ev.happened_at(self.fields)

    @property
    def is_final(self) -> bool:
        """Whether a transcript is final."""
        return ev.is_final(self.fields)

    @property
    def is_recovered(self) -> bool:
        """Whether it was read back after a gap."""
        return ev.is_recovered(self.fields)

    @property
    def is_own(self) -> bool:
        """Whether the listener wrote it about itself."""
        return ev.is_own(self.fields)

    @property
    def data(self) -> dict[str, Any]:
        """The member ``data``; empty if there is none."""
        return ev.data_of(self.fields)

    def __getitem__(self, key: str) -> Any:
        return self.fields[key]

    def get(self, key: str, default: Any = None) -> Any:
        """Returns a member of the event."""
        return self.fields.get(key, default)

    def __repr__(self) -> str:
        return f"<Event {self.channel or self.name}: {(self.text or '')[:60]!r}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Event) and self.raw == other.raw

    def __hash__(self) -> int:
        return hash(self.raw)
