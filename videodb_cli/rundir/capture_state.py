"""The state file of a capture, `videodb_capture_info.json`: one type for its writer and for every reader.

The file stays when the capture is over, for `capture stop`, for `status` and for ``--session last``. Readers are
lenient, because another version may have written it: what is missing or of the wrong type has its default, and what is
unknown is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from videodb_cli.model import lifecycle
from videodb_cli.rundir import state
from videodb_cli.rundir.lenient import read_fields
from videodb_cli.rundir.paths import RunDir

DIED: Final = "capture_died"
# A channel that is not paused and brings nothing for so long is stalled.
STALLED_AFTER_S: Final = 15.0
# The members of a channel that are moments.
CHANNEL_TIMES: Final = ("last_progress_at", "last_media_at", "media_since", "paused_until")
# The states of a channel from which media are to come while the capture is active.
_AWAITED: Final = frozenset(("flowing", "interrupted", "failed"))
# What is of use to this tool only.
_HIDDEN: Final = frozenset(
    (
        *("pid", "start_token", "control", "written_at", "boot_id", "uptime_s"),
        *("listener_started", "listener_pid", "left_at_service", "outcome_due"),
    )
)


class ReportedError(msgspec.Struct):
    """Why something failed: a code for programs, a sentence for people."""

    code: str = "failed"
    message: str = "the capture failed"


class ChannelState(msgspec.Struct):
    """One channel and how it does. Times: Unix seconds in the file, uptime seconds in the process that captures.

    Attributes:
        state: ``starting``, ``flowing``, ``interrupted``, ``finished``, ``failed`` or ``stopped``.
        last_progress_at: When its recorder or publisher last told of anything.
        last_media_at: When its last frame or sound arrived there; None if none did, or the recorder does not tell.
        media_since: Since when media have come without a stall.
        paused_until: When the last pause ended.
        stall_after_s: It is stalled when it brings nothing for so long; None if nobody can tell.
        pid: The publisher's process, with its ``start_token``.
    """

    channel_id: str = "unknown"
    type: str = "unknown"
    rtstream_id: str | None = None
    name: str | None = None
    store: bool = False
    is_primary: bool = False
    state: str = "starting"
    bytes: int | None = None
    frames: int | None = None
    drops: int | None = None
    media_s: float | None = None
    last_progress_at: float | None = None
    last_media_at: float | None = None
    media_since: float | None = None
    paused_until: float | None = None
    stall_after_s: float | None = STALLED_AFTER_S
    restarts: int = 0
    paused: bool = False
    reason: str | None = None
    pid: int | None = None
    start_token: str | None = None

    @property
    def media_word(self) -> str:
        """What it brings: ``frame`` or ``sound``."""
        return "frame" if self.type in {"display", "camera", "video"} else "sound"

    @property
    def awaited_since(self) -> float | None:
        """Since when the next media are awaited: since the last ones, or since the end of a pause."""
        return None if self.last_media_at is None else max(self.last_media_at, self.paused_until or 0.0)

    def is_stalled(self, now: float) -> bool:
        """Tell whether it brings nothing although it should. ``now`` is by the clock of its times."""
        since = self.awaited_since
        if self.paused or self.state not in _AWAITED or since is None or self.stall_after_s is None:
            return False
        return now - since >= self.stall_after_s

    def note_media(self, now: float) -> None:
        """Media have arrived."""
        since = self.awaited_since
        if self.media_since is None or since is None or now - since >= (self.stall_after_s or STALLED_AFTER_S):
            self.media_since = now
        self.last_media_at = self.last_progress_at = now

    def note_paused(self, paused: bool, now: float) -> None:
        """It is paused, or not any more: what did not come meanwhile is no stall."""
        if self.paused and not paused:
            self.paused_until = now
        self.paused = paused


class PipelineState(msgspec.Struct):
    """One thing that was started on a stream: ``transcript``, ``audio_index``, ``visual_index`` or ``alert``."""

    kind: str = "unknown"
    rtstream_id: str | None = None
    rtstream_index_id: str | None = None
    alert_id: str | None = None
    ws_connection_id: str | None = None
    label: str | None = None


class ControlAnswer(msgspec.Struct):
    """What came of a request to pause or resume channels; ``error`` None means that it was done."""

    id: str | None = None
    error: ReportedError | None = None


# One bad member of these leaves the others of the same object.
_PARTS: Final[Mapping[str, type[msgspec.Struct]]] = {
    "channels": ChannelState,
    "pipelines": PipelineState,
    "error": ReportedError,
    "control": ControlAnswer,
}


class CaptureState(msgspec.Struct):
    """The latest capture of a directory. Times are Unix seconds.

    Attributes:
        status: Where the capture stands: a word of `model.lifecycle`.
        session_status: Where the session stands at the service: such a word too.
        streaming_session_id: The name under which the service takes the media in, once that is known.
        listener_started: Whether the listener ``listener_pid`` was started for this capture, and ends with it.
        left_at_service: What a capture that failed has left for `capture stop`; read it by `unsettled`.
        outcome_due: Whether somebody told the capture to stop, and nobody was told since what came of it.
    """

    session_id: str
    pid: int | None = None
    start_token: str | None = None
    collection_id: str | None = None
    status: str = "unknown"
    started_at: float | None = None
    ws_connection_id: str | None = None
    channels: list[ChannelState] = []
    pipelines: list[PipelineState] = []
    streaming_session_id: str | None = None
    recorder: str = "unknown"
    listener_started: bool = False
    listener_pid: int | None = None
    error: ReportedError | None = None
    session_status: str | None = None
    service_trouble: str | None = None
    exported_video_id: str | None = None
    stream_url: str | None = None
    player_url: str | None = None
    left_at_service: str | None = None
    outcome_due: bool = False
    control: ControlAnswer | None = None
    written_at: float | None = None
    boot_id: str | None = None
    uptime_s: float | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the capture failed, by itself or because its process died."""
        return self.status == lifecycle.FAILED

    @property
    def has_died(self) -> bool:
        """Whether its process died, and nobody has ended its session since."""
        return self.has_failed and self.error is not None and self.error.code == DIED

    def failure(self, is_alive: Callable[[int, str], bool]) -> ReportedError | None:
        """Tell why the capture failed, also if its process died without a word; None if it did not fail.

        Args:
            is_alive: Whether the process with this pid and start token lives.
        """
        if self.has_failed:
            return self.error or ReportedError()
        if self.status not in lifecycle.RUNNING or self.pid is None or self.start_token is None:
            return None
        if is_alive(self.pid, self.start_token):
            return None
        return ReportedError(DIED, f"the background process of the capture (pid {self.pid}) died")

    @property
    def unsettled(self) -> str | None:
        """What a capture that failed, and lived to say so, has left for `capture stop` to see to.

        ``session``: it is perhaps not ended. ``export``: nor has anybody waited for what was recorded.
        """
        return self.left_at_service if self.has_failed and self.left_at_service in {"session", "export"} else None

    def stalled(self, now: float) -> list[ChannelState]:
        """Return the channels that bring nothing although they should. ``now`` is by the clock of its times."""
        return [channel for channel in self.channels if channel.is_stalled(now)] if self.status == "active" else []

    @property
    def is_stored(self) -> bool:
        """Whether an export is to be expected."""
        return any(channel.store for channel in self.channels)

    def to_fields(self) -> dict[str, Any]:
        """Return the members of the file, in their order."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return fields

    def for_users(self) -> dict[str, Any]:
        """Return the members that answers of commands show."""
        return {name: value for name, value in self.to_fields().items() if name not in _HIDDEN}

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> CaptureState | None:
        """Read the members of a file of any version. Never raises.

        Returns:
            The state, or None if the fields name no session: they are no capture's state.
        """
        if not isinstance(fields.get("session_id"), str):
            return None
        return read_fields(fields, cls, _PARTS)


def read(run_dir: RunDir) -> CaptureState | None:
    """Read the state of the latest capture of a directory.

    Raises:
        RefusedError: A newer version of the file, a link or a stranger's file in its place (`state.read`).
    """
    fields = state.read(run_dir.capture_info)
    return None if fields is None else CaptureState.from_fields(fields)


def write(run_dir: RunDir, new: CaptureState) -> None:
    """Replace the state file, or write over it if the disk has no room for another.

    Raises:
        RefusedError: What stands in its place is not ours.
        OSError: The disk refuses it.
    """
    fields = new.to_fields()
    try:
        state.write(run_dir.capture_info, fields, room=state.ROOM)
    except OSError:
        state.rewrite(run_dir.capture_info, fields)
