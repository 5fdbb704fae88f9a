"""`capture stop`: asks the process that captures for the end, or ends the session from here if that process is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from typing import Final

from videodb_cli.app.capture.leftover import LeftoverSession
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
    return _CaptureStop(run_dir, timeout_s, credentials, tell, note).run()


class _CaptureStop:
    """One run of `capture stop`, with the arguments of `stop_capture`."""

    def __init__(
        self,
        run_dir: RunDir,
        timeout_s: float,
        credentials: Callable[[], Credentials],
        tell: Callable[[str], None],
        note: Callable[[str], None],
    ) -> None:
        self._run_dir = run_dir
        self._timeout_s = timeout_s
        self._deadline = time.monotonic() + timeout_s
        self._credentials = credentials
        self._tell = tell
        self._note = note

    def run(self) -> CaptureState | None:
        self._wait_for_start()
        found = capture_state.read(self._run_dir)
        is_failing = False
        if running.is_running(self._run_dir):
            is_failing = found is not None and found.status == "stopping" and found.error is not None
            found = self._end_running(failing=is_failing)
            if not is_failing:
                return found
        if found is None:
            return None
        found = running.mark_crashed(self._run_dir) or found
        is_news = is_failing or found.outcome_due
        leftover = LeftoverSession(
            self._run_dir, found, self._credentials, self._deadline, self._timeout_s, self._tell, self._note
        )
        if found.has_died:
            is_news = True
            self._end_dead(found, leftover)
        elif found.unsettled is not None:
            is_news = True
            leftover.end_failed()
        self._let_listener_go(found)
        return found if is_news else None

    def _end_dead(self, found: CaptureState, leftover: LeftoverSession) -> None:
        try:
            leftover.end_dead()
        except TimedOutError:
            raise  # the session is ending: its listener hears how, until the next `stop`
        except VideodbError:
            self._let_listener_go(found)
            raise

    def _wait_for_start(self) -> None:
        """Wait while somebody starts a capture: it has no process yet that could be stopped, and will have one soon."""
        while not running.is_running(self._run_dir) and lock.is_held(self._run_dir.capture_start_lock):
            if time.monotonic() >= self._deadline:
                raise TimedOutError(
                    f"a capture is still being started after {self._timeout_s:g} s",
                    code="stop_timeout",
                    hint="videodb capture status · videodb capture stop",
                )
            time.sleep(_LOOK_S)

    def _end_running(self, *, failing: bool) -> CaptureState | None:
        runner = running.runner(self._run_dir)
        if runner is None:
            raise RefusedError(
                "a capture runs here, but not in a process that this tool can name",
                code="unknown_holder",
                hint=f"fuser {self._run_dir.capture_lock}",
            )
        pid, _ = runner
        found = self._state_of(pid)
        # A second signal would tell it not to wait for the export, which is what the user is here for.
        if found is None or found.status not in {"stopping", "stopped"}:
            _ask_to_stop(pid)
        last, told = self._watch_end(runner)
        running.mark_crashed(self._run_dir)
        found = self._state_of(pid)
        if found is None:
            return last  # somebody has started another one since: neither it nor its listener is ours to end
        if failing:
            return found  # it failed before anybody stopped it: no failure of the stop
        if found.status != told:
            self._tell(found.status)
        self._let_listener_go(found)
        if found.has_failed:
            error = found.error or ReportedError()
            raise RefusedError(error.message, code=error.code, hint=f"see {self._run_dir.capture_log}")
        return found

    def _watch_end(self, runner: tuple[int, str]) -> tuple[CaptureState | None, str | None]:
        """Wait until its process is gone. Returns the last state that it wrote by then, and the status told last."""
        last, told = None, None
        while running.runner(self._run_dir) == runner:
            last = self._state_of(runner[0])
            status = None if last is None else last.status
            if status not in {told, "active"}:
                told = status
                self._tell(str(status))
            if time.monotonic() >= self._deadline:
                raise TimedOutError(
                    f"the capture is {status} after {self._timeout_s:g} s; pid {runner[0]} goes on finishing it",
                    code="stop_timeout",
                    hint="videodb capture status · videodb capture stop --timeout 600",
                )
            time.sleep(_LOOK_S)
        return last, told

    def _state_of(self, pid: int) -> CaptureState | None:
        """Return the state that this process has written; None if the file is of another capture."""
        found = capture_state.read(self._run_dir)
        return found if found is not None and found.pid in {pid, None} else None

    def _let_listener_go(self, found: CaptureState) -> None:
        """End a listener that `start` had started and nothing has ended yet; the outcome is told now."""
        running.outcome_told(self._run_dir, found)
        if found.listener_started:
            stop_own_listener(self._run_dir, found.listener_pid)
            found.listener_started = False
            with contextlib.suppress(VideodbError, OSError):
                capture_state.write(self._run_dir, found)


def _ask_to_stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise RefusedError(f"pid {pid} belongs to somebody else", code="not_ours") from None
