"""What a crash leaves behind: id, pid and state files of a listener that is no more."""

from __future__ import annotations

import contextlib

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError, is_alive
from videodb_cli.rundir.paths import RunDir


def remove_stale(run_dir: RunDir) -> int | None:
    """Remove the listener's id, pid and state files if no listener holds the lock.

    Returns the pid of the listener that left them (0 if it cannot be told), or None if nothing was removed. Never
    raises for a directory that we may only read: then there is nothing of ours to clean.
    """
    leftovers = (run_dir.ws_id, run_dir.pid, run_dir.listener_state)
    if not run_dir.lock.exists() or not any(path.exists() for path in leftovers):
        return None
    lock = DirectoryLock(run_dir.lock)
    # Taking the lock keeps a listener that starts just now from losing the files it has written.
    with contextlib.suppress(LockHeldError, RefusedError):
        lock.acquire(patience_s=0)
        try:
            pid = _noted_pid(run_dir)
            if not run_dir.listener_state.exists() and is_alive(pid):
                # The script that people used before ours keeps no state and takes no lock, and it runs.
                return None
            for path in leftovers:
                private.remove(path)
                private.remove_unfinished(path)
            return pid
        finally:
            lock.release()
    return None


def _noted_pid(run_dir: RunDir) -> int:
    content = private.read_bytes(run_dir.pid, 32) or b""
    return int(content) if content.strip().isdigit() else 0
