"""Pausing and resuming channels of a capture that runs in another process: a request in a file, and a signal."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Sequence
from typing import Any, Final

from videodb_cli.capture import running
from videodb_cli.errors import NotFoundError, RefusedError, TimedOutError
from videodb_cli.rundir import capture_state, private, state
from videodb_cli.rundir.capture_state import ReportedError
from videodb_cli.rundir.paths import RunDir

_LOOK_S: Final = 0.05
_ANSWER_S: Final = 15.0


def read_request(run_dir: RunDir) -> dict[str, Any] | None:
    """Return the request that waits, for the process that runs the capture."""
    return state.read(run_dir.capture_control)


def control_capture(run_dir: RunDir, action: str, channels: Sequence[str]) -> list[str]:
    """Ask the running capture to ``pause`` or ``resume`` channels (none named: all). Returns their ids.

    Raises NotFoundError without a capture or for an unknown channel, RefusedError if the recorder refuses, and
    TimedOutError if it does not answer.
    """
    runner = running.runner(run_dir)
    found = capture_state.read(run_dir)
    if runner is None or found is None:
        raise NotFoundError("no capture runs here", code="not_running", hint="videodb capture start")
    if found.status != "active":
        raise RefusedError(f"the capture is {found.status}", code="not_active", hint="videodb capture status")
    known = [channel.channel_id for channel in found.channels]
    for name in channels:
        if name not in known:
            raise NotFoundError(
                f"{name!r} is not a channel of this capture", code="no_channel", hint=f"there are: {', '.join(known)}"
            )
    chosen = list(dict.fromkeys(channels)) or known
    request = {"id": secrets.token_hex(8), "action": action, "channels": chosen}
    try:
        try:
            state.write(run_dir.capture_control, request)
        except OSError as error:
            raise RefusedError(f"cannot write {run_dir.capture_control}: {error.strerror}", code="file") from error
        os.kill(runner[0], signal.SIGUSR1)
        answer = _answer(run_dir, str(request["id"]))
    finally:
        private.remove(run_dir.capture_control)
    if answer is not None:
        raise RefusedError(answer.message, code=answer.code)
    return chosen


def _answer(run_dir: RunDir, request_id: str) -> ReportedError | None:
    deadline = time.monotonic() + _ANSWER_S
    while time.monotonic() < deadline:
        found = capture_state.read(run_dir)
        if found is not None and found.control is not None and found.control.id == request_id:
            return found.control.error
        if running.runner(run_dir) is None:
            raise NotFoundError("the capture has just ended", code="not_running")
        time.sleep(_LOOK_S)
    raise TimedOutError(f"the capture did not answer within {_ANSWER_S:g} s", hint="videodb capture status")
