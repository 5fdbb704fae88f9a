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
from videodb_cli.capture.session import SessionState
from videodb_cli.capture.session_watch import SessionWatch
from videodb_cli.errors import RefusedError, TimedOutError, UnreachableError, VideodbError
from videodb_cli.rundir.paths import RunDir

_STOP_TRIES: Final = 3
_STOPPED_S: Final = 60.0
_EXPORT_S: Final = 1800.0
# A service that exports by itself says so soon; one that does not is asked to.
_ASK_EXPORT_AFTER_S: Final = 4.0
_EXPORT_EVERY_S: Final = 1.0
NOTHING_AFTER_S: Final = 30.0
_BACKENDS_S: Final = 10.0
_UNREACHABLE_S: Final = 45.0
_LAST_EVENT_S: Final = 3.0
# The session is stopped first, but a service that does not answer must not keep the microphone open.
_RECORDER_WAITS_S: Final = 4.0


async def stop_at_service(session_id: str, token: ControlPlane | None, key: ControlPlane | None) -> VideodbError | None:
    """Stop a session at the service, with the token or, where that is refused, the key. Returns why it failed."""
    why: VideodbError = RefusedError("there is neither a token nor a key", code="no_key")
    for attempt in range(_STOP_TRIES):
        for plane in (token, key):
            if plane is None:
                continue
            try:
                await plane.stop_streaming(session_id)
            except (KeyRefusedError, NoSuchThingError) as error:
                why = error
            except RequestFailedError as error:
                why = error
                if error.status is not None and error.status < 500 and error.status != 429:
                    return why
                await asyncio.sleep(0.5 * 2**attempt)
                break
            except VideodbError as error:
                return error
            else:
                return None
        else:
            return why
    return why


async def wait_for_export(
    watch: SessionWatch,
    service: ControlPlane,
    info: CaptureInfo,
    timeout_s: float,
    hurry: asyncio.Event,
    *,
    nothing_after_s: float = NOTHING_AFTER_S,
) -> None:
    """Wait until the session is exported, asking for the export if it does not come by itself.

    ``service`` speaks with a key, or with a client token that may not be allowed to ask: then the export is the
    backend's affair, and only a short while is waited for it. Raises RefusedError if the export failed, or is refused
    for longer than ``nothing_after_s``, and TimedOutError after the time.
    """
    state = watch.state
    began = asked = time.monotonic()
    may_ask = True
    reached = began
    while not hurry.is_set():
        # A service that is gone must not keep a process waiting for half an hour.
        reached = time.monotonic() if watch.trouble is None else reached
        if time.monotonic() - reached > _UNREACHABLE_S:
            raise UnreachableError(
                f"the service cannot be asked for the export: {watch.trouble}",
                code="export_unreachable",
                hint="videodb capture stop",
            )
        if state.has_failed:
            code, message = state.error or ("export_failed", "the service does not say why")
            raise RefusedError(f"the export failed: {message}", code=code)
        if watch.is_gone:
            raise RefusedError("the service no longer knows the session", code="session_gone")
        waited = time.monotonic() - began
        if state.status == "exported" and (state.export.stream_url or not may_ask or waited > _STOPPED_S):
            return
        if not may_ask and waited > _BACKENDS_S:
            return
        if waited > timeout_s:
            raise TimedOutError(f"no export within {timeout_s:g} s", code="export_timeout", hint="videodb capture stop")
        is_due = state.status == "exported" or waited > _ASK_EXPORT_AFTER_S
        if may_ask and is_due and time.monotonic() - asked > _EXPORT_EVERY_S:
            asked = time.monotonic()
            may_ask = await _ask_for_export(state, service, info, is_late=waited > nothing_after_s)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                await hurry.wait()


async def _ask_for_export(state: SessionState, service: ControlPlane, info: CaptureInfo, *, is_late: bool) -> bool:
    """Ask once. Returns whether it makes sense to ask again; raises RefusedError if there is nothing to export."""
    try:
        state.on_export(
            await service.export_session(info.collection_id, info.session_id, connection_id=info.ws_connection_id)
        )
    except KeyRefusedError:
        return False
    except (BadRequestError, NoSuchThingError) as error:
        # Refused, not unreachable: after a while that is the answer.
        if state.status == "stopped" and is_late:
            raise RefusedError(f"nothing was exported: {error.message}", code="no_export") from None
    except VideodbError as error:
        info.service_trouble = error.message
    return True


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

    def recording_began(self) -> None:
        """The recorder has only now begun: asking the user for permissions may have taken any time before it."""
        self._began = time.monotonic()

    async def orderly(self, publish: Callable[[], Awaitable[None]], *, stored: bool) -> None:
        """Stop session and recorder, wait for the export. Raises RefusedError or TimedOutError if that fails."""
        self._info.status = "stopping"
        self._watch.hurry(True)
        await publish()
        refused = await self._stop_both()
        await self._wait_stopped(_STOPPED_S if refused is None else _BACKENDS_S)
        if refused is not None and not self._watch.state.is_finished:
            raise RefusedError(
                f"nothing is recorded here any more, but the service did not stop the session: {refused.message}",
                code="stop_refused",
                hint=f"stop session {self._info.session_id} with the key that made it",
            )
        if self._watch.state.has_failed:
            code, message = self._watch.state.error or ("failed", "the service does not say why")
            raise RefusedError(f"the service failed to finish the session: {message}", code=code)
        self._info.status = "stopped"
        await publish()
        if stored:
            await wait_for_export(self._watch, self._key or self._token, self._info, _EXPORT_S, self._hurry)
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
        refused = await self._stop_both()
        self._info.left_at_service = self._left(was_active=was_active, refused=refused)
        self._info.status = "failed"
        # The listener is to write down a failure of a capture that ran; a start that failed leaves nothing behind.
        self._listener_may_go = not was_active
        await publish()

    def _left(self, *, was_active: bool, refused: VideodbError | None) -> str | None:
        """What `capture stop` is to see to, as in `capture.info`. What was never active has nothing to export."""
        if was_active and any(channel.store for channel in self._info.channels):
            return "export"
        return "session" if refused is not None and not isinstance(refused, NoSuchThingError) else None

    async def _stop_both(self) -> VideodbError | None:
        """Stop session, then recorder. Returns why the service did not stop the session, if so."""
        # The official recorder leaves a session stuck that is stopped right after it began.
        await asyncio.sleep(max(0.0, self._recorder.settle_s - (time.monotonic() - self._began)))
        asking = asyncio.create_task(self._stop_session(), name="session stop")
        try:
            await asyncio.wait({asking}, timeout=_RECORDER_WAITS_S)
            await self._recorder.stop()
            return await asking
        finally:
            asking.cancel()

    async def _stop_session(self) -> VideodbError | None:
        if self._watch.state.is_finished or self._watch.is_gone:
            return None
        name = self._info.streaming_id or self._info.session_id
        why = await stop_at_service(name, self._token, self._key)
        if why is not None and name != self._info.session_id and self._watch.trouble is None:
            # It answers, but not to this name: services differ in which of the two they stop.
            why = await stop_at_service(self._info.session_id, self._token, self._key)
        if why is not None:
            self._say(f"the service did not stop the session: {why.message}")
        return why

    async def _wait_stopped(self, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not self._watch.state.is_finished and not self._hurry.is_set() and not self._watch.is_gone:
            if time.monotonic() >= deadline:
                self._say(f"the service did not finish the session within {limit_s:g} s")
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
            from videodb_cli.app.stop_listener import stop_own_listener

            await asyncio.to_thread(stop_own_listener, self._run_dir, self._info.listener_pid)
            # Whoever listens here from now on is none of ours.
            self._info.listener_started = False
