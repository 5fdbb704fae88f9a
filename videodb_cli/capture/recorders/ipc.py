r"""What the official recorder and its driver say to each other, as a core without I/O: bytes in, messages out.

One line a message, both ways: ``videodb_recorder|<json>\n``; every other line on its stdout is noise. Seen in the
official SDK's ``CaptureClient``.
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


@dataclass(frozen=True, slots=True)
class Response:
    """The answer to one command. ``error`` has ``code`` and ``message`` when it failed."""

    command_id: str
    result: dict[str, Any] = field(default_factory=dict)
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RecorderEvent:
    """Something that the recorder says by itself."""

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
        return RecorderEvent(message["event"], payload if isinstance(payload, dict) else {})
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
        code, message = value.get("code"), value.get("message")
        text = message if isinstance(message, str) and message else "the recorder gave no reason"
        return (code if isinstance(code, str) and code else "ERROR"), text
    return "ERROR", value if isinstance(value, str) and value else "the recorder gave no reason"
