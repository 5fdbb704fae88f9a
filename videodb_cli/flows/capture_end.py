"""How a capture ends: the session at the service first, then the recorder, then the export, then our own listener."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Final

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.api.failures import BadRequestError, KeyRefusedError, NoSuchThingError, RequestFailedError
from videodb_cli.capture.info import CaptureInfo
from videodb_cli.capture.recorders.base import Recorder
from videodb_cli.capture.watch import SessionWatch
from videodb_cli.errors import RefusedError, TimedOutError, VideodbError
from videodb_cli.rundir.paths import RunDir

_STOP_TRIES: Final = 4
_STOPPED_S: Final = 60.0
_EXPORT_S: Final = 1800.0
# A service that exports by itself says so soon; one that does not is asked to.
_ASK_EXPORT_AFTER_S: Final = 4.0
_EXPORT_EVERY_S: Final = 2.0
_NOTHING_AFTER_S: Final = 30.0
_LAST_EVENT_S: Final = 3.0


async def stop_at_service(session_id: str, token: ControlPlane | None, key: ControlPlane | None) -> str | None:
    """Stop a session at the service, with the token or, where that is refused, the key. Returns why it failed."""
    why = "there is neither a token nor a key"
    for attempt in range(_STOP_TRIES):
        for plane in (token, key):
            if plane is None:
                continue
            try:
                await plane.stop_streaming(session_id)
            except (KeyRefusedError, NoSuchThingError) as error:
                why = error.message
            except RequestFailedError as error:
                why = error.message
                if error.status is not None and error.status < 500 and error.status != 429:
                    return why
                await asyncio.sleep(0.5 * 2**attempt)
                break
            except VideodbError as error:
                return error.message
            else:
                return None
        else:
            return why
    return why


async def wait_for_export(
    watch: SessionWatch, key: ControlPlane | None, info: CaptureInfo, timeout_s: float, hurry: asyncio.Event
) -> None:
    """Wait until the session is exported. Raises RefusedError if that failed, TimedOutError after the time."""
    state = watch.state
    began = asked = time.monotonic()
    while not hurry.is_set():
        if state.has_failed:
            code, message = state.error or ("export_failed", "the service does not say why")
            raise RefusedError(f"the export failed: {message}", code=code)
        complete = state.export.stream_url is not None or key is None
        if state.status == "exported" and complete:
            return
        now = time.monotonic()
        if now - began > timeout_s:
            raise TimedOutError(f"no export within {timeout_s:g} s", code="export_timeout", hint="videodb capture stop")
        is_due = state.status == "exported" or now - began > _ASK_EXPORT_AFTER_S
        if key is not None and is_due and now - asked > _EXPORT_EVERY_S:
            asked = now
            try:
                state.on_export(
                    await key.export_session(info.collection_id, info.session_id, connection_id=info.ws_connection_id)
                )
            except (BadRequestError, NoSuchThingError) as error:
                # Refused, not unreachable: after a while that is the answer.
                if state.status == "stopped" and now - began > _NOTHING_AFTER_S:
                    raise RefusedError(f"nothing was exported: {error.message}", code="no_export") from None
            except VideodbError as error:
                info.service_trouble = error.message
            if state.status == "exported" and state.export.stream_url is None and now - began > _STOPPED_S:
                return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await hurry.wait()


class CaptureEnd:
    """Ends one capture, in order or because it failed."""

    def __init__(
        self,
        run_dir: RunDir,
        info: CaptureInfo,
        recorder: Recorder,
        watch: SessionWatch,
        key: ControlPlane | None,
        token: ControlPlane,
        say: Callable[[str], None],
        hurry: asyncio.Event,
    ) -> None:
        self._run_dir = run_dir
        self._info = info
        self._recorder = recorder
        self._watch = watch
        self._key = key
        self._token = token
        self._say = say
        self._hurry = hurry
        self._began = time.monotonic()
        self._listener_may_go = False

    async def orderly(self, publish: Callable[[], Awaitable[None]], *, stored: bool) -> None:
        """Stop session and recorder, wait for the export. Raises RefusedError or TimedOutError if that fails."""
        self._info.status = "stopping"
        self._watch.hurry(True)
        await publish()
        # The official recorder leaves a session stuck that is stopped right after it began.
        await asyncio.sleep(max(0.0, self._recorder.settle_s - (time.monotonic() - self._began)))
        await self._stop_both()
        await self._wait_stopped()
        if self._watch.state.has_failed:
            code, message = self._watch.state.error or ("failed", "the service does not say why")
            raise RefusedError(f"the service failed to finish the session: {message}", code=code)
        self._info.status = "stopped"
        self._info.exporting = stored
        await publish()
        if stored:
            await wait_for_export(self._watch, self._key, self._info, _EXPORT_S, self._hurry)
        if self._watch.state.status == "exported":
            self._info.status = "exported"
        self._listener_may_go = True
        await self._until_logged()
        await publish()

    async def failed(self, error: VideodbError, publish: Callable[[], Awaitable[None]]) -> None:
        """Leave nothing running: not at the service, not here. The state says why."""
        was_active = self._info.status in {"active", "stopping", "stopped"}
        self._say(f"failed: {error.message}")
        # Failed is said when nothing runs any more: whoever reads it may start anew.
        self._info.status, self._info.error = "stopping", (error.code, error.message)
        await publish()
        await self._stop_both()
        self._info.status = "failed"
        # The listener is to write down a failure of a capture that ran; a start that failed leaves nothing behind.
        self._listener_may_go = not was_active
        await publish()

    async def _stop_both(self) -> None:
        state = self._watch.state
        if not state.is_finished and not self._watch.is_gone:
            name = self._info.streaming_id or self._info.session_id
            why = await stop_at_service(name, self._token, self._key)
            if why is not None:
                self._say(f"the service did not stop the session: {why}")
        await self._recorder.stop()

    async def _wait_stopped(self) -> None:
        deadline = time.monotonic() + _STOPPED_S
        while not self._watch.state.is_finished and not self._hurry.is_set() and not self._watch.is_gone:
            if time.monotonic() >= deadline:
                self._say(f"the service did not finish the session within {_STOPPED_S:g} s")
                return
            await asyncio.sleep(0.1)

    async def _until_logged(self) -> None:
        """Give the last event the time to reach the log before a listener of ours ends."""
        deadline = time.monotonic() + _LAST_EVENT_S
        while self._info.listener_started and time.monotonic() < deadline:
            if self._watch.logged_status == self._watch.state.status:
                return
            await asyncio.sleep(0.05)

    async def stop_listener(self) -> None:
        """End the listener that was started for this capture, unless it still has something to write down."""
        if self._info.listener_started and self._listener_may_go:
            from videodb_cli.flows.stop_listener import stop_listener

            await asyncio.to_thread(stop_listener, self._run_dir)
            # Whoever listens here from now on is none of ours.
            self._info.listener_started = False
