"""The truth about a listener: what its state file says, checked against its lock and its heartbeat."""

from __future__ import annotations

import errno
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from videodb_cli.app.listen import running_listener
from videodb_cli.process.clock import present
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale

HEARTBEAT_S = 5.0
# A state file is believed for three heartbeats.
_STALE_AFTER_S = 3 * HEARTBEAT_S
# A ping that is not answered for so long says that the connection may be dead.
_PONG_S = 5.0
_COUNTS = frozenset(
    (
        *("events", "unparsable", "recovered", "doubles", "reconnects", "gaps", "gap_s"),
        *("events_per_s", "log_bytes", "pending_bytes", "output_dropped"),
    )
)
_NUMBERS = frozenset(
    (
        *("written_at", "started_at", "connected_since", "last_message_at", "last_pong_at", "retry_at"),
        *("ping_interval_s", "ping_timeout_s", "last_bytes_at", "uptime_s"),
    )
)
_TEXTS = frozenset(("state", "host", "connection_id", "last_failure", "trouble", "boot_id"))


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """``state`` is ``listening``, ``connecting``, ``deaf``, ``died`` or ``stopped``; ``why`` says so in words.

    Times in ``fields`` are Unix seconds; ``now`` is the present by the clock by which they were written.
    """

    state: str
    why: str
    fields: dict[str, Any]
    now: float

    @property
    def trouble(self) -> str | None:
        """Why its files cannot be written, in the system's words."""
        found = self.fields.get("trouble")
        return found if isinstance(found, str) and self.state not in {"stopped", "died"} else None

    @property
    def is_healthy(self) -> bool:
        """Whether it hears, and can write down what it hears."""
        return self.state == "listening" and self.trouble is None

    @property
    def pid(self) -> int | None:
        return self.fields.get("pid")

    @property
    def connection_id(self) -> str | None:
        return self.fields.get("connection_id") if self.state in {"listening", "deaf"} else None

    def age(self, name: str) -> float | None:
        """Return how many seconds ago the time of this name was, or None if it was never."""
        value = self.fields.get(name)
        return max(0.0, self.now - value) if isinstance(value, int | float) else None


def listener_status(run_dir: RunDir | None, now: float | None = None) -> ListenerStatus:
    """Look at a directory, and remove what a crash has left in it: ``died`` is told once, then it is ``stopped``.

    Raises RefusedError for a state file of a newer version.
    """
    dead_pid = remove_stale(run_dir) if run_dir is not None else None
    if dead_pid is not None:
        return ListenerStatus(
            "died", f"the listener (pid {dead_pid}) ended without a word: a crash, or kill -9", {}, time.time()
        )
    found = running_listener(run_dir) if run_dir is not None else None
    if found is None:
        return ListenerStatus("stopped", "no listener runs here", {}, time.time())
    found = _believable(found)
    now = present(found) if now is None else now
    written_at = found.get("written_at")
    if not isinstance(written_at, int | float):
        return ListenerStatus("connecting", "it is starting", found, now)
    if now - written_at > _STALE_AFTER_S:
        why = f"it has said nothing about itself for {now - written_at:.0f} s"
        if run_dir is not None and _is_read_only(run_dir.path):
            why = f"its file system is read-only, so the log cannot be written; {why}"
            found = {**found, "log_writable": False, "trouble": os.strerror(errno.EROFS)}
        return ListenerStatus("deaf", why, found, now)
    if found.get("state") != "connected":
        reason = found.get("last_failure")
        return ListenerStatus("connecting", str(reason) if reason else "no connection stands yet", found, now)
    return _connected(found, now)


def _believable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields without what makes no sense: the file may be of another version, or of nobody."""
    found: dict[str, Any] = {}
    for name, value in fields.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in _COUNTS:
            found[name] = value if is_number else 0
        elif name in _NUMBERS:
            found[name] = value if is_number else None
        elif name in _TEXTS:
            found[name] = value if isinstance(value, str) else None
        else:
            found[name] = value
    if "events" in found:
        found = {**dict.fromkeys(_COUNTS, 0), **found}
    dead = found.get("dead_pipelines")
    found["dead_pipelines"] = [item for item in dead if isinstance(item, dict)] if isinstance(dead, list) else []
    return found


def _is_read_only(path: Path) -> bool:
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):
        return False


def _connected(found: dict[str, Any], now: float) -> ListenerStatus:
    """Deaf: open, but when the file was written nothing had come for longer than from one pong to the next.

    Said before the listener itself gives the connection up, which waits longer for the pong.
    """
    alive = [found.get(name) for name in ("connected_since", "last_message_at", "last_pong_at", "last_bytes_at")]
    times = [value for value in alive if isinstance(value, int | float)]
    limit = float(found.get("ping_interval_s") or 0) + _PONG_S
    if times and min(now, found["written_at"]) - max(times) > limit:
        silent = now - max(times)
        return ListenerStatus("deaf", f"the connection is open, but nothing came back for {silent:.0f} s", found, now)
    trouble = found.get("trouble")
    why = f"the log cannot be written: {trouble}" if isinstance(trouble, str) else ""
    return ListenerStatus("listening", why, found, now)
