"""The recorder's side of what the SDK's ``CaptureClient`` and its recorder say to each other. No I/O here.

See `capture.recorders.ipc` for the driver's side. Names are those of the Python SDK.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from videodb_cli.capture.recorders.ipc import MAX_LINE, PREFIX
from videodb_cli.process.lines import LineSplitter


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the SDK."""

    name: str
    command_id: str
    params: dict[str, Any] = field(default_factory=dict)


class CommandReader:
    """Turns what the SDK writes into commands. Lines that are none are skipped."""

    def __init__(self) -> None:
        self._lines = LineSplitter(MAX_LINE)

    def feed(self, chunk: bytes) -> Iterator[Command]:
        """Yield the commands that this chunk completes. Never raises for what may be written."""
        for raw in self._lines.feed(chunk):
            line = raw.strip()
            command = _parse(line[len(PREFIX) :]) if line.startswith(PREFIX) else None
            if command is not None:
                yield command


def _parse(content: bytes) -> Command | None:
    try:
        message = orjson.loads(content)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    name, command_id, params = message.get("command"), message.get("commandId"), message.get("params")
    if not isinstance(name, str) or not isinstance(command_id, str):
        return None
    return Command(name, command_id, params if isinstance(params, dict) else {})


def encode_result(command: Command, result: dict[str, Any]) -> bytes:
    """Return the answer to a command that was done."""
    return _line({"type": "response", "commandId": command.command_id, "status": "success", "result": result})


def encode_error(command: Command, code: str, message: str) -> bytes:
    """Return the answer to a command that failed; the SDK raises RuntimeError with ``result``."""
    result = {"code": code.upper(), "message": message}
    return _line({"type": "response", "commandId": command.command_id, "status": "error", "result": result})


def encode_event(name: str, payload: dict[str, Any]) -> bytes:
    """Return something that the recorder says by itself."""
    return _line({"type": "event", "event": name, "payload": payload})


def _line(message: dict[str, Any]) -> bytes:
    return PREFIX + orjson.dumps(message) + b"\n"
