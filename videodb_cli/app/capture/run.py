"""One capture from its start to its export, in the process that keeps the recorder alive.

It starts the recorder, waits until media flow and the service says `active`, starts the pipelines, and then watches
until somebody stops it, time is up, or something fails for good. Every way out goes through the same end.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.app.capture.end import CaptureEnd
from videodb_cli.app.capture.recorder_reports import RecorderReports
from videodb_cli.app.capture.state_file import StateFile
from videodb_cli.capture.pipelines import plan, start_pipelines
from videodb_cli.capture.recorders.base import Began, Recorder
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_end import SessionEnd
from videodb_cli.capture.session_watch import SessionWatch
from videodb_cli.errors import RefusedError, VideodbError
from videodb_cli.rundir import private
from videodb_cli.rundir.capture_state import CaptureState, ControlAnswer, PipelineState, ReportedError
from videodb_cli.rundir.paths import RunDir

_HEARTBEAT_S: Final = 2.0
_STREAMS_S: Final = 10.0
_PERMITTED_KINDS: Final = ("mic", "display")


class CaptureRun:
    """Runs one capture. ``say`` gets one line for each thing that happens; its caller holds the capture's lock."""

    def __init__(
        self,
        run_dir: RunDir,
        request: CaptureRequest,
        opened: OpenedSession,
        make_recorder: Callable[[ControlPlane], Recorder],
        say: Callable[[str], None],
    ) -> None:
        self._run_dir = run_dir
        self._request = request
        self._opened = opened
        self._make_recorder = make_recorder
        self._say = say
        self.session = SessionState(opened.session_id)
        self._file = StateFile(run_dir, request, opened, self.session, say)
        self.state = self._file.state
        self._stop = asyncio.Event()
        self._hurry = asyncio.Event()
        self._news = asyncio.Event()
        self._reports = RecorderReports(request, run_dir.capture_log)
        self._recorder: Recorder | None = None

    # ---- from outside --------------------------------------------------------------------------------------------

    def stop(self) -> None:
        """Ask for a graceful end. Idempotent; from the event loop's thread."""
        self.state.outcome_due = True
        self._stop.set()
        self._news.set()

    def hurry(self) -> None:
        """Do not wait for the export."""
        self._hurry.set()

    async def control(self, request: dict[str, Any]) -> None:
        """Pause or resume channels as another command asks; the outcome goes into the state file."""
        error = None
        try:
            await self._pause_or_resume(request)
        except VideodbError as refused:
            error = ReportedError(refused.code, refused.message)
        self.state.control = ControlAnswer(request.get("id"), error)
        await self._file.publish()

    async def _pause_or_resume(self, request: dict[str, Any]) -> None:
        if self._recorder is None or self.state.status != "active":
            raise RefusedError(f"the capture is {self.state.status}", code="not_active")
        channels = [channel for channel in self._request.channels if channel.id in request.get("channels", [])]
        if request.get("action") == "pause":
            await self._recorder.pause(channels)
        else:
            await self._recorder.resume(channels)

    # ---- the whole -----------------------------------------------------------------------------------------------

    async def run(self, on_active: Callable[[CaptureState], None]) -> None:
        """Run until it is over. ``on_active`` gets the state once media flow and the pipelines run.

        Raises what made it fail; then the session is stopped, the recorder is gone, and the state says ``failed``.
        """
        async with contextlib.AsyncExitStack() as stack:
            token = await stack.enter_async_context(ControlPlane(self._opened.token))
            key = (
                await stack.enter_async_context(ControlPlane(self._opened.key))
                if self._opened.key is not None
                else None
            )
            self._recorder = self._file.recorder = self._make_recorder(token)
            watch = SessionWatch(
                self.session, self._run_dir.log, self._opened.collection_id, by_key=key, by_token=token
            )
            session_end = SessionEnd(watch, self.state, token=token, key=key, hurry=self._hurry)
            end = CaptureEnd(self.state, self._recorder, watch, session_end, say=self._say, publish=self._file.publish)
            await self._file.publish()
            watch.start()
            tasks = [
                asyncio.create_task(self._take_updates(self._recorder, watch, end), name="recorder updates"),
                asyncio.create_task(self._keep_current(watch), name="state file"),
                asyncio.create_task(self._tell_session_news(watch), name="session news"),
            ]
            try:
                await self._run_to_the_end(watch, key, on_active)
                # What was given up before anybody heard of it keeps nobody waiting for its export.
                await end.orderly(stored=self._request.is_stored and self.state.status == "active")
            except VideodbError as error:
                await end.failed(error)
                raise
            except BaseException as error:
                await end.failed(RefusedError(f"a bug ended the capture: {error!r}", code="bug"))
                raise
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await watch.close()
                await self._file.publish()
                await asyncio.to_thread(private.remove, self._run_dir.capture_pid)
                with contextlib.suppress(VideodbError):
                    await end.stop_listener(self._run_dir)
                    await self._file.publish()

    async def _run_to_the_end(
        self, watch: SessionWatch, key: ControlPlane | None, on_active: Callable[[CaptureState], None]
    ) -> None:
        try:
            async with asyncio.timeout(self._request.start_timeout_s):
                await self._unless_stopped(self._start())
                await self._until_active(watch)
        except TimeoutError:
            raise self._reports.not_started(self._recorder, self.state.streaming_session_id, self.session) from None
        if self._stop.is_set() or not await self._unless_stopped(self._start_pipelines(watch, key)):
            return
        self.state.status = "active"
        await self._file.publish()
        on_active(self._file.snapshot())
        watch.hurry(False)
        await self._until_over(watch)

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do it, or drop it when somebody stops the capture: a service that does not answer must not hold that up.

        Returns whether it was done. Raises what it raises.
        """
        doing, stopping = asyncio.create_task(work), asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not doing.done():
                return False
            await doing
            return True
        finally:
            doing.cancel()
            stopping.cancel()
            await asyncio.gather(doing, stopping, return_exceptions=True)

    # ---- the start -----------------------------------------------------------------------------------------------

    async def _start(self) -> None:
        assert self._recorder is not None  # noqa: S101 - for the type checker
        kinds = {channel.type for channel in self._request.channels}
        for kind in _PERMITTED_KINDS:
            if kind in kinds or (kind == "display" and "system_audio" in kinds):
                await self._recorder.request_permission(kind)
        self.state.status = "starting"
        await self._recorder.start(self._request, self._opened)

    async def _until_active(self, watch: SessionWatch) -> None:
        """Wait until the media of every channel flow and the service says so too."""
        while not self._stop.is_set():
            self._raise_failures(watch)
            if self.session.is_over:
                raise RefusedError(
                    f"the service ended the session before it was active ({self.session.status})", code="session_over"
                )
            if not self._reports.silent and self.session.status == "active":
                return
            if self._reports.failed:
                raise self._reports.partly(self._reports.first_failure.reason)
            await self._next_news()

    def _raise_failures(self, watch: SessionWatch) -> None:
        broken = watch.failure()
        if broken is not None:
            raise broken
        if self.session.has_failed:
            code, message = self.session.error or ("failed", "the service does not say why")
            raise RefusedError(f"the service ended the capture: {message}", code=code)
        broken_recorder = self._reports.recorder_failure
        if broken_recorder is not None:
            raise RefusedError(broken_recorder.reason, code=broken_recorder.code)
        if watch.is_gone:
            raise RefusedError("the service no longer knows the session", code="session_gone")

    async def _start_pipelines(self, watch: SessionWatch, key: ControlPlane | None) -> None:
        wanted = self._request.pipelines
        if wanted.is_empty or key is None:
            return
        await watch.wait_for_streams(len(self._request.channels), _STREAMS_S)
        planned = plan(self.session.streams.values(), wanted)
        if planned.unmet:
            raise RefusedError("; ".join(planned.unmet), code="pipeline")

        def started(pipeline: PipelineState) -> None:
            self.state.pipelines.append(pipeline)
            self._say(f"started {pipeline.kind} on {pipeline.rtstream_id}")

        await start_pipelines(key, wanted, planned.steps, await asyncio.to_thread(self._connection_id), started)

    def _connection_id(self) -> str | None:
        """Return the listener's id of this moment: it may have changed since the session was made."""
        content = private.read_bytes(self._run_dir.ws_id, 4096)
        found = content.decode("utf-8", "replace").strip() if content is not None else ""
        return found or self._opened.ws_connection_id

    # ---- while it runs -------------------------------------------------------------------------------------------

    async def _until_over(self, watch: SessionWatch) -> None:
        deadline = None if self._request.duration_s is None else time.monotonic() + self._request.duration_s
        while not self._stop.is_set() and not (self.session.is_over and not self.session.has_failed):
            self._raise_failures(watch)
            self._look_after_interrupted(watch)
            if self._reports.nothing_is_left:
                if self._reports.failed:
                    first = self._reports.first_failure
                    raise RefusedError(f"every channel is lost; {first.channel_id}: {first.reason}", code=first.code)
                self._say("the file has been played to its end")
                return
            if deadline is not None and time.monotonic() >= deadline:
                self._say(f"{self._request.duration_s:g} s are over")
                return
            await self._next_news(None if deadline is None else deadline - time.monotonic())
        self._say("told to stop" if self._stop.is_set() else "the session was stopped elsewhere")

    def _look_after_interrupted(self, watch: SessionWatch) -> None:
        """Ask often while a channel is interrupted, and do not go on trying where nobody expects us any more.

        A token that has expired does no harm while media flow; a service that came back without its memory refuses it
        and takes no media either.
        """
        assert self._recorder is not None  # noqa: S101 - for the type checker
        states = {health.state for health in self._recorder.health().values()}
        watch.hurry("interrupted" in states)
        if watch.refusal is not None and "interrupted" in states and "flowing" not in states:
            raise RefusedError(
                f"no channel reaches the service, and it knows the session's token no longer: {watch.refusal}",
                code="session_refused",
                hint="videodb capture start",
            )

    async def _next_news(self, timeout_s: float | None = None) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._news.wait()
        self._news.clear()

    async def _take_updates(self, recorder: Recorder, watch: SessionWatch, end: CaptureEnd) -> None:
        async for update in recorder.updates():
            if isinstance(update, Began):
                end.recording_began()
                self.state.streaming_session_id = watch.streaming_id = update.streaming_id
            self._say(self._reports.take(update))
            self._news.set()
            await self._file.publish()

    async def _tell_session_news(self, watch: SessionWatch) -> None:
        """Turn the watch's news into ours."""
        while True:
            await watch.changed.wait()
            watch.changed.clear()
            self._say(f"session {self.session.status}")
            self._news.set()
            await self._file.publish()

    async def _keep_current(self, watch: SessionWatch) -> None:
        while True:
            await asyncio.sleep(_HEARTBEAT_S)
            self.state.service_trouble = watch.trouble
            await self._file.publish()
