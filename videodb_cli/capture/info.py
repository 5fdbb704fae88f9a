"""The state file of a capture, `videodb_capture_info.json`: who writes it, who believes it, and what a crash leaves.

A capture runs as long as its process holds `videodb_capture.lock`. The file stays when it is over, for `stop`, for
`status` and for ``--session last``.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.pipelines import Pipeline, stream_of
from videodb_cli.capture.recorders.base import Health
from videodb_cli.capture.session import SessionState
from videodb_cli.errors import VideodbError
from videodb_cli.model import lifecycle
from videodb_cli.process.clock import Clock, uptime_s
from videodb_cli.process.start_token import current_start_token, is_same_process
from videodb_cli.rundir import lock, private, state
from videodb_cli.rundir.paths import RunDir

_DIED: Final = "capture_died"
_AT_WORK: Final = frozenset({"starting", "flowing", "interrupted"})


def lock_path(run_dir: RunDir) -> Path:
    """Return the path of the capture's lock; held means that a capture runs."""
    return run_dir.path / "videodb_capture.lock"


def start_lock_path(run_dir: RunDir) -> Path:
    """Return the path of the lock of `capture start`; held means that somebody starts a capture."""
    return run_dir.path / ".videodb_capture_start.lock"


@dataclass(slots=True)
class CaptureInfo:
    """What is known of the capture of a directory. Times are uptime seconds (`process.clock`)."""

    session_id: str
    collection_id: str
    ws_connection_id: str | None
    recorder: str
    channels: tuple[Channel, ...]
    listener_started: bool = False
    listener_pid: int | None = None
    started_at: float = field(default_factory=uptime_s)
    clock: Clock = field(default_factory=Clock)
    streaming_id: str | None = None
    status: str = "created"
    error: tuple[str, str] | None = None
    pipelines: list[Pipeline] = field(default_factory=list)
    service_trouble: str | None = None
    control: dict[str, Any] | None = None
    left_at_service: str | None = None
    outcome_due: bool = False

    def as_json(self, session: SessionState, health: Mapping[str, Health]) -> dict[str, Any]:
        """Return the shape of the state file, without ``v``. Its times are Unix seconds."""
        self.clock.look()
        return {
            "pid": os.getpid(),
            "start_token": current_start_token(),
            "session_id": self.session_id,
            "collection_id": self.collection_id,
            "status": self.status,
            "started_at": round(self.clock.unix(self.started_at), 3),
            "ws_connection_id": self.ws_connection_id,
            "channels": [
                {
                    "channel_id": channel.id,
                    "type": channel.type,
                    "rtstream_id": stream_of(channel, session.streams, self.channels),
                    "name": channel.name,
                    "store": channel.store,
                    "is_primary": channel.primary,
                    **(health[channel.id] if channel.id in health else Health()).as_json(self.clock),
                }
                for channel in self.channels
            ],
            "pipelines": [pipeline.as_json() for pipeline in self.pipelines],
            "streaming_session_id": self.streaming_id,
            "recorder": self.recorder,
            "listener_started": self.listener_started,
            "listener_pid": self.listener_pid,
            "error": None if self.error is None else {"code": self.error[0], "message": self.error[1]},
            "session_status": session.status,
            "service_trouble": self.service_trouble,
            "exported_video_id": session.export.video_id,
            "stream_url": session.export.stream_url,
            "player_url": session.export.player_url,
            "left_at_service": self.left_at_service,
            "outcome_due": self.outcome_due,
            "control": self.control,
            "written_at": round(self.clock.unix(), 3),
            **self.clock.marks(),
        }


def read(run_dir: RunDir) -> dict[str, Any] | None:
    """Return the state of the latest capture of a directory, or None. Raises RefusedError as `state.read` does."""
    fields = state.read(run_dir.capture_info)
    return fields if fields is not None and isinstance(fields.get("session_id"), str) else None


def is_running(run_dir: RunDir) -> bool:
    """Tell whether a capture runs in this directory."""
    return lock.is_held(lock_path(run_dir))


def runner(run_dir: RunDir) -> tuple[int, str] | None:
    """Return pid and start token of the capture that runs here; None if none does, or it cannot be named."""
    if not is_running(run_dir):
        return None
    found = lock.holder(lock_path(run_dir))
    return found if found is not None and is_same_process(*found) else None


def write(run_dir: RunDir, fields: Mapping[str, Any]) -> None:
    """Replace the state file, or write over it if the disk has no room for another. Raises RefusedError or OSError."""
    try:
        state.write(run_dir.capture_info, fields, room=state.ROOM)
    except OSError:
        state.rewrite(run_dir.capture_info, fields)


def mark_crashed(run_dir: RunDir) -> dict[str, Any] | None:
    """Return the state, corrected if its process died without a word: then it says ``failed``, and the pid file goes.

    Its publishers have died with it (see `process.child`); one that did not is killed here.
    """
    fields = read(run_dir)
    if fields is None or is_running(run_dir):
        return fields
    # A capture that ended in order has removed its pid file. One that says it runs, and holds no lock, has crashed.
    if fields.get("status") not in lifecycle.RUNNING and not run_dir.capture_pid.exists():
        return fields
    keeper = lock.DirectoryLock(lock_path(run_dir))
    try:
        keeper.acquire(patience_s=0)
    except lock.LockHeldError:
        return read(run_dir)  # it begins just now
    try:
        fields = read(run_dir) or {}
        if fields.get("status") in lifecycle.RUNNING or fields.get("status") == "stopped":
            message = f"the background process (pid {fields.get('pid')}) died"
            fields |= {"status": "failed", "error": {"code": _DIED, "message": message}}
            _end_leftovers(fields)
            for channel in fields.get("channels") or []:
                if isinstance(channel, dict) and channel.get("state") in _AT_WORK:
                    channel["state"] = "stopped"
            write(run_dir, {name: value for name, value in fields.items() if name != "v"})
        private.remove(run_dir.capture_pid)
    finally:
        keeper.release()
    return fields


def has_died(fields: Mapping[str, Any]) -> bool:
    """Tell whether a state is of a capture whose process died and whose session nobody has ended since."""
    error = fields.get("error")
    return fields.get("status") == "failed" and isinstance(error, dict) and error.get("code") == _DIED


def left_at_service(fields: Mapping[str, Any]) -> str | None:
    """Return what a capture that failed, and lived to say so, has left for `stop` to see to: ``session`` (it is perhaps
    not ended), ``export`` (nor has anybody waited for what was recorded), or None.
    """
    left = fields.get("left_at_service")
    return left if fields.get("status") == "failed" and left in {"session", "export"} else None


def is_outcome_due(fields: Mapping[str, Any]) -> bool:
    """Tell whether a capture was told to stop, and nobody has been told since what came of it."""
    return fields.get("outcome_due") is True


def outcome_told(run_dir: RunDir, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Note that somebody was told, so that nobody else takes this outcome for his own. Returns the new state."""
    if not is_outcome_due(fields):
        return dict(fields)
    told = {**fields, "outcome_due": False}
    with contextlib.suppress(VideodbError, OSError):
        write(run_dir, {name: value for name, value in told.items() if name != "v"})
    return told


def _end_leftovers(fields: Mapping[str, Any]) -> None:
    """Kill the publishers in a state whose process is gone: nobody would ever stop what they capture."""
    channels = fields.get("channels")
    for channel in channels if isinstance(channels, list) else []:
        if isinstance(channel, dict):
            pid, token = channel.get("pid"), channel.get("start_token")
            if isinstance(pid, int) and isinstance(token, str) and is_same_process(pid, token):
                with contextlib.suppress(OSError):
                    os.kill(pid, getattr(signal, "SIGKILL", signal.SIGTERM))
