"""Finds the listener that runs in a directory, or starts one in the background."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass

from videodb_cli import settings
from videodb_cli.app.listen_options import ListenOptions
from videodb_cli.app.listener_status import already_running
from videodb_cli.app.stop_listener import stop_listener
from videodb_cli.errors import ConflictError, TimedOutError, UnreachableError
from videodb_cli.process import background
from videodb_cli.process.background import BackgroundJob
from videodb_cli.rundir import process_log
from videodb_cli.rundir.listener_state import running_listener
from videodb_cli.rundir.paths import RunDir

_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class BackgroundListener:
    """A listener with an open connection."""

    connection_id: str
    pid: int
    was_running: bool


def ensure_listener(
    run_dir: RunDir,
    *,
    credentials: settings.Credentials,
    options: ListenOptions | None = None,
    replace: bool = False,
    timeout_s: float = 30.0,
    pause: Callable[[float], None] = time.sleep,
) -> BackgroundListener:
    """Returns the listener of the directory, started if there is none.

    Raises:
        ConflictError: One runs, and ``clear`` is set without ``replace``.
        TimedOutError: There is no connection in time; the listener goes on trying.
        VideodbError: The error that ended the new listener.
    """
    options = options or ListenOptions()
    clear = options.clear
    if running_listener(run_dir) is not None:
        if replace:
            stop_listener(run_dir)
        elif clear:
            raise already_running(run_dir)
        else:
            return _wait_for_running(run_dir, timeout_s, pause)
    try:
        return _start(run_dir, credentials, options, timeout_s)
    except ConflictError:
        # Another listener was started at the same moment: that one is used, unless the log was to be cleared.
        if clear:
            raise
        return _wait_for_running(run_dir, timeout_s, pause)


def _wait_for_running(run_dir: RunDir, timeout_s: float, pause: Callable[[float], None]) -> BackgroundListener:
    deadline = time.monotonic() + timeout_s
    pid = 0
    while True:
        found = running_listener(run_dir)
        if found is None:
            raise UnreachableError(
                "the listener that ran here has just ended", code="listener_ended", hint="videodb listen --detach"
            )
        pid = found.pid or pid
        if found.connection_id is not None:
            return BackgroundListener(found.connection_id, pid, was_running=True)
        if time.monotonic() >= deadline:
            raise _not_yet(pid, timeout_s)
        pause(_LOOK_S)


def _not_yet(pid: int, timeout_s: float) -> TimedOutError:
    return TimedOutError(
        f"no connection within {timeout_s:g} s; the listener goes on trying as pid {pid}",
        code="not_connected_yet",
        hint="videodb status · videodb stop",
    )


def _start(
    run_dir: RunDir, credentials: settings.Credentials, options: ListenOptions, timeout_s: float
) -> BackgroundListener:
    # Secrets are passed in the environment, never in a request.
    environment = {
        **os.environ,
        settings.KEY_NAMES[0]: credentials.token.reveal(),
        settings.BASE_URL_NAMES[0]: credentials.base_url,
    }
    job = BackgroundJob(
        "listen",
        "listener",
        run_dir.path,
        run_dir.listener_log,
        options.to_json(),
        environment,
        died=lambda sentence, hint: UnreachableError(sentence, code="listener_ended", hint=hint),
    )
    try:
        with process_log.opened(run_dir.listener_log) as log_fd:
            started = background.start(job, log_fd=log_fd, timeout_s=timeout_s)
    except background.NotReadyError as not_ready:
        raise _not_yet(not_ready.pid, timeout_s) from None
    return BackgroundListener(str(started.answer["connection_id"]), started.pid, was_running=False)
