"""One attempt: a fresh socket URL, the socket by the route of its host, and the id of the connection.

What to forgive and when to try again is decided in `retries`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from videodb_cli.listener.connection import (
    CLOSE_TIMEOUT_S,
    AttemptFailedError,
    Connection,
    Timing,
    without_url,
)
from videodb_cli.listener.frames import MAX_MESSAGE_BYTES
from videodb_cli.listener.intake import Intake
from videodb_cli.network.errors import CannotReachError
from videodb_cli.network.failures import said_by_system
from videodb_cli.network.route import decide
from videodb_cli.process.clock import uptime_s
from videodb_cli.settings import is_loopback

_log = logging.getLogger(__name__)


class Connector:
    """Makes attempts. ``fresh_url`` asks the control plane for a socket URL, which is a secret and used once."""

    def __init__(self, fresh_url: Callable[[], Awaitable[str]], timing: Timing, intake: Intake) -> None:
        self._fresh_url = fresh_url
        self._timing = timing
        self._intake = intake

    async def connect(self) -> Connection:
        """Return a connection that has its id. Raises AttemptFailedError or VideodbError.

        What came before the id is in the log, also if no id comes.
        """
        began = uptime_s()
        url = await self._fresh_url()
        # Never the URL itself: its path and its query open the socket.
        _log.debug("attempt: got a socket URL after %.3f s", uptime_s() - began)
        connection = await open_connection(url, self._timing)
        _log.debug("attempt: the socket is open after %.3f s", uptime_s() - began)
        try:
            await connection.wait_for_id(self._intake.take_early)
        except BaseException:
            connection.abort()
            connection.hand_over(self._intake.take)
            raise
        _log.debug("attempt: connected as %s after %.3f s", connection.connection_id, uptime_s() - began)
        return connection


async def open_connection(url: str, timing: Timing) -> Connection:
    """Open a socket by the route that is decided for its host.

    Raises AttemptFailedError for a URL that cannot be used and for every failure on the way, those of
    `network.failures.FINAL` for a way that cannot work.
    """
    from websockets.exceptions import WebSocketException

    from videodb_cli.listener.event_socket import EventSocket
    from videodb_cli.network.websocket import open_websocket

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
        socket = await open_websocket(
            url,
            create_connection=EventSocket,
            max_size=MAX_MESSAGE_BYTES,
            compression=None,
            open_timeout=timing.open_timeout_s,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=None,
        )
    except TimeoutError:
        by = decide(url).by
        raise AttemptFailedError(f"the socket did not open within {timing.open_timeout_s:g} s{by}") from None
    except CannotReachError as error:
        raise AttemptFailedError(f"the socket did not open: {error}") from None
    except (OSError, WebSocketException, EOFError, ValueError) as error:
        raise AttemptFailedError(
            f"the socket did not open: {_without_secret(error, url)}", retry_after_s=_retry_after(error)
        ) from None
    assert isinstance(socket, EventSocket)  # noqa: S101 - create_connection above
    return Connection(socket, timing, url)


def _without_secret(error: Exception, url: str) -> str:
    from websockets.exceptions import InvalidStatus

    if isinstance(error, InvalidStatus):
        return f"HTTP {error.response.status_code}"
    if isinstance(error, OSError) and error.strerror:
        return said_by_system(error)
    return without_url(url, " ".join(str(error).split()) or type(error).__name__)[:300]


def _retry_after(error: Exception) -> float | None:
    from websockets.exceptions import InvalidStatus

    from videodb_cli.api.control_plane import answered_at, retry_after_s

    if isinstance(error, InvalidStatus):
        headers = error.response.headers
        return retry_after_s(headers.get("Retry-After"), answered_at(headers.get("Date")))
    return None
