"""The calls of a recovery. A failure is said once, remembered, and left for the next pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.api.streams import StreamCalls
from videodb_cli.errors import VideodbError
from videodb_cli.listener.recovery.pipeline import OVERLAP_S, Pipeline, failed_pause_s
from videodb_cli.listener.recovery.records import INDEX_CHANNELS, TRANSCRIPT, index_of
from videodb_cli.listener.recovery.targets import SessionTarget, StreamTarget, Targets

_CALLS_AT_ONCE = 4
_STREAM_OVER = frozenset(("stopped", "ended", "failed", "disconnected", "deleted"))

T = TypeVar("T")


class Asker:
    """Asks the service, and marks the targets with what it answers.

    ``troubles`` maps what could not be asked to why, for as long as that is so; ``say`` is told of each once.
    ``unknown``: what was heard of, and the service says that there is no such thing: it cannot be read back.
    """

    def __init__(self, calls: StreamCalls, targets: Targets, say: Callable[[str, str], None], poll_s: float) -> None:
        self._calls = calls
        self._targets = targets
        self._say = say
        self._poll_s = poll_s
        # How often a call has failed in a row, and when it is made again (monotonic seconds).
        self._failed: dict[str, tuple[int, float]] = {}
        self._said: set[tuple[str, str]] = set()
        self._slots = asyncio.Semaphore(_CALLS_AT_ONCE)
        self.troubles: dict[str, str] = {}
        self.unknown: set[str] = set()
        # Monotonic seconds: the service asked not to be called before.
        self.not_before = 0.0

    def forget_troubles(self) -> None:
        """Begin anew: what fails again is said again."""
        self._said.clear()
        self._failed.clear()
        self.troubles.clear()
        self.unknown.clear()

    def trouble(self, what: str, why: str) -> None:
        """Something could not be done: remembered until it can, and said once."""
        self.troubles[what] = why
        if (what, why) not in self._said:
            self._said.add((what, why))
            self._say(what, why)

    async def session(self, target: SessionTarget, connection_id: str) -> dict[str, Any] | None:
        """Return a session as it is now, with its export's addresses; None if that could not be learnt."""
        name, collection = target.session, target.collection
        try:
            found = await self._attempt(f"session {name}", lambda: self._calls.session(collection, name))
            if found is None:
                return None
            # Asked only when it is there: on a session without an export this call would start one.
            if found.get("export_status") == "exported" and not isinstance(found.get("player_url"), str):
                exported = await self._attempt(
                    f"export of {name}", lambda: self._calls.export(collection, name, connection_id)
                )
                if exported is None:
                    return None
                found = {**exported, **found}
        except NoSuchThingError:
            self.unknown.add(f"session {name}")
            target.is_gone = True
            self._targets.end_session(name)
            return None
        return found

    async def indexes(self, target: StreamTarget) -> dict[str, str]:
        """Return the scene indexes of a stream, id to channel."""
        what = f"indexes of {target.stream}"
        try:
            found = await self._attempt(what, lambda: self._calls.scene_indexes(target.stream))
        except NoSuchThingError:
            # A stream that has no index at all may be answered in this way.
            if self._targets.has_spoken(target.stream, *INDEX_CHANNELS):
                self.unknown.add(what)
            target.is_gone = True
            self._targets.end_stream(target.stream)
            return {}
        target.is_listed = found is not None
        indexes = [index for index in map(index_of, found or ()) if index is not None]
        return {index.index_id: index.channel for index in indexes}

    async def records(self, pipeline: Pipeline) -> list[Any] | None:
        """Return what a pipeline has made since its beginning, as it came; None if that could not be learnt."""
        # What its events say of the service's clock was so before our own was set; its answers are of now.
        ahead = max(self._targets.ahead_s(pipeline.stream), self._calls.clock_offset_s or 0.0, 0.0)
        until = max(time.time() + ahead, pipeline.newest) + OVERLAP_S

        def call() -> Awaitable[list[Any]]:
            if pipeline.index_id is None:
                return self._calls.transcription_records(pipeline.stream, pipeline.since)
            return self._calls.scene_records(pipeline.stream, pipeline.index_id, pipeline.since, until)

        what = f"records of {pipeline.name}"
        try:
            found = await self._attempt(what, call)
        except NoSuchThingError:
            # A stream that was never transcribed may be answered in this way.
            if pipeline.index_id is not None or self._targets.has_spoken(pipeline.stream, TRANSCRIPT):
                self.unknown.add(what)
            pipeline.over = pipeline.asked = True
            return None
        self.unknown.discard(what)
        return found

    async def bind(self, target: StreamTarget, connection_id: str) -> None:
        """Start a running transcription again, so that it speaks to this connection."""
        what = f"transcription of {target.stream}"
        stream = target.stream

        async def status() -> str:
            return await self._calls.transcription_status(stream) or "unknown"

        async def start() -> bool:
            await self._calls.start_transcription(stream, connection_id)
            return True

        try:
            found = await self._attempt(what, status)
            if found == "running":
                target.is_bound = bool(await self._attempt(f"start of the {what}", start))
            elif found is not None:
                target.is_bound = True
                pipeline = self._targets.pipelines.get((stream, ""))
                if pipeline is not None:
                    pipeline.over = True
        except NoSuchThingError:
            target.is_gone = True
            self._targets.end_stream(stream)

    async def whether_over(self, target: StreamTarget) -> None:
        """Ask a stream of no session whether it still runs."""
        try:
            found = await self._attempt(f"stream {target.stream}", lambda: self._calls.stream(target.stream))
        except NoSuchThingError:
            target.is_gone = True
            found = {"status": "deleted"}
        if found is not None and found.get("status") in _STREAM_OVER:
            self._targets.end_stream(target.stream)

    async def _attempt(self, what: str, call: Callable[[], Awaitable[T]]) -> T | None:
        """Make one call. None after a failure, and while a call that failed waits; raises NoSuchThingError."""
        count, not_before = self._failed.get(what, (0, 0.0))
        if time.monotonic() < not_before:
            return None
        try:
            async with self._slots:
                answer = await call()
        except NoSuchThingError:
            self._went_well(what)
            raise
        except VideodbError as error:
            retry_after_s = getattr(error, "retry_after_s", None)
            if retry_after_s:
                self.not_before = max(self.not_before, time.monotonic() + retry_after_s)
            # Each call by itself: one that the service does not know must not slow down the others.
            self._failed[what] = (count + 1, time.monotonic() + failed_pause_s(self._poll_s, count))
            self.trouble(what, str(error))
            return None
        self._went_well(what)
        self._targets.clock_offset_s = self._calls.clock_offset_s
        return answer

    def _went_well(self, what: str) -> None:
        self.troubles.pop(what, None)
        self._failed.pop(what, None)
