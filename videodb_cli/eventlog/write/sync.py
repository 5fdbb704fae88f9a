"""Syncs what was written to the disk (fdatasync), in groups, without making the writer wait.

With an interval of 0 (``--sync always``) the next sync begins as soon as the one before has ended. No line reaches the
disk later than if each write waited for its own sync, and no line waits in the memory of the process meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable

MODES = ("none", "interval", "always")
INTERVAL_S = 0.05
# A longer sync means that the disk is busy, and that a write may have to wait as well.
SLOW_S = 0.1


def sync(fd: int) -> None:
    """Wait until the content of a file is on the disk. Raises OSError."""
    # macOS has no fdatasync.
    getattr(os, "fdatasync", os.fsync)(fd)


class GroupCommit:
    """Syncs one file after another, at most once in `INTERVAL_S`, in a thread of its own.

    `follow`, `wrote` and `close` are called by the writer. ``on_failure`` is called from the thread, once for each
    failure: what was written may then not survive a power cut.
    """

    def __init__(self, on_failure: Callable[[OSError], None], interval_s: float = INTERVAL_S) -> None:
        self._on_failure = on_failure
        self._interval_s = interval_s
        self._lock = threading.Lock()
        self._dirty = threading.Event()
        self._end = threading.Event()
        self._fd = -1
        self._syncing_since: float | None = None
        self._thread = threading.Thread(target=self._run, name="log-sync", daemon=True)
        self._thread.start()

    def follow(self, fd: int) -> None:
        """Sync the present file, then go on with another one. The caller still owns ``fd``."""
        self._sync()
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
            # A descriptor of our own: the writer may close its own at any time.
            self._fd = os.dup(fd)

    @property
    def is_slow(self) -> bool:
        """Whether a sync is under way that takes long."""
        since = self._syncing_since
        return since is not None and time.monotonic() - since > SLOW_S

    def wrote(self) -> None:
        """Say that something was written that has to be synced."""
        if not self._dirty.is_set():
            self._dirty.set()

    def close(self, timeout_s: float = 5.0) -> bool:
        """Sync what is left and end. Returns False if the disk has not confirmed it in time. Idempotent.

        Even then nothing is lost but in a power cut: the system writes it to the disk after our end.
        """
        self._end.set()
        self._dirty.set()
        self._thread.join(max(timeout_s, 0.0))
        if self._thread.is_alive():
            return False
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1
        return True

    def _run(self) -> None:
        while True:
            self._dirty.wait()
            self._end.wait(self._interval_s)
            # In this order: an end that is asked for between these two lines wakes us once more, and is never slept
            # through, which would keep a stop waiting for ever.
            self._dirty.clear()
            ending = self._end.is_set()
            self._sync()
            if ending:
                return

    def _sync(self) -> None:
        with self._lock:
            if self._fd < 0:
                return
            self._syncing_since = time.monotonic()
            try:
                sync(self._fd)
            except OSError as error:
                # An error of the callback must not end this thread, where nobody would see it.
                with contextlib.suppress(Exception):
                    self._on_failure(error)
            finally:
                self._syncing_since = None
