"""The status of a listener: its state file, checked against its lock and its heartbeat."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from videodb_cli.errors import ConflictError
from videodb_cli.process.clock import present
from videodb_cli.rundir.listener_state import ListenerState, running_listener
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale

HEARTBEAT_S = 5.0
# A state file is believed for three heartbeats.
_STALE_AFTER_S = 3 * HEARTBEAT_S
# If a ping is not answered for so long, the connection may be dead.
_PONG_S = 5.0


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """The truth about a listener.

    Attributes:
        state: ``listening``, ``connecting``, ``deaf``, ``died`` or ``stopped``; ``why`` says so in words.
        listener: What its state file says; None if none runs. Times are Unix seconds.
        now: The present, by the clock by which those times were written.
    """

    state: str
    why: str
    listener: ListenerState | None
    now: float

    @property
    def trouble(self) -> str | None:
        """Why its files cannot be written, in the system's words."""
        return self.listener.trouble if self.listener is not None else None

    @property
    def is_healthy(self) -> bool:
        """Whether it receives events and can write them."""
        return self.state == "listening" and self.trouble is None

    @property
    def pid(self) -> int | None:
        """The process id of the listener; None if none is known."""
        return self.listener.pid if self.listener is not None else None

    @property
    def connection_id(self) -> str | None:
        """The id of the connection that is open now; None if none is."""
        return self.listener.connection_id if self.listener is not None and self.state != "connecting" else None

    def age(self, name: str) -> float | None:
        """Return how many seconds ago the time of this name was, or None if it was never."""
        value = getattr(self.listener, name, None)
        return None if value is None else max(0.0, self.now - value)


def already_running(run_dir: RunDir) -> ConflictError:
    """Return the error for a directory whose lock is held; it says by whom."""
    found = running_listener(run_dir) or ListenerState()
    what = f"connected as {found.connection_id}" if found.connection_id else "not connected at the moment"
    return ConflictError(
        f"already listening in {run_dir.path}: pid {found.pid or 'unknown'}, {what}",
        code="already_running",
        hint="videodb status · videodb stop · videodb listen --detach --replace",
    )


def listener_status(run_dir: RunDir | None, now: float | None = None) -> ListenerStatus:
    """Return the status of a directory's listener, and remove files that a crash has left.

    After a crash the first call returns ``died``, the next ones ``stopped``.

    Raises RefusedError for a state file of a newer version.
    """
    dead_pid = remove_stale(run_dir) if run_dir is not None else None
    if dead_pid is not None:
        return ListenerStatus(
            "died", f"the listener (pid {dead_pid}) ended without a word: a crash, or kill -9", None, time.time()
        )
    found = running_listener(run_dir) if run_dir is not None else None
    if found is None:
        return ListenerStatus("stopped", "no listener runs here", None, time.time())
    now = present(found.to_fields()) if now is None else now
    written_at = found.written_at
    if written_at is None:
        return ListenerStatus("connecting", "it is starting", found, now)
    if now - written_at > _STALE_AFTER_S:
        why = f"it has said nothing about itself for {now - written_at:.0f} s"
        if run_dir is not None and _is_read_only(run_dir.path):
            why = f"its file system is read-only, so the log cannot be written; {why}"
            found = msgspec.structs.replace(found, log_writable=False, trouble=os.strerror(errno.EROFS))
        return ListenerStatus("deaf", why, found, now)
    if found.state != "connected":
        return ListenerStatus("connecting", found.last_failure or "no connection stands yet", found, now)
    return _connected(found, written_at, now)


def _is_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):
        return False


def _connected(found: ListenerState, written_at: float, now: float) -> ListenerStatus:
    """Deaf: open, but when the file was written nothing had come for longer than from one pong to the next.

    This is reported earlier than the listener closes the connection, which waits longer for a pong.
    """
    alive = (found.connected_since, found.last_message_at, found.last_pong_at, found.last_bytes_at)
    times = [value for value in alive if value is not None]
    limit = (found.ping_interval_s or 0.0) + _PONG_S
    if times and min(now, written_at) - max(times) > limit:
        silent = now - max(times)
        return ListenerStatus("deaf", f"the connection is open, but nothing came back for {silent:.0f} s", found, now)
    why = f"the log cannot be written: {found.trouble}" if found.trouble is not None else ""
    return ListenerStatus("listening", why, found, now)
