"""Misbehaviour on demand: what networks, proxies and services do to listeners, by a plan that a test or a file gives.

A plan is ``{"faults": [{"kind": …, …}, …]}``. Each fault strikes ``times`` times (1; 0: always). Faults of calls look
at ``path`` (a part of it; empty: every call of the public API), faults of sockets at ``after``, the number of frames
that a socket has carried.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.local.faults.wire import Wire
from videodb_cli.local.http import fields
from videodb_cli.local.http.answers import ServiceError, failure, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send


Frame = str | bytes
WIRE: Final = "videodb.wire"

CALL_KINDS: Final = ("refuse", "status", "stall", "slow", "garbage_body", "token_expiry")
OPENING_KINDS: Final = ("reject", "no_first_frame", "event_first")
FRAME_KINDS: Final = (
    "close",
    "cut",
    "pause",
    "half_open",
    "duplicate",
    "out_of_order",
    "late",
    "oversize",
    "binary",
    "garbage",
    "id_change",
)
KINDS: Final = (*CALL_KINDS, *OPENING_KINDS, *FRAME_KINDS, "clock_skew")
MAX_SECONDS: Final = 3600.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One kind of misbehaviour. ``seconds``: how long, or by how much; ``times`` 0: always."""

    kind: str
    times: int = 1
    after: int = 0
    path: str = ""
    status: int = 503
    retry_after: float | None = None
    seconds: float = 1.0
    code: int = 1001
    size: int = 1 << 20

    def as_json(self) -> dict[str, object]:
        """The shape in which a plan gives it."""
        return {name: getattr(self, name) for name in self.__slots__}


def read_plan(content: Mapping[str, Any]) -> list[Fault]:
    """The faults of a plan. Raises `ServiceError` 400 that names what is wrong."""
    listed = content.get("faults")
    if not isinstance(listed, list) or not all(isinstance(item, dict) for item in listed):
        raise invalid("faults must be a list of objects")
    return [_read_fault(item) for item in listed]


def read_plan_file(path: Path) -> list[Fault]:
    """Return the faults of a plan in a file. Raises NotFoundError, RefusedError, and UsageError for what is no plan."""
    try:
        content = orjson.loads(path.read_bytes())
        if not isinstance(content, dict):
            raise invalid("it must be an object with faults")
        return read_plan(content)
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {path} (named by --faults)", code="no_file") from None
    except OSError as error:
        raise RefusedError(f"cannot read {path}: {error.strerror}", code="file") from error
    except (orjson.JSONDecodeError, ServiceError) as error:
        raise UsageError(f"{path} is not a plan of faults: {error}") from error


def _read_fault(item: Mapping[str, Any]) -> Fault:
    unknown = set(item) - set(Fault.__slots__)
    if unknown:
        raise invalid(f"a fault has no {min(unknown)}")
    kind = fields.choice(item, "kind", KINDS)
    retry_after = item.get("retry_after")
    seconds = item.get("seconds", 1.0)
    low = -MAX_SECONDS if kind == "clock_skew" else 0.0
    for name, value, least in (("retry_after", retry_after, 0.0), ("seconds", seconds, low)):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if value is not None and not (is_number and least <= value <= MAX_SECONDS):
            raise invalid(f"{name} must be a number from {least:g} to {MAX_SECONDS:g}")
    return Fault(
        kind,
        times=fields.integer(item, "times", 1, low=0),
        after=fields.integer(item, "after", 0, low=0),
        path=fields.optional_text(item, "path") or "",
        status=fields.integer(item, "status", 503, low=200, high=599),
        retry_after=retry_after,
        seconds=seconds,
        code=fields.integer(item, "code", 1001, low=1000, high=4999),
        size=fields.integer(item, "size", 1 << 20, high=128 << 20),
    )


class Faults:
    """The plan of one service and what of it has struck. Used on the event loop only."""

    def __init__(self) -> None:
        self._left: list[Fault] = []
        self._always: list[Fault] = []
        self.struck: dict[str, int] = {}
        # Frames that are held back and go out later.
        self.delayed = 0
        # Told of each frame that goes out: connection id, frame. Tests hold the receiver to it.
        self.on_frame: Callable[[str, Frame], None] = lambda _connection, _frame: None

    def set(self, plan: list[Fault]) -> None:
        """Replace the plan."""
        self._left = [fault for fault in plan if fault.times]
        self._always = [fault for fault in plan if not fault.times]

    def as_json(self) -> dict[str, object]:
        """What is still to come, and what has struck."""
        return {"faults": [fault.as_json() for fault in (*self._left, *self._always)], "struck": dict(self.struck)}

    def delay(self, seconds: float, send: Callable[[], None]) -> None:
        """Send a frame later, behind all that wait then."""

        def send_now() -> None:
            self.delayed -= 1
            send()

        self.delayed += 1
        asyncio.get_running_loop().call_later(seconds, send_now)

    def take(self, kinds: tuple[str, ...], *, path: str = "", after: int = 0) -> Fault | None:
        """The next fault of these kinds that is due here, counted as struck."""
        for fault in (*self._left, *self._always):
            if fault.kind in kinds and fault.path in path and fault.after <= after:
                if fault in self._left:
                    self._left.remove(fault)
                    if fault.times > 1:
                        self._left.append(replace(fault, times=fault.times - 1))
                self.struck[fault.kind] = self.struck.get(fault.kind, 0) + 1
                return fault
        return None

    @property
    def skew_s(self) -> float:
        """By how much the service's clock is wrong now."""
        skews = [fault.seconds for fault in (*self._left, *self._always) if fault.kind == "clock_skew"]
        return skews[-1] if skews else 0.0


class FaultyCalls:
    """ASGI middleware: calls of the public API meet the faults that are planned for them."""

    def __init__(self, app: ASGIApp, faults: Faults) -> None:
        self._app = app
        self._faults = faults

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Strike, or hand on."""
        path = str(scope.get("path", ""))
        if scope["type"] == "websocket":
            # Nothing has wrapped ``send`` yet: below, nobody could find the connection any more.
            scope = {**scope, WIRE: Wire.of(send)}
        if scope["type"] != "http" or path.startswith(("/_local/", "/media/", "/play/")) or path == "/":
            await self._app(scope, receive, send)
            return
        fault = self._faults.take(CALL_KINDS, path=path)
        if fault is None:
            await self._app(scope, receive, send)
            return
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
            await self._app(scope, receive, send)
        elif fault.kind == "refuse":
            wire = Wire.of(send)
            if wire is not None:
                wire.cut()
        elif fault.kind == "stall":
            await asyncio.sleep(fault.seconds)
            await self._answer(replace(fault, status=504), scope, receive, send)
        else:
            await self._answer(fault, scope, receive, send)

    async def _answer(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.responses import Response

        if fault.kind == "token_expiry":
            answer = failure(ServiceError(401, "The access token is invalid or has expired", "UNAUTHORIZED"))
        elif fault.kind == "garbage_body":
            answer = Response('{"success": tru', 200, media_type="application/json")
        else:
            # As a proxy says it, not the service.
            answer = Response("<html>sorry</html>", fault.status, media_type="text/html")
        if fault.retry_after is not None:
            answer.headers["retry-after"] = f"{fault.retry_after:g}"
        await answer(scope, receive, send)
