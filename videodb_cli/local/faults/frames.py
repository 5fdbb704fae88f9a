"""The frames of one socket, changed by the faults that are planned for them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

import orjson

from videodb_cli.local.faults.plan import FRAME_KINDS, OPENING_KINDS

if TYPE_CHECKING:
    from videodb_cli.local.faults.plan import Fault, Faults, Frame
    from videodb_cli.local.faults.wire import Wire


class Receiver(Protocol):
    """What faults do to the connection whose frames they meet."""

    id: str

    def send(self, frame: Frame) -> None:
        """Queue a frame."""

    def close(self, code: int = ..., reason: str = ...) -> None:
        """Close the socket."""


class FaultyFrames:
    """The frames of one socket meet the faults that are planned for them."""

    def __init__(self, faults: Faults, wire: Wire | None, connection: Receiver) -> None:
        self._faults = faults
        self._wire = wire
        self._connection = connection
        self._count = 0
        self._held: Frame | None = None

    async def pass_on(self, frame: Frame) -> list[Frame]:
        """What goes out in place of one frame. May wait, and may cut the socket, which ends the sending."""
        self._count += 1
        if self._count == 1:
            return await self._first(frame)
        fault = self._faults.take(FRAME_KINDS, after=self._count - 2)
        frames = [frame] if fault is None else await self._strike(fault, frame)
        if self._held is not None and (fault is None or fault.kind != "out_of_order"):
            frames = [*frames, self._held]
            self._held = None
        return frames

    def sent(self, frame: Frame) -> None:
        """A frame has gone out."""
        self._faults.on_frame(self._connection.id, frame)

    async def _first(self, frame: Frame) -> list[Frame]:
        fault = self._faults.take(OPENING_KINDS[1:])
        if fault is None:
            return [frame]
        if fault.kind == "event_first":
            early = orjson.dumps({"channel": "early", "data": {"text": "before the id"}}).decode()
            return [early, frame]
        return []

    async def _strike(self, fault: Fault, frame: Frame) -> list[Frame]:
        match fault.kind:
            case "close":
                self._connection.close(fault.code, "a planned fault")
                return []
            case "cut" | "half_open":
                if self._wire is not None:
                    if fault.kind == "half_open":
                        self._wire.freeze()
                        await asyncio.sleep(fault.seconds)
                    self._wire.cut()
                return []
            case "pause":
                await asyncio.sleep(fault.seconds)
                return [frame]
            case "duplicate":
                return [frame, frame]
            case "out_of_order":
                # It goes out behind the next one.
                held, self._held = self._held, frame
                return [] if held is None else [held]
            case "late":
                # Its record can be read meanwhile.
                self._faults.delay(fault.seconds, lambda: self._connection.send(frame))
                return []
            case "oversize":
                return [frame, orjson.dumps({"channel": "oversize", "data": {"text": "x" * fault.size}}).decode()]
            case "binary":
                return [frame.encode() if isinstance(frame, str) else frame]
            case "garbage":
                return [frame, b"\xff\xfe not JSON \x00", "[1,2", "null", "[]"]
        new_id = f"{self._connection.id}-{self._count}"
        return [frame, orjson.dumps({"connection_id": new_id}).decode()]
