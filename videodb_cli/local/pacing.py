"""Sending many events at a steady rate, or a log with its own timing, to sockets that may be slower."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from videodb_cli.local.http.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from videodb_cli.local.sockets import EventConnection, Frame, Hub

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_BATCH: Final = 500  # events sent before other tasks get a turn
_OUR_STAMPS = re.compile(rb'\{"ts":"[^"\\]*","unix_ts":-?[0-9.eE+-]+(,|(?=\}))')
_SPECIAL = (b'"videodb_cli"', b'"recovered"', b'"raw', b'"source_', b"\\u")


def choose_targets(hub: Hub, connection_id: str | None) -> list[EventConnection]:
    """The sockets that are meant: one, or all. Raises `ServiceError` 404 if that is nobody."""
    if connection_id is None:
        if not hub.connections:
            raise ServiceError(404, "Nobody is connected to the embedded service", "NOBODY_CONNECTED")
        return list(hub.connections.values())
    connection = hub.connections.get(connection_id)
    if connection is None:
        raise ServiceError(404, f"No open connection has the id {connection_id}", "UNKNOWN_CONNECTION")
    return [connection]


def still_open(targets: Sequence[EventConnection]) -> list[EventConnection]:
    """Those of ``targets`` that are not closed."""
    return [target for target in targets if target.closing is None]


async def send_paced(
    targets: Sequence[EventConnection],
    make_frame: Callable[[int], Frame],
    *,
    count: int,
    rate: float | None,
    cancelled: Callable[[], bool],
) -> int:
    """Send ``count`` frames to every target at ``rate`` a second (``None``: as fast as they read).

    The n-th frame is due at start + n / rate, so that the mean rate stays true however late the loop wakes up.
    Returns how many were sent before all targets had gone or ``cancelled`` said so.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    for number in range(count):
        if rate is not None:
            wait = started + number / rate - loop.time()
            if wait > 0:
                await asyncio.sleep(wait)
        if number % _BATCH == 0:
            await asyncio.sleep(0)
        targets = still_open(targets)
        if not targets or cancelled():
            return number
        frame = make_frame(number + 1)
        for target in targets:
            target.send(frame)
            await target.room()
    return count


def frame_of_line(line: bytes) -> tuple[Frame, float | None] | None:
    """The frame that once became this line of a log, and the unix second of its receipt; ``None`` if there was none.

    Our stamps are taken off and the event's own (``source_ts``) put back; ``raw`` lines become what was received; lines
    of our own, and lines that are not an event, give ``None``. The bytes of an event stay as they are where possible,
    so that numbers keep their digits.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(record, dict) or record.get("channel") == "videodb_cli":
        return None
    stamp = record.pop("unix_ts", None)
    at = float(stamp) if isinstance(stamp, int | float) and not isinstance(stamp, bool) else None
    record.pop("ts", None)
    head = _OUR_STAMPS.match(line)
    if head is not None and not any(mark in line for mark in _SPECIAL):
        return "{" + line[head.end() :].decode().rstrip(), at
    raw = _raw_frame(record)
    if raw is not None:
        return raw, at
    record.pop("recovered", None)  # it was fetched then; a service never sends it on a socket
    for name in ("ts", "unix_ts"):
        if f"source_{name}" in record:
            record[name] = record.pop(f"source_{name}")
    return _dump(line, record), at


def _raw_frame(record: dict[str, Any]) -> Frame | None:
    if set(record) == {"raw"} and isinstance(record["raw"], str):
        return str(record["raw"])
    if set(record) == {"raw_base64"} and isinstance(record["raw_base64"], str):
        try:
            return base64.b64decode(record["raw_base64"], validate=True)
        except binascii.Error:
            return None
    return None


def _dump(line: bytes, record: dict[str, Any]) -> str:
    """``record`` as compact JSON; integers beyond 64 bits, which orjson reads as floats, are read again exactly."""
    import json

    exact = json.loads(line)
    names = {**{name: name for name in record}, "ts": "source_ts", "unix_ts": "source_unix_ts"}
    values = {name: exact[names[name]] if names[name] in exact else record[name] for name in record}
    return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


class Replay:
    """Sends the lines of a log to sockets with the distances in time that they had, divided by ``speed``.

    ``speed`` 0 means without waiting. ``sleep`` and ``clock`` (seconds, monotonic) can be replaced by a test.
    """

    def __init__(
        self,
        targets: Sequence[EventConnection],
        *,
        speed: float,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._targets = targets
        self._speed = speed
        self._clock = clock
        self._sleep = sleep
        self.sent = 0
        self.skipped = 0

    async def run(self, lines: AsyncIterator[bytes], cancelled: Callable[[], bool]) -> None:
        """Send until the lines or the targets end, or ``cancelled`` says so."""
        due = self._clock()
        before: float | None = None
        async for line in lines:
            if not line.strip():
                continue
            found = frame_of_line(line)
            if found is None:
                self.skipped += 1
                continue
            frame, at = found
            if self._speed > 0 and at is not None:
                # A log whose clock was set back repeats no wait; it goes on at once.
                due += max(0.0, at - before) / self._speed if before is not None else 0.0
                before = at
                while (wait := due - self._clock()) > 0 and not cancelled():
                    await self._sleep(min(wait, 0.5))
            elif self.sent % _BATCH == 0:
                await self._sleep(0)
            targets = still_open(self._targets)
            if not targets or cancelled():
                return
            for target in targets:
                target.send(frame)
                await target.room()
            self.sent += 1


async def iter_lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of a byte stream. Raises `ServiceError` 413 for one beyond `MAX_LINE_BYTES`."""
    parts: list[bytes] = []  # of the line that has not ended: joined once, however small the chunks are
    size = 0
    async for chunk in chunks:
        first, *others = chunk.split(b"\n")
        parts.append(first)
        size += len(first)
        for part in others:
            yield b"".join(parts)
            parts, size = [part], len(part)
        if size > MAX_LINE_BYTES:
            raise ServiceError(413, f"A line is longer than {MAX_LINE_BYTES} bytes", "TOO_LARGE")
    if size:
        yield b"".join(parts)
