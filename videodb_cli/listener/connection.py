"""One open socket: its id, its messages, its pings, and how it ended. `connect` opens it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from videodb_cli.listener.frames import MAX_MESSAGE_BYTES
from videodb_cli.process.clock import uptime_s

if TYPE_CHECKING:
    from videodb_cli.listener.event_socket import EventSocket

_MAX_ID_FRAME_BYTES = 64 << 10
CLOSE_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Timing:
    """Limits of one connection, in seconds. Tests scale them."""

    open_timeout_s: float = 10.0
    id_timeout_s: float = 10.0
    ping_interval_s: float = 15.0
    ping_timeout_s: float = 15.0


@dataclass(frozen=True, slots=True)
class Ended:
    """How a socket ended. ``reason`` is a machine's word, ``detail`` a person's.

    ``alive_at`` is the last proof of life (uptime seconds): what was sent before it has been received. An orderly close
    proves it up to the close itself.
    """

    reason: str
    detail: str
    close_code: int | None
    alive_at: float
    size: int | None = None


class AttemptFailedError(Exception):
    """No connection came of the attempt. ``str(error)`` says why, without the URL, which is a secret."""

    def __init__(self, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


def connection_id_in(raw: bytes, *, alone: bool) -> tuple[str, dict[str, object]] | None:
    """Return the id that a frame brings and the frame's other members; None if it brings none.

    With ``alone``, only a frame with nothing but a ``connection_id`` counts: later ids replace the first one so.
    """
    if len(raw) > _MAX_ID_FRAME_BYTES or (b"connection_id" not in raw and b"\\u" not in raw):
        return None
    try:
        frame = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(frame, dict):
        return None
    found = frame.pop("connection_id", None)
    # The id goes into a file and onto stdout: one that could forge a line there is not an id.
    if not isinstance(found, str) or not found or not found.isprintable() or " " in found or (alone and frame):
        return None
    return found, frame


class Connection:
    """One open socket with its id. Made by `connect.open_connection`; `hear` runs until it ends."""

    def __init__(self, socket: EventSocket, timing: Timing, url: str) -> None:
        self._socket = socket
        self._url = url
        self._timing = timing
        self._half_open = False
        self._messages_until_id = 0
        self._held_bytes = 0
        self.connection_id = ""
        self.extra: dict[str, object] = {}
        # Uptime seconds, which nobody sets, and which go on while a laptop sleeps.
        self.opened_at = uptime_s()
        self.last_pong_at: float | None = None

    @property
    def last_message_at(self) -> float | None:
        """Uptime seconds of the last message after the one that brought the id; None before the first."""
        return self._socket.last_message_at if self._socket.messages > self._messages_until_id else None

    @property
    def last_bytes_at(self) -> float | None:
        """Uptime seconds of the last bytes of whatever kind, parts of messages included."""
        return self._socket.last_bytes_at

    @property
    def alive_at(self) -> float:
        """Uptime seconds of the last proof of life."""
        return max(self.opened_at, self.last_message_at or 0.0, self.last_pong_at or 0.0)

    async def wait_for_id(self, on_message: Callable[[bytes], None]) -> None:
        """Wait for the frame that brings the id. What comes before it goes to ``on_message``, what follows waits.

        Raises AttemptFailedError if none comes in time or the socket ends first.
        """
        arrived = asyncio.Event()

        def look(raw: bytes) -> None:
            # Not the socket's count: what came together with the handshake was counted before it is looked at.
            self._messages_until_id += not arrived.is_set()
            if arrived.is_set():
                self._hold(raw)
            elif (found := connection_id_in(raw, alone=False)) is not None:
                self.connection_id, self.extra = found
                arrived.set()
            else:
                on_message(raw)

        self._socket.deliver_to(look)
        closed = asyncio.ensure_future(self._socket.wait_closed())
        waiting = asyncio.ensure_future(arrived.wait())
        try:
            await asyncio.wait(
                {closed, waiting}, timeout=self._timing.id_timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            closed.cancel()
            waiting.cancel()
        if self._socket.failure is not None:
            raise self._socket.failure
        if not arrived.is_set():
            if closed.done() and not closed.cancelled():
                why = self._code_in_words() or "connection cut"
                raise AttemptFailedError(f"closed before the connection id came: {why}")
            limit = self._timing.id_timeout_s
            raise AttemptFailedError(f"connected, but no connection id came within {limit:g} s")

    def _hold(self, raw: bytes) -> None:
        """Keep what follows the id until `hear`. A disk that keeps the id from being published must not fill memory."""
        self._socket.held.append(raw)
        self._held_bytes += len(raw)
        if self._held_bytes > MAX_MESSAGE_BYTES:
            self.abort()

    async def hear(self, on_message: Callable[[bytes], None]) -> Ended:
        """Hand on every message in order until the socket ends, however it does. Raises what ``on_message`` raises."""
        pinger = asyncio.create_task(self._ping(), name="ping")
        try:
            self._socket.deliver_to(on_message)
            await self._socket.wait_closed()
        finally:
            pinger.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pinger
        if self._socket.failure is not None:
            raise self._socket.failure
        return self._ended()

    def hand_over(self, on_message: Callable[[bytes], None]) -> None:
        """Hand on what was received but waits for `hear`, because it will not be called."""
        self._socket.deliver_to(on_message)

    async def close(self) -> None:
        """Close in an orderly way; cut what has not answered within two seconds. Idempotent."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(CLOSE_TIMEOUT_S):
                await self._socket.close()
        self.abort()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._socket.transport.abort()

    async def _ping(self) -> None:
        """Cut the connection when neither a pong nor anything else has come for too long: it is half open."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                pong = await self._socket.ping()
                heard = self._socket.bytes_received
                try:
                    async with asyncio.timeout(self._timing.ping_timeout_s):
                        await pong
                    self.last_pong_at = uptime_s()
                except TimeoutError:
                    if self._socket.bytes_received == heard:
                        self._half_open = True
                        self.abort()
                        return
                    continue
                await asyncio.sleep(self._timing.ping_interval_s)

    def _ended(self) -> Ended:
        from websockets.exceptions import PayloadTooBig

        protocol = self._socket.protocol
        received, sent = protocol.close_rcvd, protocol.close_sent
        now = uptime_s()
        if isinstance(protocol.parser_exc, PayloadTooBig):
            size = _refused_size(protocol.parser_exc)
            return Ended("message_too_big", _size_in_words(size), 1009, now, size)
        if self._half_open:
            return Ended("half_open", f"no answer for {now - self.alive_at:.0f} s", None, self.alive_at)
        if received is not None:
            return Ended("closed", f"server closed {self._code_in_words()}", received.code, now)
        if sent is not None:
            return Ended("protocol_error", f"protocol error: {sent.reason or sent.code}", sent.code, self.alive_at)
        return Ended("cut", "connection cut", None, self.alive_at)

    def _code_in_words(self) -> str:
        received = self._socket.protocol.close_rcvd
        if received is None:
            return ""
        words = {1000: "normal", 1001: "going away", 1006: "abnormal", 1008: "policy", 1011: "error", 1012: "restart"}
        said = without_url(self._url, received.reason) or words.get(received.code, "")
        return f"{received.code}, {said}" if said else str(received.code)


def without_url(url: str, text: str) -> str:
    """Return a text without the socket URL or a part of it that opens the socket."""
    parts = urlsplit(url)
    for secret in (url, parts.path + ("?" + parts.query if parts.query else ""), parts.query, parts.path):
        if len(secret) > 1:
            text = text.replace(secret, "…")
    return text


def _refused_size(cause: BaseException | None) -> int | None:
    size = getattr(cause, "size", None)
    read = getattr(cause, "current_size", None) or 0
    return size + read if isinstance(size, int) else None


def _size_in_words(size: int | None) -> str:
    limit = MAX_MESSAGE_BYTES >> 20
    return f"a message of {size} bytes is over the limit of {limit} MiB" if size else f"a message over {limit} MiB"
