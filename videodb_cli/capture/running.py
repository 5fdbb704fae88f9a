"""Whether a capture runs in a directory, in which process, and what one that died leaves.

A capture runs as long as its process holds `videodb_capture.lock`.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Final

from videodb_cli.errors import VideodbError
from videodb_cli.model import lifecycle
from videodb_cli.process.start_token import is_same_process
from videodb_cli.rundir import capture_state, lock, private
from videodb_cli.rundir.capture_state import DIED, CaptureState, ReportedError
from videodb_cli.rundir.paths import RunDir

_AT_WORK: Final = frozenset({"starting", "flowing", "interrupted"})


def is_running(run_dir: RunDir) -> bool:
    """Tell whether a capture runs in this directory."""
    return lock.is_held(run_dir.capture_lock)


def runner(run_dir: RunDir) -> tuple[int, str] | None:
    """Return pid and start token of the capture that runs here; None if none does, or it cannot be named."""
    if not is_running(run_dir):
        return None
    found = lock.holder(run_dir.capture_lock)
    return found if found is not None and is_same_process(*found) else None


def mark_crashed(run_dir: RunDir) -> CaptureState | None:
    """Correct the state if its process died without a word: then it says ``failed``, and the pid file goes.

    Its publishers have died with it (see `process.child`); one that did not is killed here.

    Returns:
        The state, or None if there is none.

    Raises:
        RefusedError: As `capture_state.read`.
        OSError: The state cannot be written.
    """
    found = capture_state.read(run_dir)
    if found is None or is_running(run_dir):
        return found
    # A capture that ended in order has removed its pid file. One that says it runs, and holds no lock, has crashed.
    if found.status not in lifecycle.RUNNING and not run_dir.capture_pid.exists():
        return found
    capture_lock = lock.DirectoryLock(run_dir.capture_lock)
    try:
        capture_lock.acquire(patience_s=0)
    except lock.LockHeldError:
        return capture_state.read(run_dir)  # it begins just now
    try:
        found = capture_state.read(run_dir)
        if found is not None and found.status in {*lifecycle.RUNNING, "stopped"}:
            found.status = lifecycle.FAILED
            found.error = ReportedError(DIED, f"the background process (pid {found.pid}) died")
            _end_leftovers(found)
            capture_state.write(run_dir, found)
        private.remove(run_dir.capture_pid)
    finally:
        capture_lock.release()
    return found


def outcome_told(run_dir: RunDir, found: CaptureState) -> CaptureState:
    """Note that somebody was told what came of a capture, so that nobody else takes this outcome for his own."""
    if found.outcome_due:
        found.outcome_due = False
        with contextlib.suppress(VideodbError, OSError):
            capture_state.write(run_dir, found)
    return found


def _end_leftovers(found: CaptureState) -> None:
    """Kill the publishers in a state whose process is gone: nobody would ever stop what they capture."""
    for channel in found.channels:
        pid, token = channel.pid, channel.start_token
        if pid is not None and token is not None and is_same_process(pid, token):
            with contextlib.suppress(OSError):
                os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        if channel.state in _AT_WORK:
            channel.state = "stopped"
