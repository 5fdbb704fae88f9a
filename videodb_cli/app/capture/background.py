"""The background process of a capture: started, waited for until media flow, and ended again if it is of no use."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from videodb_cli import settings
from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.app.capture.start import ChannelsFlow, StartUpdate, StillWaiting
from videodb_cli.app.stop_listener import stop_own_listener
from videodb_cli.capture import running
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.capture.session_end import stop_at_service
from videodb_cli.errors import RefusedError, TimedOutError, VideodbError
from videodb_cli.process import background
from videodb_cli.process.background import BackgroundJob
from videodb_cli.process.signals import deferred_interrupts
from videodb_cli.process.start_token import is_same_process, start_token
from videodb_cli.rundir import capture_state, process_log
from videodb_cli.rundir.capture_state import CaptureState
from videodb_cli.rundir.paths import RunDir

_LOOK_S: Final = 0.1
_KILL: Final = getattr(signal, "SIGKILL", signal.SIGTERM)
# What the end of a failed start may take: session, recorder and publishers are stopped.
_END_S: Final = 60.0
_SAY_EVERY_S: Final = 5.0


def start_in_background(
    run_dir: RunDir, request: CaptureRequest, opened: OpenedSession, tell: Callable[[StartUpdate], None]
) -> CaptureState:
    """Starts the background process and waits until media flow. Returns the state.

    Raises what made it fail, after it has ended everything; on an interrupt the capture is ended too.
    """
    spawned_pid: int | None = None
    progress = _Progress(run_dir, request, opened, tell)
    with deferred_interrupts() as is_interrupted:

        def while_waiting(pid: int) -> None:
            nonlocal spawned_pid
            spawned_pid = pid
            if is_interrupted():
                raise KeyboardInterrupt
            progress.look()

        try:
            answer = _start(run_dir, request, opened, while_waiting)
            progress.look()
            return msgspec.convert(answer["capture"], CaptureState)
        except BaseException:
            end_background(run_dir, opened, spawned_pid)
            raise


def _start(
    run_dir: RunDir, request: CaptureRequest, opened: OpenedSession, while_waiting: Callable[[int], None]
) -> dict[str, Any]:
    # Secrets travel by environment, never in a request.
    hidden = {*settings.KEY_NAMES, *settings.BASE_URL_NAMES, settings.CLIENT_TOKEN_NAME, settings.LOCAL_NAME}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment["VIDEODB_CAPTURE_DETACHED"] = "1"
    environment[settings.CLIENT_TOKEN_NAME] = opened.token.token.reveal()
    environment[settings.BASE_URL_NAMES[0]] = opened.token.base_url
    if opened.key is not None:
        environment[settings.KEY_NAMES[0]] = opened.key.token.reveal()
    job = BackgroundJob(
        "capture",
        "background process",
        run_dir.path,
        run_dir.capture_log,
        {"request": request.to_wire(), "session": opened.to_wire()},
        environment,
        died=lambda sentence, hint: RefusedError(sentence, code="capture_died", hint=hint),
    )
    timeout_s = request.start_timeout_s + _END_S
    try:
        with process_log.opened(run_dir.capture_log) as log_fd:
            started = background.start(job, log_fd=log_fd, timeout_s=timeout_s, while_waiting=while_waiting)
    except background.NotReadyError:
        raise TimedOutError("the capture did not begin in time", hint=f"see {run_dir.capture_log}") from None
    return started.answer


class _Progress:
    """Tells once when media of every channel flow, from the state that the background process writes."""

    def __init__(
        self, run_dir: RunDir, request: CaptureRequest, opened: OpenedSession, tell: Callable[[StartUpdate], None]
    ) -> None:
        self._run_dir = run_dir
        self._session_id = opened.session_id
        self._tell = tell
        self._wanted = {channel.id for channel in request.channels}
        self._began = self._spoke = time.monotonic()
        self._told = False

    def look(self) -> None:
        """Look once."""
        found = None
        with contextlib.suppress(VideodbError):
            found = capture_state.read(self._run_dir)
        if found is None or found.session_id != self._session_id:
            return
        now = time.monotonic()
        states = {channel.channel_id: channel.state for channel in found.channels}
        if not self._told and {n for n, state in states.items() if state in {"flowing", "finished"}} >= self._wanted:
            self._told = True
            self._tell(ChannelsFlow(tuple(states), now - self._began))
        elif now - self._spoke >= _SAY_EVERY_S:
            self._spoke = now
            self._tell(StillWaiting(tuple(states.items()), str(found.session_status), now - self._began))


def end_background(run_dir: RunDir, opened: OpenedSession, pid: int | None) -> None:
    """End a background process that is of no use, and what was started for it. Waits until it is gone."""
    token = start_token(pid) if pid is not None else None
    if pid is not None and token is not None:
        _end_process(pid, token)
    found = running.mark_crashed(run_dir)
    if found is None or found.session_id != opened.session_id:
        _end_session(opened)
    if opened.listener_started:
        stop_own_listener(run_dir, opened.listener_pid)


def _end_session(opened: OpenedSession) -> None:
    """Stop a session that its background process never got to: it would stay ``created`` for ever."""
    import asyncio

    async def end() -> None:
        async with ControlPlane(opened.token) as service:
            await stop_at_service(opened.session_id, service, None)

    with contextlib.suppress(VideodbError):
        asyncio.run(end())


def _end_process(pid: int, token: str) -> None:
    deadline = time.monotonic() + _END_S
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGTERM)
    while is_same_process(pid, token):
        if time.monotonic() > deadline:
            with contextlib.suppress(OSError):
                os.kill(pid, _KILL)
            return
        time.sleep(_LOOK_S)
