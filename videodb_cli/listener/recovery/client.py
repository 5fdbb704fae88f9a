"""The REST calls of a recovery. A failed call is reported once, remembered, and made again in a later round.

A call returns what the service answered. The caller decides what that means for a pipeline, a stream or a session.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.api.streams import StreamCalls
from videodb_cli.errors import VideodbError
from videodb_cli.listener.recovery.pipeline import Pipeline
from videodb_cli.listener.recovery.records import index_of

_CALLS_AT_ONCE = 4
_EXPORT_TRIES = 2
_STREAM_OVER = frozenset(("stopped", "ended", "failed", "disconnected", "deleted"))

T = TypeVar("T")
_log = logging.getLogger(__name__)


class NoAnswer(enum.Enum):
    """Why a call has no answer: it failed and will be made again, or the service knows no such resource."""

    FAILED = enum.auto()
    GONE = enum.auto()


FAILED: Final = NoAnswer.FAILED
GONE: Final = NoAnswer.GONE


class RecoveryClient:
    """Makes the calls, a few at a time. Use it from one event loop.

    Attributes:
        failures: The calls that fail at the moment, with the reason.
        unknown: Resources that the log mentions and the service does not know: they cannot be read back.
        not_before: The service asked not to be called before this time (uptime seconds).
    """

    def __init__(
        self,
        calls: StreamCalls,
        on_failure: Callable[[str, str], None],
        poll_s: float,
        uptime: Callable[[], float],
    ) -> None:
        """``on_failure`` gets each call that begins to fail, and the reason."""
        self._calls = calls
        self._on_failure = on_failure
        self._poll_s = poll_s
        self._uptime = uptime
        # For each call: failures in a row, the time of the first one, and when to try again (uptime seconds).
        self._failed: dict[str, tuple[int, float, float]] = {}
        self._reported: set[tuple[str, str]] = set()
        self._slots = asyncio.Semaphore(_CALLS_AT_ONCE)
        self.failures: dict[str, str] = {}
        self.unknown: set[str] = set()
        self.not_before = 0.0

    @property
    def clock_offset_s(self) -> float:
        """Seconds by which the service's clock is ahead of ours, as its answers tell; 0 before the first answer."""
        return self._calls.clock_offset_s or 0.0

    def forget_failures(self) -> None:
        """Start again: every call may be made at once, and each failure is reported again."""
        self._reported.clear()
        self._failed.clear()
        self.failures.clear()
        self.unknown.clear()

    def note_failure(self, what: str, why: str) -> None:
        """Remember that a call fails, and report it if that is new."""
        self.failures[what] = why
        if (what, why) not in self._reported:
            self._reported.add((what, why))
            self._on_failure(what, why)

    def note_error(self, what: str, error: Exception) -> None:
        """Remember that a call or a part of a round failed. A bug keeps its traceback, in the process log."""
        why = describe(error)
        if not isinstance(error, VideodbError) and (what, why) not in self._reported:
            _log.error("%s failed, and is tried again", what, exc_info=error)
        self.note_failure(what, why)

    def lasting_failures(self, for_s: float) -> frozenset[str]:
        """Return the calls that have failed for at least this long."""
        now = self._uptime()
        return frozenset(what for what, (_, since, _) in self._failed.items() if now - since >= for_s)

    # ---- calls ---------------------------------------------------------------------------------------------------

    async def session(self, collection: str, session: str, connection_id: str) -> dict[str, Any] | NoAnswer:
        """Return a capture session, with the addresses of its export."""
        found = await self._call(f"session {session}", lambda: self._calls.session(collection, session))
        if isinstance(found, NoAnswer) or found.get("export_status") != "exported":
            return found
        if isinstance(found.get("player_url"), str):
            return found
        # Only for a session that is exported: for another one, this call would start an export.
        what = f"export of {session}"
        exported = await self._call(what, lambda: self._calls.export(collection, session, connection_id))
        if exported is FAILED and self._failed[what][0] >= _EXPORT_TRIES:
            # That it is exported is known. Its addresses must not keep that from the log for ever.
            self._succeeded(what)
            return found
        return FAILED if exported is FAILED else found if exported is GONE else {**exported, **found}

    async def indexes(self, stream: str, is_mentioned: Callable[[], bool]) -> dict[str, str] | NoAnswer:
        """Return the scene indexes of a stream, id to channel.

        A service may answer 404 for a stream without indexes. ``is_mentioned`` tells whether the log has events of one.
        """
        found = await self._call(f"indexes of {stream}", lambda: self._calls.scene_indexes(stream), is_mentioned)
        if isinstance(found, NoAnswer):
            return {} if found is GONE else found
        return {index.index_id: index.channel for index in map(index_of, found) if index is not None}

    async def records(self, pipeline: Pipeline, until: float, is_mentioned: Callable[[], bool]) -> list[Any] | NoAnswer:
        """Return the records of a pipeline from its ``since`` to ``until``, by the service's clock, as they came.

        A service may answer 404 for a stream that was never transcribed. ``is_mentioned`` tells whether it was.
        """

        def call() -> Awaitable[list[Any]]:
            if pipeline.index_id is None:
                return self._calls.transcription_records(pipeline.stream, pipeline.since)
            return self._calls.scene_records(pipeline.stream, pipeline.index_id, pipeline.since, until)

        return await self._call(f"records of {pipeline.name}", call, is_mentioned)

    async def bind(self, stream: str, connection_id: str) -> str | NoAnswer:
        """Bind the transcription of a stream to a connection, if it runs.

        Returns:
            The status of the transcription. It is bound if that is ``running``.
        """
        what = f"transcription of {stream}"
        status = await self._call(what, lambda: self._calls.transcription_status(stream), _never)
        if status == "running":
            started = await self._call(
                f"start of the {what}", lambda: self._calls.start_transcription(stream, connection_id), _never
            )
            return FAILED if isinstance(started, NoAnswer) else status
        return status or "unknown"

    async def is_over(self, stream: str) -> bool:
        """Tell whether the service says that a stream has ended or does not exist."""
        found = await self._call(f"stream {stream}", lambda: self._calls.stream(stream), _never)
        return found is GONE or (found is not FAILED and found.get("status") in _STREAM_OVER)

    async def _call(
        self, what: str, call: Callable[[], Awaitable[T]], is_mentioned: Callable[[], bool] = lambda: True
    ) -> T | NoAnswer:
        """Make one call, unless it failed and has to wait. A 404 for a resource of the log is noted in ``unknown``."""
        count, since, not_before = self._failed.get(what, (0, self._uptime(), 0.0))
        if self._uptime() < not_before:
            return FAILED
        began = self._uptime()
        try:
            async with self._slots:
                answer = await call()
        except NoSuchThingError:
            self._succeeded(what)
            if is_mentioned():
                self.unknown.add(what)
            return GONE
        except Exception as error:  # noqa: BLE001 - reported, and the call is made again
            retry_after_s = getattr(error, "retry_after_s", None)
            if retry_after_s:
                self.not_before = max(self.not_before, self._uptime() + retry_after_s)
            # Each call waits by itself: one that the service does not support must not slow down the others.
            pause_s = failed_pause_s(self._poll_s, count)
            self._failed[what] = (count + 1, since, self._uptime() + pause_s)
            _log.debug("%s: failed %d times, next try in %.1f s: %s", what, count + 1, pause_s, describe(error))
            self.note_error(what, error)
            return FAILED
        _log.debug("%s: answered after %.3f s", what, self._uptime() - began)
        self._succeeded(what)
        self.unknown.discard(what)
        return answer

    def _succeeded(self, what: str) -> None:
        self.failures.pop(what, None)
        self._failed.pop(what, None)


def failed_pause_s(poll_s: float, failures: int) -> float:
    """Return the seconds to wait before a call that has failed this often is made again."""
    return poll_s * min(12.0, 2.0 ** min(failures, 8))


def describe(error: Exception) -> str:
    """Return the message of an error; of an unexpected one, with its type."""
    return str(error) if isinstance(error, VideodbError) else f"{type(error).__name__}: {error}"[:300]


def _never() -> bool:
    return False
