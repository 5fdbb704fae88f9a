"""Where public documents and the service of today disagree about names and shapes: the dialect decides. Pure.

``service``: what the service is seen to send. ``documents``: what its documents show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

from videodb_cli.local.events import milliseconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from videodb_cli.local.events import Event

DialectName = Literal["service", "documents"]
DIALECTS: Final[tuple[DialectName, ...]] = get_args(DialectName)

_ALERT_BODY: Final = (
    "event_id",
    "label",
    "confidence",
    "explanation",
    "timestamp",
    "start_time",
    "end_time",
    "stream_url",
    "player_url",
)
_FLAT_BODIES: Final[Mapping[str, tuple[str, ...]]] = {"alert": _ALERT_BODY, "transcript": ("type", "text", "is_final")}


@dataclass(frozen=True, slots=True)
class Dialect:
    """Turns what the service makes into what a client gets."""

    name: DialectName = "service"

    def event(self, event: Event) -> Event:
        """Return the event for a socket."""
        if self.name == "service":
            return event
        if event["channel"] == "visual_index":
            return {**event, "channel": "scene_index"}
        return _documented_alert(event) if event["channel"] == "alert" else event

    def webhook(self, body: Mapping[str, object]) -> Mapping[str, object]:
        """Return the body for a callback URL. A session's life cycle has an envelope in the documents, too."""
        fields = _FLAT_BODIES.get(str(body["event"])) if self.name == "documents" else None
        return body if fields is None else {field: body[field] for field in fields}


def _documented_alert(event: Event) -> Event:
    data, at = event["data"], event["timestamp"]
    assert isinstance(data, dict)  # noqa: S101 - `events.alert` and `events.Trigger` make one
    assert isinstance(at, float)  # noqa: S101 - the same
    shown = {
        "event_label": data["label"],
        "timestamp": data.get("timestamp", milliseconds(at)),
        "text": data.get("text", data["label"]),
    }
    if "sequence" in data:
        shown["sequence"] = data["sequence"]
    return {**{name: value for name, value in event.items() if name != "timestamp"}, "data": shown}
