"""One attempt: from a socket URL to the end of one socket. What to forgive and when to retry is decided elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import orjson

from videodb_cli.settings import is_loopback

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

MAX_MESSAGE_BYTES = 64 << 20
_MAX_ID_FRAME_BYTES = 4096
_CLOSE_TIMEOUT_S = 2.0


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

    ``alive_at`` is the last proof of life (Unix seconds): what was sent before it has been received. An orderly close
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
    """One open socket with its id. Made by `open_connection`; `hear` runs until it ends."""

    def __init__(self, socket: ClientConnection, timing: Timing) -> None:
        self._socket = socket
        self._timing = timing
        self._half_open = False
        self.connection_id = ""
        self.extra: dict[str, object] = {}
        self.messages = 0
        # Unix seconds, not monotonic ones: those stand still while a laptop sleeps.
        self.opened_at = time.time()
        self.last_message_at: float | None = None
        self.last_pong_at: float | None = None

    @property
    def alive_at(self) -> float:
        """Unix seconds of the last proof of life."""
        return max(self.opened_at, self.last_message_at or 0.0, self.last_pong_at or 0.0)

    async def wait_for_id(self, on_message: Callable[[bytes], None]) -> None:
        """Wait for the frame that brings the id; whatever comes before it goes to ``on_message``.

        Raises AttemptFailedError if none comes in time or the socket ends first.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            async with asyncio.timeout(self._timing.id_timeout_s):
                while True:
                    raw = await self._socket.recv(decode=False)
                    found = connection_id_in(raw, alone=False)
                    if found is not None:
                        self.connection_id, self.extra = found
                        return
                    on_message(raw)
        except TimeoutError:
            raise AttemptFailedError(
                f"connected, but no connection id came within {self._timing.id_timeout_s:g} s"
            ) from None
        except ConnectionClosed as closed:
            raise AttemptFailedError(f"closed before the connection id came: {_closed_in_words(closed)}") from None

    async def hear(self, on_message: Callable[[bytes], None]) -> Ended:
        """Hand on every message in order until the socket ends, however it does."""
        from websockets.exceptions import ConnectionClosed

        pinger = asyncio.create_task(self._ping(), name="ping")
        receive = self._socket.recv
        now = time.time
        try:
            while True:
                raw = await receive(decode=False)
                self.last_message_at = now()
                self.messages += 1
                on_message(raw)
        except ConnectionClosed as closed:
            return self._ended(closed)
        finally:
            pinger.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await pinger

    async def close(self) -> None:
        """Close in an orderly way, within two seconds. Idempotent."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await self._socket.close()

    def abort(self) -> None:
        """Cut the connection without a word."""
        self._socket.transport.abort()

    async def _ping(self) -> None:
        """Cut the connection when neither a pong nor a message has come for too long: it is half open."""
        from websockets.exceptions import ConnectionClosed

        with contextlib.suppress(ConnectionClosed):
            while True:
                pong = await self._socket.ping()
                heard = self.messages
                try:
                    async with asyncio.timeout(self._timing.ping_timeout_s):
                        await pong
                    self.last_pong_at = time.time()
                except TimeoutError:
                    if self.messages == heard:
                        self._half_open = True
                        self.abort()
                        return
                    continue
                await asyncio.sleep(self._timing.ping_interval_s)

    def _ended(self, closed: Exception) -> Ended:
        from websockets.exceptions import ConnectionClosed, PayloadTooBig

        now = time.time()
        assert isinstance(closed, ConnectionClosed)  # noqa: S101 - for the type checker
        cause = closed.__cause__
        if isinstance(cause, PayloadTooBig) or (closed.sent is not None and closed.sent.code == 1009):
            size = _refused_size(cause)
            return Ended("message_too_big", _size_in_words(size), 1009, now, size)
        if self._half_open:
            silent = now - self.alive_at
            return Ended("half_open", f"no answer for {silent:.0f} s", None, self.alive_at)
        if closed.rcvd is not None:
            return Ended("closed", f"server closed {_code_in_words(closed)}", closed.rcvd.code, now)
        if closed.sent is not None:
            detail = f"protocol error: {closed.sent.reason or closed.sent.code}"
            return Ended("protocol_error", detail, closed.sent.code, self.alive_at)
        return Ended("cut", "connection cut", None, self.alive_at)


async def open_connection(url: str, timing: Timing) -> Connection:
    """Open a socket. Raises AttemptFailedError for a URL that cannot be used and for every failure on the way."""
    from websockets.asyncio.client import connect
    from websockets.exceptions import WebSocketException

    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in {"ws", "wss"}:
        raise AttemptFailedError("the service gave a socket URL that is not one")
    if parts.scheme == "ws" and not is_loopback(host):
        raise AttemptFailedError("the service gave a socket URL without TLS")
    try:
        socket = await connect(
            url,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,
            open_timeout=timing.open_timeout_s,
            close_timeout=_CLOSE_TIMEOUT_S,
            ping_interval=None,
            # A proxy is never meant for this machine.
            proxy=None if is_loopback(host) else True,
        )
    except TimeoutError:
        raise AttemptFailedError(f"the socket did not open within {timing.open_timeout_s:g} s") from None
    except (OSError, WebSocketException, EOFError, ValueError) as error:
        raise AttemptFailedError(
            f"the socket did not open: {_without_secret(error, url)}", retry_after_s=_retry_after(error)
        ) from None
    return Connection(socket, timing)


def _without_secret(error: Exception, url: str) -> str:
    from websockets.exceptions import InvalidStatus

    if isinstance(error, InvalidStatus):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    parts = urlsplit(url)
    for secret in (url, parts.path + ("?" + parts.query if parts.query else ""), parts.query, parts.path):
        if len(secret) > 1:
            text = text.replace(secret, "…")
    return text[:300]


def _retry_after(error: Exception) -> float | None:
    from datetime import UTC, datetime

    from websockets.exceptions import InvalidStatus

    from videodb_cli.api.control_plane import retry_after_s

    if isinstance(error, InvalidStatus):
        return retry_after_s(error.response.headers.get("Retry-After"), datetime.now(UTC))
    return None


def _code_in_words(closed: Exception) -> str:
    received = getattr(closed, "rcvd", None)
    if received is None:
        return ""
    words = {1000: "normal", 1001: "going away", 1006: "abnormal", 1008: "policy", 1011: "error", 1012: "restart"}
    said = received.reason or words.get(received.code, "")
    return f"{received.code}, {said}" if said else str(received.code)


def _closed_in_words(closed: Exception) -> str:
    return _code_in_words(closed) or "connection cut"


def _refused_size(cause: BaseException | None) -> int | None:
    size = getattr(cause, "size", None)
    read = getattr(cause, "current_size", None) or 0
    return size + read if isinstance(size, int) else None


def _size_in_words(size: int | None) -> str:
    limit = MAX_MESSAGE_BYTES >> 20
    return f"a message of {size} bytes is over the limit of {limit} MiB" if size else f"a message over {limit} MiB"
