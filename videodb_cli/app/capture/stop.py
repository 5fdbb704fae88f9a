"""`capture stop`: asks the process that captures for the end, or ends the session from here if that process is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Final

from videodb_cli.app.capture.leftover import LeftoverSession, StopRequest
from videodb_cli.app.stop_listener import stop_own_listener
from videodb_cli.capture import running
from videodb_cli.errors import RefusedError, TimedOutError, VideodbError
from videodb_cli.rundir import capture_state, lock
from videodb_cli.rundir.capture_state import CaptureState, ReportedError
from videodb_cli.rundir.paths import RunDir
from videodb_cli.settings import Credentials

_LOOK_S: Final = 0.1


def stop_capture(
    run_dir: RunDir,
    *,
    timeout_s: float,
    credentials: Callable[[], Credentials],
    tell: Callable[[str], None] = lambda _status: None,
    note: Callable[[str], None] = lambda _sentence: None,
) -> CaptureState | None:
    """Stop the capture of a directory and wait until it is over.

    A capture that ended by itself, or whose end an earlier `stop` has told, is nothing to stop: whoever asks would take
    its export for one of his own. Of a capture that had failed by itself what was recorded until then is fetched, once;
    it stays ``failed``.

    Args:
        run_dir: The directory.
        timeout_s: Seconds for the end and the export.
        credentials: Asked for only if the process is gone and the session must be ended from here.
        tell: Gets each new status.
        note: Gets, as a sentence, what stands in the way of the export of a capture that had failed: no error.

    Returns:
        Its last state, or None if there is nothing to stop.

    Raises:
        TimedOutError: It is not over in time; the rest goes on without us.
        RefusedError: The capture failed while it ended.
    """
    request = StopRequest(run_dir, timeout_s, time.monotonic() + timeout_s, credentials, tell, note)
    _wait_for_start(request)
    found = capture_state.read(run_dir)
    is_failing = False
    if running.is_running(run_dir):
        is_failing = found is not None and found.status == "stopping" and found.error is not None
        found = _end_running(request, failing=is_failing)
        if not is_failing:
            return found
    return None if found is None else _end_gone(request, running.mark_crashed(run_dir) or found, is_news=is_failing)


def _end_gone(request: StopRequest, found: CaptureState, *, is_news: bool) -> CaptureState | None:
    """End what a capture whose process is gone has left. Returns its state if that is news to somebody."""
    is_news = is_news or found.outcome_due or found.has_died or found.unsettled is not None
    leftover = LeftoverSession(request, found)
    if found.has_died:
        try:
            leftover.end_dead()
        except TimedOutError:
            raise  # the session is ending: its listener hears how, until the next `stop`
        except VideodbError:
            _let_listener_go(request.run_dir, found)
            raise
    elif found.unsettled is not None:
        leftover.end_failed()
    _let_listener_go(request.run_dir, found)
    return found if is_news else None


def _wait_for_start(request: StopRequest) -> None:
    """Wait while somebody starts a capture: it has no process yet that could be stopped, and will have one soon."""
    while not running.is_running(request.run_dir) and lock.is_held(request.run_dir.capture_start_lock):
        if time.monotonic() >= request.deadline:
            raise TimedOutError(
                f"a capture is still being started after {request.timeout_s:g} s",
                code="stop_timeout",
                hint="videodb capture status · videodb capture stop",
            )
        time.sleep(_LOOK_S)


def _end_running(request: StopRequest, *, failing: bool) -> CaptureState | None:
    runner = running.runner(request.run_dir)
    if runner is None:
        raise RefusedError(
            "a capture runs here, but not in a process that this tool can name",
            code="unknown_holder",
            hint=f"fuser {request.run_dir.capture_lock}",
        )
    pid, _ = runner
    found = _state_of(request.run_dir, pid)
    # A second signal would tell it not to wait for the export, which is what the user is here for.
    if found is None or found.status not in {"stopping", "stopped"}:
        _ask_to_stop(pid)
    last, told = _watch_end(request, runner)
    running.mark_crashed(request.run_dir)
    found = _state_of(request.run_dir, pid)
    if found is None:
        return last  # somebody has started another one since: neither it nor its listener is ours to end
    if failing:
        return found  # it failed before anybody stopped it: no failure of the stop
    if found.status != told:
        request.tell(found.status)
    _let_listener_go(request.run_dir, found)
    if found.has_failed:
        error = found.error or ReportedError()
        raise RefusedError(error.message, code=error.code, hint=f"see {request.run_dir.capture_log}")
    return found


def _watch_end(request: StopRequest, runner: tuple[int, str]) -> tuple[CaptureState | None, str | None]:
    """Wait until its process is gone. Returns the last state that it wrote by then, and the status told last."""
    last, told = None, None
    while running.runner(request.run_dir) == runner:
        last = _state_of(request.run_dir, runner[0])
        status = None if last is None else last.status
        if status not in {told, "active"}:
            told = status
            request.tell(str(status))
        if time.monotonic() >= request.deadline:
            raise TimedOutError(
                f"the capture is {status} after {request.timeout_s:g} s; pid {runner[0]} goes on finishing it",
                code="stop_timeout",
                hint="videodb capture status · videodb capture stop --timeout 600",
            )
        time.sleep(_LOOK_S)
    return last, told


def _state_of(run_dir: RunDir, pid: int) -> CaptureState | None:
    """Return the state that this process has written; None if the file is of another capture."""
    found = capture_state.read(run_dir)
    return found if found is not None and found.pid in {pid, None} else None


def _let_listener_go(run_dir: RunDir, found: CaptureState) -> None:
    """End a listener that `start` had started and nothing has ended yet; the outcome is told now."""
    running.outcome_told(run_dir, found)
    if found.listener_started:
        stop_own_listener(run_dir, found.listener_pid)
        found.listener_started = False
        with contextlib.suppress(VideodbError, OSError):
            capture_state.write(run_dir, found)


def _ask_to_stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise RefusedError(f"pid {pid} belongs to somebody else", code="not_ours") from None
