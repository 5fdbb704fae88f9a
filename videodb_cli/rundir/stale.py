"""What a crash leaves behind: id, pid and state files of a listener that is no more."""

from __future__ import annotations

import contextlib

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError
from videodb_cli.rundir.paths import RunDir


def remove_stale(run_dir: RunDir) -> None:
    """Remove the listener's id, pid and state files if no listener holds the lock.

    Never raises for a directory that we may only read: then there is nothing of ours to clean.
    """
    leftovers = (run_dir.ws_id, run_dir.pid, run_dir.listener_state)
    if not run_dir.lock.exists() or not any(path.exists() for path in leftovers):
        return
    lock = DirectoryLock(run_dir.lock)
    # Taking the lock keeps a listener that starts just now from losing the files it has written.
    with contextlib.suppress(LockHeldError, RefusedError):
        lock.acquire(patience_s=0)
        try:
            for path in leftovers:
                private.remove(path)
        finally:
            lock.release()
