"""Stops the listener of a directory in whatever state it is."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable

from videodb_cli.errors import RefusedError
from videodb_cli.process.start_token import is_same_process
from videodb_cli.rundir import lock
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale

_LOOK_S = 0.02
# The signals in their order, and the seconds to wait after each.
_LADDER = (("SIGTERM", 10.0), ("SIGTERM", 3.0), ("SIGKILL", 5.0))
# A listener that still writes received events gets so long, because they would be lost on a slow disk.
_WRITING_S = 60.0


def stop_listener(run_dir: RunDir, *, pause: Callable[[float], None] = time.sleep) -> int | None:
    """Stop the listener and wait until it is gone. Returns its pid, or None if none ran.

    A pid is signalled only if its start token agrees. Raises RefusedError for a process that will not end, or that is
    not ours to end.
    """
    if not lock.is_held(run_dir.lock):
        remove_stale(run_dir)
        return None
    holder = lock.holder(run_dir.lock)
    if holder is None or not is_same_process(*holder):
        raise RefusedError(
            f"{run_dir.lock} is held, but not by a process that this tool can name",
            code="unknown_holder",
            hint=f"fuser {run_dir.lock}",
        )
    pid, _ = holder
    patient_until = time.monotonic() + _WRITING_S
    for name, seconds in _LADDER:
        try:
            os.kill(pid, getattr(signal, name))
        except ProcessLookupError:
            break
        except PermissionError:
            raise RefusedError(f"pid {pid} belongs to somebody else", code="not_ours") from None
        if _ended_within(run_dir, holder, seconds, patient_until, pause):
            break
    else:
        raise RefusedError(f"pid {pid} does not end", code="will_not_end", hint=f"kill -9 {pid}")
    with contextlib.suppress(RefusedError):
        remove_stale(run_dir)
    return pid


def stop_own_listener(run_dir: RunDir, pid: int | None) -> None:
    """Stop the listener with this process id, but not another one that was started since."""
    holder = lock.holder(run_dir.lock)
    if holder is not None and holder[0] == pid:
        stop_listener(run_dir)


def _ended_within(
    run_dir: RunDir, holder: tuple[int, str], seconds: float, patient_until: float, pause: Callable[[float], None]
) -> bool:
    """Wait for the end of the process; before a monotonic time, the wait starts again whenever the log grows."""
    grown_at = time.monotonic()
    size = _log_size(run_dir)
    while (now := time.monotonic()) < grown_at + seconds:
        if not is_same_process(*holder) or not lock.is_held(run_dir.lock):
            return True
        pause(_LOOK_S)
        before, size = size, _log_size(run_dir)
        if size > before and now < patient_until:
            grown_at = now
    return False


def _log_size(run_dir: RunDir) -> int:
    try:
        return run_dir.log.lstat().st_size
    except OSError:
        return 0
