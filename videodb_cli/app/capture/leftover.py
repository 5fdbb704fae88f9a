"""What a capture whose process is gone has left at the service: a session to end, and its export to fetch."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import NoSuchThingError
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_end import NOTHING_AFTER_S, SessionEnd
from videodb_cli.capture.session_watch import SessionWatch
from videodb_cli.errors import (
    CredentialsError,
    NotFoundError,
    RefusedError,
    TimedOutError,
    UnreachableError,
    VideodbError,
)
from videodb_cli.rundir import capture_state
from videodb_cli.rundir.capture_state import CaptureState, ReportedError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials

# A capture that failed has said so already: a service that does not answer keeps nobody who ends it.
_REACH_S: Final = 15.0
# A session that was over before we came, and of which the service still says that nothing was recorded.
_NOTHING_AFTER_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class StopRequest:
    """What `capture stop` is asked for.

    Attributes:
        run_dir: The directory of the capture.
        timeout_s: Seconds for the end and the export; ``deadline`` is when they are over, by `time.monotonic`.
        credentials: Asked for only if the process is gone and the session must be ended from here.
        tell: Gets each new status.
        note: Gets, as a sentence, what stands in the way of the export of a capture that had failed: no error.
    """

    run_dir: RunDir
    timeout_s: float
    deadline: float
    credentials: Callable[[], Credentials]
    tell: Callable[[str], None]
    note: Callable[[str], None]


class LeftoverSession:
    """The session of a capture whose process is gone. What comes of it is added to the state that was ``found``."""

    def __init__(self, request: StopRequest, found: CaptureState) -> None:
        self._request = request
        self._found = found
        self._session = SessionState(found.session_id)

    def end_dead(self) -> None:
        """End the session of a capture whose process died, and collect its export.

        Raises:
            TimedOutError: It is not over in time.
            VideodbError: The service did not stop it, or the export did not come.
        """
        found, session = self._found, self._session
        self._request.tell("stopping")
        try:
            credentials = self._request.credentials()
        except NotFoundError:
            pass  # the embedded service is gone, and the session with it
        else:
            self._end(credentials, wants_export=found.is_stored)
        if not session.has_failed:
            # The capture failed and stays so, unless all of it was saved.
            found.error = ReportedError("capture_died_and_was_stopped", (found.error or ReportedError()).message)
            if session.status == "exported":
                found.status = "exported"
        self._save()

    def end_failed(self) -> None:
        """See to what a capture that failed has left. What is settled is not asked again by the next `stop`.

        Raises:
            TimedOutError: It is not over in time.
        """
        wants_export = self._found.unsettled == "export"
        if self._found.session_status == "failed":
            self._request.note("the service says that the session failed: there is no export of it")
            is_settled = True
        else:
            is_settled = self._settle(wants_export=wants_export)
        if is_settled:
            self._found.left_at_service = None
        self._save()

    def _settle(self, *, wants_export: bool) -> bool:
        """End the session, and fetch the export if it is wanted. Returns whether there is nothing left to ask for."""
        session = self._session
        self._request.tell("stopping")
        try:
            self._end(self._request.credentials(), wants_export=wants_export, reach_s=_REACH_S)
        except TimedOutError:
            raise
        except VideodbError as why:
            is_settled = session.has_failed or why.code == "no_export"
            again = "" if is_settled else " · videodb capture stop"
            what = "what was recorded is not fetched" if wants_export else "the session is perhaps not ended"
            self._request.note(f"{what}: {why.message}{again}")
            return is_settled
        if session.has_failed:
            _, message = session.error or ("", "it does not say why")
            self._request.note(f"the service says that the session failed ({message}): there is no export of it")
        elif not session.is_over:
            self._request.note("the service does not know the session any more: there is no export of it")
        elif wants_export and session.export.video_id is None:
            self._request.note("the service has not exported what was recorded · videodb capture stop")
        return session.status == "exported" or session.has_failed or (session.is_finished and not wants_export)

    def _end(self, credentials: Credentials, *, wants_export: bool, reach_s: float | None = None) -> None:
        """Stop the session and wait for its end and its export; the service is to answer within ``reach_s``."""
        session = self._session
        try:
            asyncio.run(self._end_at(credentials, wants_export=wants_export, reach_s=reach_s))
        except TimeoutError:
            is_known = session.status != "created"
            stands = f"the session is {session.status}" if is_known else "nothing is known of the session"
            raise TimedOutError(
                f"{stands} after {self._request.timeout_s:g} s", code="stop_timeout", hint="videodb capture stop"
            ) from None

    async def _end_at(self, credentials: Credentials, *, wants_export: bool, reach_s: float | None) -> None:
        found = self._found
        collection = found.collection_id or "default"
        async with ControlPlane(credentials) as key:
            watch = SessionWatch(self._session, self._request.run_dir.log, collection, by_key=key, by_token=key)
            watch.streaming_id = found.streaming_session_id or found.session_id
            ending = SessionEnd(watch, found, token=None, key=key)
            watch.start()
            try:
                async with asyncio.timeout(max(0.1, self._request.deadline - time.monotonic())):
                    await self._end_watched(watch, ending, wants_export=wants_export, reach_s=reach_s)
            finally:
                await watch.close()

    async def _end_watched(
        self, watch: SessionWatch, ending: SessionEnd, *, wants_export: bool, reach_s: float | None
    ) -> None:
        session = self._session
        async with _reached_within(reach_s):
            await watch.ask()
            status_before = session.status
            why = await ending.stop()
        if isinstance(why, NoSuchThingError):
            return  # nothing is left of it
        if why is not None:
            raise _not_stopped(why)
        await ending.wait_finished()
        if wants_export and not watch.is_gone and not session.has_failed:
            self._request.tell("stopped")
            nothing_after_s = _NOTHING_AFTER_S if status_before == "stopped" else NOTHING_AFTER_S
            await ending.wait_exported(self._request.timeout_s, nothing_after_s=nothing_after_s)
        if self._found.listener_started and session.status != status_before:
            await ending.wait_logged()

    def _save(self) -> None:
        """Write down what the service said of the session; where it said nothing, what was known before stays."""
        found, session = self._found, self._session
        if session.status != "created":
            found.session_status = session.status
        found.exported_video_id = session.export.video_id or found.exported_video_id
        found.stream_url = session.export.stream_url or found.stream_url
        found.player_url = session.export.player_url or found.player_url
        with contextlib.suppress(VideodbError, OSError):
            capture_state.write(self._request.run_dir, found)


@contextlib.asynccontextmanager
async def _reached_within(limit_s: float | None) -> AsyncIterator[None]:
    """Raise UnreachableError if the block takes longer."""
    try:
        async with asyncio.timeout(limit_s) as limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise UnreachableError(f"the service did not answer within {limit_s:g} s", code="no_answer") from None


def _not_stopped(why: VideodbError) -> VideodbError:
    kind = next((k for k in (UnreachableError, CredentialsError) if isinstance(why, k)), RefusedError)
    return kind(
        f"the service did not stop the session: {why.message}", code="stop_refused", hint="videodb capture stop"
    )
