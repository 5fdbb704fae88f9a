"""Speaks to a running embedded service over its ``/_local/`` calls.

Plain `http.client`: no proxy of the environment may come between us and loopback, and the commands start fast.
"""

from __future__ import annotations

import http.client
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from videodb_cli.errors import NotFoundError, UnreachableError, UsageError, VideodbError
from videodb_cli.local.service_directory import ServiceAddress

CALL_TIMEOUT_S = 10.0


class ControlClient:
    """The control calls of one service. Every method raises `UnreachableError` if it does not answer."""

    def __init__(self, address: ServiceAddress) -> None:
        self.address = address

    def status(self, *, hold: bool = False) -> dict[str, Any]:
        """What runs there. ``hold`` begins the wait of an idle service anew: we are about to use it."""
        return self._call("GET", "/_local/status" + ("?hold=1" if hold else ""))

    def stay(self) -> None:
        """Let a service that would end when idle stay."""
        self._call("POST", "/_local/stay")

    def stop(self, *, keep: bool) -> str | None:
        """Ask it to end; return the directory of the media if they are kept and there are any."""
        kept = self._call("POST", "/_local/stop", orjson.dumps({"keep": keep})).get("kept")
        return kept if isinstance(kept, str) else None

    def set_faults(self, faults: list[dict[str, object]]) -> None:
        """Let it misbehave as planned. Raises `UsageError` for a plan that makes no sense."""
        self._call("POST", "/_local/faults", orjson.dumps({"faults": faults}))

    def trigger(self, kind: str, *, text: str | None, count: int, rate: float | None, to: str | None) -> dict[str, Any]:
        """Send made-up events; returns ``sent``, ``connections`` and ``seconds`` when the last one is on its way.

        Raises `NotFoundError` if nobody is connected (or not that one), `UsageError` for a kind that does not exist.
        """
        wanted = {"kind": kind, "text": text, "count": count, "rate": rate, "to": to}
        return self._call("POST", "/_local/trigger", orjson.dumps(wanted), timeout_s=None)

    def replay(self, chunks: Iterable[bytes], *, speed: float, to: str | None) -> dict[str, Any]:
        """Send a log with its timing; returns ``sent``, ``skipped``, ``connections`` and ``seconds``.

        Raises `NotFoundError` as `trigger` does.
        """
        self._check_target(to)  # before the body: a refusal in mid-body would reset the connection
        query = urlencode({"speed": speed} | ({"to": to} if to is not None else {}))
        return self._call("POST", f"/_local/replay?{query}", chunks, timeout_s=None)

    def _check_target(self, to: str | None) -> None:
        connections = [item["connection_id"] for item in self.status()["connections"]]
        if not connections:
            raise nobody_connected()
        if to is not None and to not in connections:
            raise unknown_connection(to)

    def _call(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        *,
        timeout_s: float | None = CALL_TIMEOUT_S,
    ) -> dict[str, Any]:
        parts = urlsplit(self.address.url)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s or CALL_TIMEOUT_S)
        try:
            connection.connect()
            connection.sock.settimeout(timeout_s)
            headers = {"x-access-token": self.address.key, "content-type": "application/json"}
            connection.request(method, path, body, headers, encode_chunked=not isinstance(body, bytes | None))
            answer = connection.getresponse()
            content = orjson.loads(answer.read())
        except (OSError, http.client.HTTPException, orjson.JSONDecodeError) as error:
            raise UnreachableError(
                f"the embedded service at {self.address.url} (pid {self.address.pid}) does not answer: {error}",
                hint="videodb local stop",
            ) from error
        finally:
            connection.close()
        if answer.status >= 400:
            raise _error_of(content)
        data = content.get("data")
        return data if isinstance(data, dict) else {}


def nobody_connected() -> NotFoundError:
    """Exit 4: no listener hears the embedded service."""
    return NotFoundError(
        "nobody is connected to the embedded service", code="nobody_connected", hint="videodb listen --local"
    )


def unknown_connection(connection_id: str) -> NotFoundError:
    """Exit 4: there is no such listener."""
    return NotFoundError(
        f"no listener is connected as {connection_id}", code="unknown_connection", hint="videodb local status"
    )


def _error_of(content: Any) -> VideodbError:
    message, code = str(content.get("message")), str(content.get("error_code"))
    if code == "NOBODY_CONNECTED":
        return nobody_connected()
    if code == "UNKNOWN_CONNECTION":
        return NotFoundError(message, code="unknown_connection", hint="videodb local status")
    if code == "INVALID_REQUEST":
        return UsageError(message)
    return UnreachableError(f"the embedded service refused: {message}", code=code.lower())
