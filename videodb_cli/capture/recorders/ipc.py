r"""What the official recorder and its driver say to each other, as a core without I/O: bytes in, messages out.

One line a message, both ways: ``videodb_recorder|<json>\n``; every other line on its stdout is noise. Seen in the
``CaptureClient`` of the official SDKs for Python and for Node, which differ in names: both are understood here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from videodb_cli.process.lines import LineSplitter

PREFIX: Final = b"videodb_recorder|"
# Lists of displays come with thumbnails; the SDK's limit of 64 KiB makes it hang for ever.
MAX_LINE: Final = 16 << 20
_NO_REASON: Final = "the recorder gave no reason"
_PERMISSION_STATES: Final = {
    "granted": "granted",
    "denied": "denied",
    "restricted": "denied",
    "undetermined": "asked",
}

# What the Node SDK calls otherwise, once `event_name` has made its colons hyphens.
_SAME_EVENT: Final = {"recording-stopped": "recording-complete", "recording-error": "error"}


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one command. ``error`` has ``code`` and ``message`` when it failed."""

    command_id: str
    result: dict[str, Any] = field(default_factory=dict)
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RecorderEvent:
    """Something that the recorder says by itself. ``name`` is one of `event_name`."""

    name: str
    payload: dict[str, Any] = field(default_factory=dict)


def encode_command(command: str, command_id: str, params: dict[str, Any]) -> bytes:
    """Return one command as the recorder reads it."""
    return PREFIX + orjson.dumps({"command": command, "commandId": command_id, "params": params}) + b"\n"


class MessageReader:
    """Turns the recorder's stdout into messages. ``noise`` and ``malformed`` count what was skipped."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._lines = LineSplitter(limit)
        self.noise = 0
        self.malformed = 0

    @property
    def too_long(self) -> int:
        """Lines that were thrown away for their length."""
        return self._lines.too_long

    def feed(self, chunk: bytes) -> Iterator[Response | RecorderEvent]:
        """Yield the messages that this chunk completes. Never raises for what a recorder may write."""
        for raw in self._lines.feed(chunk):
            line = raw.strip()
            if not line.startswith(PREFIX):
                self.noise += 1
                continue
            message = _parse(line[len(PREFIX) :])
            if message is None:
                self.malformed += 1
            else:
                yield message


def _parse(content: bytes) -> Response | RecorderEvent | None:
    try:
        message = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    if message.get("type") == "event" and isinstance(message.get("event"), str):
        payload = message.get("payload")
        return RecorderEvent(event_name(message["event"]), payload if isinstance(payload, dict) else {})
    command_id = message.get("commandId")
    if message.get("type") != "response" or not isinstance(command_id, str):
        return None
    result = message.get("result")
    if message.get("status") == "success":
        return Response(command_id, result if isinstance(result, dict) else {})
    return Response(command_id, {}, error_of(result))


def error_of(value: object) -> tuple[str, str]:
    """Return code and message of an error that the recorder tells: an object, or a bare string."""
    if isinstance(value, dict):
        nested = value.get("error")
        if isinstance(nested, dict):
            return error_of(nested)
        return text_in(value, "code", "type") or "ERROR", text_in(value, "message", "error") or _NO_REASON
    return "ERROR", value if isinstance(value, str) and value else _NO_REASON


def event_name(name: str) -> str:
    """Return the name of an event as the Python SDK knows it: ``recording-started`` for ``recording:started``."""
    plain = name.lower().replace(":", "-").replace("_", "-")
    return _SAME_EVENT.get(plain, plain)


def permission_name(name: str) -> str:
    """Return the name of a permission as the recorder knows it: ``screen-capture`` for ``screen_capture``."""
    return name.lower().replace("_", "-")


def permission_state(answer: dict[str, Any]) -> str | None:
    """Return how a permission stands: ``granted``, ``denied``, ``asked`` (the user decides), or None if it is not said.

    Of the system's words ``restricted`` is a denial that the user cannot change, and ``undetermined`` is not decided.
    """
    if answer.get("requested") is True:
        return "asked"
    state = text_in(answer, "status", "permission_status", "permissionStatus")
    return None if state is None else _PERMISSION_STATES.get(state.lower())


def channel_id_in(fields: dict[str, Any]) -> str | None:
    """Return the id of the channel that an answer or an event is about."""
    return text_in(fields, "channel_id", "channelId", "id")


def text_in(fields: dict[str, Any], *names: str) -> str | None:
    """Return the first of these members that is a string with something in it."""
    return next((value for name in names if isinstance(value := fields.get(name), str) and value), None)
