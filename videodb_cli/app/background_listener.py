"""A listener in the background: the one that runs, or a new one."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from videodb_cli import errors, settings
from videodb_cli.app.listen import already_running, running_listener
from videodb_cli.app.stop_listener import stop_listener
from videodb_cli.errors import ConflictError, TimedOutError, UnreachableError, VideodbError
from videodb_cli.process.daemon import Spawned, spawn_detached
from videodb_cli.rundir import process_log
from videodb_cli.rundir.paths import RunDir

_LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class BackgroundListener:
    """A listener whose connection stands."""

    connection_id: str
    pid: int
    was_running: bool


def ensure_listener(
    run_dir: RunDir,
    *,
    credentials: settings.Credentials,
    arguments: Sequence[str],
    clear: bool = False,
    replace: bool = False,
    timeout_s: float = 30.0,
    pause: Callable[[float], None] = time.sleep,
) -> BackgroundListener:
    """Return the listener of the directory, started if there is none. ``arguments`` are those of `videodb listen`.

    Raises ConflictError if one runs and ``clear`` is asked without ``replace``; TimedOutError if no connection stands
    in time (the listener goes on trying); and whatever ended the new one.
    """
    if running_listener(run_dir) is not None:
        if replace:
            stop_listener(run_dir)
        elif clear:
            raise already_running(run_dir)
        else:
            return _wait_for_running(run_dir, timeout_s, pause)
    try:
        return _start(run_dir, credentials, arguments, timeout_s)
    except ConflictError:
        # Another one was started at the same moment and won: it is the listener. But it cleared nothing for us.
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
        pid = found.get("pid") or pid
        connection_id = found.get("connection_id")
        if isinstance(connection_id, str):
            return BackgroundListener(connection_id, pid, was_running=True)
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
    run_dir: RunDir,
    credentials: settings.Credentials,
    arguments: Sequence[str],
    timeout_s: float,
) -> BackgroundListener:
    # The key travels by environment: an argument list is readable by everybody.
    environment = {
        **os.environ,
        settings.KEY_NAMES[0]: credentials.token.reveal(),
        settings.BASE_URL_NAMES[0]: credentials.base_url,
    }
    log_fd = process_log.open_log(run_dir.listener_log)
    try:
        spawned = spawn_detached(
            ["listen", "--dir", str(run_dir.path), *arguments],
            log_fd=log_fd,
            directory=run_dir.path,
            timeout_s=timeout_s,
            environment=environment,
        )
    finally:
        os.close(log_fd)
    if spawned.message is None:
        if spawned.exit_status is None:
            raise _not_yet(spawned.pid, timeout_s)
        raise UnreachableError(
            f"the listener ended at once with status {spawned.exit_status}",
            code="listener_ended",
            hint=f"see {run_dir.listener_log}",
        )
    connection_id = spawned.message.get("connection_id")
    if isinstance(connection_id, str):
        return BackgroundListener(connection_id, spawned.pid, was_running=False)
    raise failure_of(spawned)


def failure_of(spawned: Spawned) -> VideodbError:
    """Return the child's error as one of ours, so that it ends with the same sentence, hint and status here."""
    told = (spawned.message or {}).get("error")
    fields = told if isinstance(told, dict) else {}
    kinds = {
        kind.exit_status: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, VideodbError) and kind is not VideodbError
    }
    kind = kinds.get(fields.get("exit_status", 0), UnreachableError)
    return kind(str(fields.get("message", "the listener ended")), code=fields.get("code"), hint=fields.get("hint"))
