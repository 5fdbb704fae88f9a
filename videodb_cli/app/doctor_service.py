"""The checks of `videodb doctor` over the network: the route to the service, the service, and its socket."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Final

from videodb_cli.app.findings import Finding, failing, ok, warning
from videodb_cli.errors import VideodbError
from videodb_cli.network.errors import CannotReachError
from videodb_cli.network.failures import FINAL, reason_of
from videodb_cli.network.route import decide, ignored_bypasses, unusable_proxies
from videodb_cli.quantities import span
from videodb_cli.settings import Credentials

_CALL_S: Final = 10.0
_SKEW_S: Final = 5.0
_LEAST_SKEW_S: Final = 2.0
_DATE_RESOLUTION_S: Final = 1.0


def examine_service(credentials: Credentials) -> Iterator[Finding]:
    """Yield the findings about the route to the service, about the service and about its socket."""
    try:
        yield ok("network", _way(credentials.base_url))
    except VideodbError as error:
        # A request would fail with the same error.
        yield failing("network", error)
        return
    yield from _oddities()
    findings: list[Finding] = []
    try:
        asyncio.run(_ask(credentials, findings))
    except VideodbError as error:
        if error.hint == "videodb doctor":
            error.hint = "check the network and VIDEO_DB_API"
        findings.append(failing("service", error))
    yield from findings


def _way(url: str) -> str:
    """Return how a host is reached and which certificates are trusted. Raises the error if it cannot be reached so."""
    route = decide(url)
    text = f"{route.host} is reached {route.in_words}"
    if route.is_tls or (route.proxy is not None and route.proxy.scheme == "https"):
        from videodb_cli.network import tls

        text += f" · trusts {tls.trust().trusted}"
    return text


def _oddities() -> Iterator[Finding]:
    """Yield what is wrong with proxy settings that the service does not need."""
    for message in unusable_proxies():
        yield warning("proxies", f"{message}; it is not needed for the service")
    ignored = ignored_bypasses()
    if ignored is not None:
        variable, words = ignored
        forms = "example.org, .example.org, 10.0.0.1, 10.0.0.0/8, ::1, [::1]:443, *"
        yield warning("proxies", f"{variable} has what means nothing: {', '.join(words)}", f"it takes {forms}")


async def _ask(credentials: Credentials, findings: list[Finding]) -> None:
    from videodb_cli.api.control_plane import ControlPlane

    async with ControlPlane(credentials, timeout_s=_CALL_S) as service:
        began = time.monotonic()
        url = await service.websocket_url("default")
        took = time.monotonic() - began
        offset = service.clock_offset_s
    text = f"{credentials.host} answers in {took * 1000:.0f} ms"
    skew = None if offset is None else clock_skew_s(offset, took)
    if skew is None:
        findings.append(ok("service", text))
    else:
        text += f" · this clock is {span(abs(skew))} {'behind' if skew > 0 else 'ahead'}"
        if abs(skew) <= _SKEW_S:
            findings.append(ok("service", text))
        else:
            findings.append(warning("service", f"{text}: times of events will look wrong", "timedatectl set-ntp true"))
    findings.append(await _socket(url))


def clock_skew_s(offset_s: float, took_s: float) -> float | None:
    """Return by how many seconds the service's clock is surely ahead of ours; negative if it is behind.

    Args:
        offset_s: The ``Date`` of an answer, which has whole seconds only, minus our time when it had come.
        took_s: How long the call took; the ``Date`` was written at some moment of it.

    Returns:
        None if the difference may be rounding, or is too small to matter.
    """
    least, most = offset_s, offset_s + _DATE_RESOLUTION_S + took_s
    skew = least if least > 0 else min(most, 0.0)
    return skew if abs(skew) >= _LEAST_SKEW_S else None


async def _socket(url: str) -> Finding:
    """Open the socket once, wait for its id, and measure a ping. The URL is secret, so no message names it."""
    import orjson
    from websockets.exceptions import WebSocketException

    from videodb_cli.network.websocket import open_websocket

    try:
        by = decide(url).by
        async with asyncio.timeout(_CALL_S), await open_websocket(url, compression=None, close_timeout=1) as socket:
            async for message in socket:
                try:
                    frame = orjson.loads(message)
                except orjson.JSONDecodeError:
                    continue
                if isinstance(frame, dict) and frame.get("connection_id"):
                    break
            else:
                return Finding("failing", "socket", "closed before it gave an id", "try again; then ask the service", 5)
            began = time.monotonic()
            await (await socket.ping())
            took_ms = (time.monotonic() - began) * 1000
            return ok("socket", f"opens, gives an id, and answers a ping in {took_ms:.0f} ms{by}")
    except TimeoutError:
        return Finding("failing", "socket", f"gave no id within {_CALL_S:g} s", "is a proxy in between?", 5)
    except FINAL as error:
        return failing("socket", error)
    except CannotReachError as error:
        return Finding("failing", "socket", str(error), "check the proxy, or NO_PROXY", 5)
    except (OSError, WebSocketException, EOFError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else type(error).__name__
        return Finding("failing", "socket", f"cannot be opened: {why}", "is a proxy or firewall in between?", 5)
