"""One channel's publisher: an ffmpeg child, watched, and started again when it stalls or dies, with backoff.

The RTSP muxer has no time limit of its own: a dead peer or a hanging device shows only in ``-progress`` standing still.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import pause_command, shown
from videodb_cli.capture.ffmpeg.failures import meaning_of, without_urls
from videodb_cli.capture.ffmpeg.progress import ProgressReader
from videodb_cli.capture.recorders.base import ChannelFailed, Finished, Flowing, Interrupted, RecorderUpdate
from videodb_cli.errors import VideodbError
from videodb_cli.process.child import Child, Ladder
from videodb_cli.process.clock import uptime_s

log = logging.getLogger("videodb_cli.capture")
_LADDER: Final = Ladder(ask_s=3.0, interrupt_s=1.5, terminate_s=1.0)
_STALLED_LADDER: Final = Ladder(ask_s=0.0, interrupt_s=1.0, terminate_s=0.5)


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """When to try again and when to give up, in seconds.

    ``start_attempts`` is how often it is tried before media have flowed once; after that, ``give_up_s`` without any.
    """

    stall_s: float = 8.0
    first_media_s: float = 20.0
    start_attempts: int = 3
    give_up_s: float = 45.0
    backoff_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)
    forgive_s: float = 10.0
    watch_s: float = 0.5
    first_watch_s: float = 0.1


class PublisherOutcome(Enum):
    """How one run of ffmpeg ended."""

    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class Publisher:
    """Publishes one channel until `stop`. ``arguments(paused=…, offset_s=…)`` is asked for at each start of ffmpeg."""

    def __init__(
        self,
        channel: Channel,
        arguments: Callable[..., list[str]],
        *,
        tell: Callable[[RecorderUpdate], None],
        log: Callable[[str], None],
        ends: bool = False,
        policy: RestartPolicy | None = None,
    ) -> None:
        self.channel = channel
        self.health = channel.new_state()
        self._arguments = arguments
        self._tell = tell
        self._log = log
        self._ends = ends
        self._policy = policy or RestartPolicy()
        self._child: Child | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._flowed_at: float | None = None
        self._first_flow: float | None = None
        # Totals of the runs before this one: a restart must not make counts fall.
        self._base = (0, 0, 0, 0.0)
        self._why = ("publisher_ended", "it never began", False)

    def start(self) -> None:
        """Begin. The first sign of media is told as `Flowing`."""
        self._task = asyncio.create_task(self._run(), name=f"publisher {self.channel.id}")

    async def stop(self) -> None:
        """End it: ``q`` first, so that the service hears TEARDOWN. Idempotent; returns when the child is reaped."""
        self._stopping.set()
        if self._task is not None:
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def set_paused(self, paused: bool) -> bool:
        """Turn it black or silent, or back; it stays so over restarts. Returns whether ffmpeg took the command."""
        self.health.note_paused(paused, uptime_s())
        child = self._child
        return child is None or await child.write(pause_command(self.channel, paused=paused))

    # ---- the loop ------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        try:
            await self._supervise()
        except VideodbError as error:
            self._give_up(error.code, error.message)

    async def _supervise(self) -> None:
        failures = attempts = 0
        last_flow = time.monotonic()
        while not self._stopping.is_set():
            began = time.monotonic()
            outcome = await self._attempt()
            if outcome is PublisherOutcome.STOPPED:
                self.health.state = "stopped"
                return
            if outcome is PublisherOutcome.FINISHED:
                self.health.state = "finished"
                self._tell(Finished(self.channel.id))
                return
            flowed = self._flowed_at
            attempts += 1
            log.debug("%s: %s (%s), attempt %d", self.channel.id, self._why[1], self._why[0], attempts)
            if flowed is not None and flowed >= began:
                last_flow = time.monotonic()
                failures = 0 if last_flow - flowed >= self._policy.forgive_s else failures
            if self._is_over(attempts, last_flow):
                self._give_up(self._why[0], self._why[1])
                return
            delay = self._policy.backoff_s[min(failures, len(self._policy.backoff_s) - 1)]
            failures += 1
            await self._wait(delay)
            self.health.restarts += not self._stopping.is_set()
        self.health.state = "stopped"

    def _is_over(self, attempts: int, last_flow: float) -> bool:
        if self._why[2]:
            return True
        if self._flowed_at is None:
            return attempts >= self._policy.start_attempts
        return time.monotonic() - last_flow >= self._policy.give_up_s

    def _give_up(self, code: str, reason: str) -> None:
        self.health.state, self.health.reason = "failed", reason
        self._tell(ChannelFailed(self.channel.id, code, reason))

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    def _take_error_line(self, line: str) -> None:
        # What it says to our own commands on stdin is no trouble.
        if not line.startswith(("Enter command:", "Command reply")):
            self._log(f"{self.channel.id}: {without_urls(line)}")

    def _played_s(self) -> float:
        return 0.0 if self._first_flow is None else time.monotonic() - self._first_flow

    # ---- one run -------------------------------------------------------------------------------------------------

    async def _attempt(self) -> PublisherOutcome:
        read_fd, write_fd = os.pipe()
        os.set_blocking(read_fd, False)
        try:
            arguments = self._arguments(paused=self.health.paused, offset_s=self._played_s())
            self._child = await Child.spawn(
                arguments,
                stdout=write_fd,
                on_error_line=self._take_error_line,
            )
        except BaseException:
            os.close(read_fd)
            raise
        finally:
            os.close(write_fd)
        child = self._child
        self.health.pid, self.health.start_token = child.pid, child.start_token
        log.debug("%s: pid %d runs %s", self.channel.id, child.pid, shown(arguments))
        began = time.monotonic()
        try:
            return await self._watch(child, read_fd)
        finally:
            if child.exit_status is None:
                await child.stop(None, _STALLED_LADDER)
            os.close(read_fd)
            lived_s = time.monotonic() - began
            log.debug("%s: pid %d: status %s after %.1f s", self.channel.id, child.pid, child.exit_status, lived_s)
            self._child = None
            self.health.pid = self.health.start_token = None
            totals = self.health
            self._base = (totals.bytes or 0, totals.frames or 0, totals.drops or 0, totals.media_s or 0.0)

    async def _watch(self, child: Child, fd: int) -> PublisherOutcome:
        reader = ProgressReader()
        moved_at, flowing = time.monotonic(), False
        ended = asyncio.create_task(child.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            while True:
                pause = self._policy.watch_s if flowing else self._policy.first_watch_s
                await asyncio.wait({ended, stopping}, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
                if _feed(reader, fd):
                    moved_at = time.monotonic()
                    self._note(reader)
                    if reader.progress.has_sent and not flowing:
                        flowing = True
                        self._flows()
                if ended.done():
                    return self._ended(child, reader, flowing=flowing)
                if stopping.done():
                    await child.stop(lambda: child.write(b"q"), _LADDER)
                    return PublisherOutcome.STOPPED
                if flowing and self._flowed_at is not None:
                    self._flowed_at = max(self._flowed_at, moved_at)
                limit = self._policy.stall_s if flowing else self._policy.first_media_s
                if time.monotonic() - moved_at > limit:
                    self._stalled(limit, flowing=flowing)
                    return PublisherOutcome.FAILED
        finally:
            for task in (ended, stopping):
                task.cancel()

    def _flows(self) -> None:
        self._flowed_at = time.monotonic()
        self._first_flow = self._first_flow or self._flowed_at
        self.health.state, self.health.reason = "flowing", None
        self._tell(Flowing(self.channel.id))

    def _ended(self, child: Child, reader: ProgressReader, *, flowing: bool) -> PublisherOutcome:
        if self._stopping.is_set():
            return PublisherOutcome.STOPPED
        if self._ends and child.exit_status == 0 and (flowing or reader.progress.ended):
            return PublisherOutcome.FINISHED
        self._why = meaning_of(child.last_lines, child.exit_status)
        self._lost(self._why[1], flowing=flowing)
        return PublisherOutcome.FAILED

    def _stalled(self, seconds: float, *, flowing: bool) -> None:
        self._why = ("stalled", f"no media for {seconds:g} s", False)
        self._lost(self._why[1], flowing=flowing)

    def _lost(self, reason: str, *, flowing: bool) -> None:
        self.health.reason = reason
        self._log(f"{self.channel.id}: {reason}")
        if flowing:
            self.health.state = "interrupted"
            self._tell(Interrupted(self.channel.id, reason))

    def _note(self, reader: ProgressReader) -> None:
        progress, health = reader.progress, self.health
        health.note_media(uptime_s())
        health.media_s = round(self._base[3] + progress.media_us / 1e6, 3)
        if progress.bytes is not None:
            health.bytes = self._base[0] + progress.bytes
        if progress.frames is not None:
            health.frames = self._base[1] + progress.frames
        if progress.drops is not None:
            health.drops = self._base[2] + progress.drops


def _feed(reader: ProgressReader, fd: int) -> bool:
    """Read what stands in the pipe. Polled, because a wake-up for every packet would cost more than the rest."""
    moved = False
    while True:
        try:
            chunk = os.read(fd, 1 << 16)
        except BlockingIOError:
            return moved
        if not chunk:
            return moved
        moved = reader.feed(chunk) or moved
