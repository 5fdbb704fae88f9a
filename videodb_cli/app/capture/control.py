"""Pausing and resuming channels of a capture that runs in another process: a request in a file, and a signal."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from videodb_cli.capture import info as capture_info
from videodb_cli.errors import NotFoundError, RefusedError, TimedOutError
from videodb_cli.rundir import private, state
from videodb_cli.rundir.paths import RunDir

_LOOK_S: Final = 0.05
_ANSWER_S: Final = 15.0


def control_path(run_dir: RunDir) -> Path:
    """Return where a request to the running capture is written."""
    return run_dir.path / ".videodb_capture_control.json"


def read_request(run_dir: RunDir) -> dict[str, Any] | None:
    """Return the request that waits, for the process that runs the capture."""
    return state.read(control_path(run_dir))


def control_capture(run_dir: RunDir, action: str, channels: Sequence[str]) -> list[str]:
    """Ask the running capture to ``pause`` or ``resume`` channels (none named: all). Returns their ids.

    Raises NotFoundError without a capture or for an unknown channel, RefusedError if the recorder refuses, and
    TimedOutError if it does not answer.
    """
    found = capture_info.runner(run_dir)
    fields = capture_info.read(run_dir)
    if found is None or fields is None:
        raise NotFoundError("no capture runs here", code="not_running", hint="videodb capture start")
    if fields.get("status") != "active":
        raise RefusedError(f"the capture is {fields.get('status')}", code="not_active", hint="videodb capture status")
    known = [str(c.get("channel_id")) for c in fields.get("channels", []) if isinstance(c, dict)]
    for name in channels:
        if name not in known:
            raise NotFoundError(
                f"{name!r} is not a channel of this capture", code="no_channel", hint=f"there are: {', '.join(known)}"
            )
    chosen = list(dict.fromkeys(channels)) or known
    request = {"id": secrets.token_hex(8), "action": action, "channels": chosen}
    try:
        try:
            state.write(control_path(run_dir), request)
        except OSError as error:
            raise RefusedError(f"cannot write {control_path(run_dir)}: {error.strerror}", code="file") from error
        os.kill(found[0], signal.SIGUSR1)
        answer = _answer(run_dir, str(request["id"]))
    finally:
        private.remove(control_path(run_dir))
    if answer is not None:
        raise RefusedError(str(answer.get("message")), code=str(answer.get("code")))
    return chosen


def _answer(run_dir: RunDir, request_id: str) -> dict[str, Any] | None:
    deadline = time.monotonic() + _ANSWER_S
    while time.monotonic() < deadline:
        fields = capture_info.read(run_dir) or {}
        said = fields.get("control")
        if isinstance(said, dict) and said.get("id") == request_id:
            error = said.get("error")
            return error if isinstance(error, dict) else None
        if capture_info.runner(run_dir) is None:
            raise NotFoundError("the capture has just ended", code="not_running")
        time.sleep(_LOOK_S)
    raise TimedOutError(f"the capture did not answer within {_ANSWER_S:g} s", hint="videodb capture status")
