"""The truth about a listener: what its state file says, checked against its lock and its heartbeat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from videodb_cli.flows.listening import running_listener
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale

HEARTBEAT_S = 5.0
# A state file is believed for three heartbeats.
_STALE_AFTER_S = 3 * HEARTBEAT_S


@dataclass(frozen=True, slots=True)
class ListenerStatus:
    """``state`` is ``listening``, ``connecting``, ``deaf``, ``died`` or ``stopped``; ``why`` says so in words.

    Times in ``fields`` are Unix seconds.
    """

    state: str
    why: str
    fields: dict[str, Any]

    @property
    def pid(self) -> int | None:
        return self.fields.get("pid")

    @property
    def connection_id(self) -> str | None:
        return self.fields.get("connection_id") if self.state in {"listening", "deaf"} else None

    def age(self, name: str, now: float) -> float | None:
        """Return how many seconds ago the time of this name was, or None if it was never."""
        value = self.fields.get(name)
        return max(0.0, now - value) if isinstance(value, int | float) else None


def listener_status(run_dir: RunDir | None, now: float | None = None) -> ListenerStatus:
    """Look at a directory, and remove what a crash has left in it: ``died`` is told once, then it is ``stopped``.

    Raises RefusedError for a state file of a newer version.
    """
    now = time.time() if now is None else now
    dead_pid = remove_stale(run_dir) if run_dir is not None else None
    if dead_pid is not None:
        return ListenerStatus("died", f"the listener (pid {dead_pid}) ended without a word: a crash, or kill -9", {})
    found = running_listener(run_dir) if run_dir is not None else None
    if found is None:
        return ListenerStatus("stopped", "no listener runs here", {})
    written_at = found.get("written_at")
    if not isinstance(written_at, int | float):
        return ListenerStatus("connecting", "it is starting", found)
    if now - written_at > _STALE_AFTER_S:
        return ListenerStatus("deaf", f"it has said nothing about itself for {now - written_at:.0f} s", found)
    if found.get("state") != "connected":
        reason = found.get("last_failure")
        return ListenerStatus("connecting", str(reason) if reason else "no connection stands yet", found)
    return _connected(found, now)


def _connected(found: dict[str, Any], now: float) -> ListenerStatus:
    """Deaf: open, but neither a pong nor a message for longer than a ping and its answer may take."""
    alive = [found.get(name) for name in ("connected_since", "last_message_at", "last_pong_at")]
    times = [value for value in alive if isinstance(value, int | float)]
    limit = float(found.get("ping_interval_s") or 0) + float(found.get("ping_timeout_s") or 0) + HEARTBEAT_S
    silent = now - max(times) if times else 0.0
    if silent > limit:
        return ListenerStatus("deaf", f"the connection is open, but nothing came back for {silent:.0f} s", found)
    return ListenerStatus("listening", "", found)
