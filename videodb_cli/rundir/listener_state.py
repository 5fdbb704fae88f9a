"""The state of a running listener: what `videodb_listener.json` says, for its writer and every reader."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from videodb_cli.rundir import lock, state
from videodb_cli.rundir.lenient import read_fields
from videodb_cli.rundir.paths import RunDir


class ListenerState(msgspec.Struct, frozen=True, kw_only=True):
    """One state file. Times are Unix seconds by the wall clock of when it was written; None: never, or not known.

    Attributes:
        pid: The process of the listener; with ``start_token``, no other process can be taken for it.
        state: ``connected`` or ``connecting``.
        boot_id: With ``uptime_s``, from which a reader counts how old the file is although the clock was set.
        host: The service that it listens to.
        events: How many live events it has logged.
        doubles: Messages that the log held already.
        dead_pipelines: Pipelines that still send their events to a closed connection: polled.
        pending_bytes: What waits in memory because the log cannot be written.
        trouble: Why the log cannot be written, in the system's words.
        output_dropped: Lines that were logged and not printed.
        redacted: How many things of each kind were replaced before they were logged.
        retry_at: When the next attempt begins; ``last_failure`` says why the last one failed.
    """

    pid: int | None = None
    start_token: str | None = None
    state: str | None = None
    written_at: float | None = None
    boot_id: str | None = None
    uptime_s: float | None = None
    started_at: float | None = None
    host: str | None = None
    connection_id: str | None = None
    connected_since: float | None = None
    last_message_at: float | None = None
    last_pong_at: float | None = None
    last_bytes_at: float | None = None
    ping_interval_s: float | None = None
    ping_timeout_s: float | None = None
    events: int = 0
    unparsable: int = 0
    recovered: int = 0
    doubles: int = 0
    reconnects: int = 0
    gaps: int = 0
    gap_s: float = 0.0
    events_per_s: float = 0.0
    dead_pipelines: list[dict[str, Any]] = []
    log_bytes: int = 0
    pending_bytes: int = 0
    log_writable: bool | None = None
    trouble: str | None = None
    output_dropped: int = 0
    redacted: dict[str, int] = {}
    retry_at: float | None = None
    last_failure: str | None = None

    def to_fields(self) -> dict[str, Any]:
        """Return the members of the file, in their order."""
        return msgspec.structs.asdict(self)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> ListenerState:
        """Read the members of a file of any version. Never raises.

        A member that is missing, or of another type than ours, has its default; one that we do not know is ignored.
        """
        return read_fields(fields, cls)


def write(run_dir: RunDir, listener: ListenerState) -> None:
    """Replace the state file. Raises RefusedError or OSError.

    The file keeps room, so that `write_over` works on a full disk.
    """
    state.write(run_dir.listener_state, listener.to_fields(), room=state.ROOM)


def write_over(run_dir: RunDir, listener: ListenerState) -> None:
    """Write over the state file in its place, on a disk without room for a new one. Raises RefusedError or OSError."""
    try:
        state.rewrite(run_dir.listener_state, listener.to_fields())
    except OSError:
        # The one thing in it that grows.
        state.rewrite(run_dir.listener_state, msgspec.structs.replace(listener, dead_pipelines=[]).to_fields())


def running_listener(run_dir: RunDir) -> ListenerState | None:
    """Return the state of the listener that runs in this directory (at least its ``pid``), or None.

    Raises RefusedError for a state file of a newer version.
    """
    if not lock.is_held(run_dir.lock):
        return None
    found = ListenerState.from_fields(state.read(run_dir.listener_state) or {})
    holder = lock.holder(run_dir.lock)
    if holder is None:
        return found
    if (found.pid, found.start_token) != holder:
        # Left behind by one that crashed: the holder of the lock has not written its own yet.
        found = ListenerState()
    return msgspec.structs.replace(found, pid=holder[0], start_token=holder[1])
