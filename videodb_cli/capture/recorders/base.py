"""What every recorder does, and what it says while it does it.

A recorder belongs to one session at a time and to one event loop. Its updates are small and frozen; whoever runs the
session decides what they mean.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.rundir.capture_state import ChannelState


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a recorder can work here; ``why`` says so in words, ``hint`` what mends it."""

    usable: bool
    why: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Began:
    """The session was taken up by the service; ``streaming_id`` is the name under which it can be asked and stopped."""

    streaming_id: str


@dataclass(frozen=True, slots=True)
class Flowing:
    """Media of this channel reach the service (again)."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class Interrupted:
    """Media of this channel stopped; the recorder goes on trying."""

    channel_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Finished:
    """This channel came to its natural end (a file that was played)."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class ChannelFailed:
    """This channel is given up."""

    channel_id: str
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class RecorderFailed:
    """The recorder as a whole is gone for good."""

    code: str
    reason: str


RecorderUpdate = Began | Flowing | Interrupted | Finished | ChannelFailed | RecorderFailed


class Recorder(ABC):
    """Base of all recorders. Methods raise `VideodbError` subclasses; `close` never raises."""

    # Least time between start and stop: the official recorder leaves a session stuck when it is stopped at once.
    settle_s: ClassVar[float] = 0.0

    def __init__(self) -> None:
        self._updates: asyncio.Queue[RecorderUpdate | None] = asyncio.Queue()
        # The channels for which `start` still waits to be told by the service where to publish them.
        self.unaddressed: tuple[str, ...] = ()

    async def request_permission(self, kind: str) -> None:  # noqa: B027 - most platforms ask for none
        """Ask the system for the right to use channels of this kind. Raises RefusedError if it is denied."""

    @abstractmethod
    async def start(self, request: CaptureRequest, session: OpenedSession) -> None:
        """Begin to record. Returns when it is under way; `updates` says when media flow."""

    @abstractmethod
    async def pause(self, channels: Sequence[Channel]) -> None:
        """Send black and silence for these channels while time goes on."""

    @abstractmethod
    async def resume(self, channels: Sequence[Channel]) -> None:
        """Undo `pause`."""

    @abstractmethod
    async def stop(self) -> None:
        """End the recording gracefully, then the processes behind it. Idempotent; bounded in time."""

    @abstractmethod
    def health(self) -> dict[str, ChannelState]:
        """How each channel of the request does, by its id. Times are uptime seconds (`process.clock`)."""

    async def updates(self) -> AsyncIterator[RecorderUpdate]:
        """Yield what happens, until the recorder is stopped."""
        while (update := await self._updates.get()) is not None:
            yield update

    def _tell(self, update: RecorderUpdate | None) -> None:
        self._updates.put_nowait(update)
