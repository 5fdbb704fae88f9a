"""The truth about a capture: its state file, checked against its lock and its heartbeat."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Final

from videodb_cli.capture import running
from videodb_cli.process.clock import present
from videodb_cli.quantities import ago
from videodb_cli.rundir import capture_state
from videodb_cli.rundir.capture_state import CaptureState, ChannelState
from videodb_cli.rundir.paths import RunDir

# The state file is written every two seconds.
_SILENT_AFTER_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """``why`` is set when the process runs and does not keep its state up to date.

    ``state`` is None while a capture starts that has written none; ``now`` is the present by the clock by which its
    times were written.
    """

    running: bool
    state: CaptureState | None
    now: float
    why: str | None = None

    @property
    def status(self) -> str:
        """Where the capture stands."""
        return "starting" if self.state is None else self.state.status

    def for_users(self) -> dict[str, Any]:
        """Return the members that answers of commands show; of each channel also how it does at this moment."""
        if self.state is None:
            return {"status": self.status}
        fields = self.state.for_users()
        for channel, members in zip(self.state.channels, fields["channels"], strict=True):
            age_s = self.media_age_s(channel)
            members["last_media_age_s"] = None if age_s is None else round(age_s, 3)
            members["stalled"] = self.is_stalled(channel)
        return fields

    def media_age_s(self, channel: ChannelState) -> float | None:
        """Return the seconds since its last frame or sound; None if nobody knows, or the capture is over."""
        if not self.running or channel.last_media_at is None:
            return None
        return max(0.0, self.now - channel.last_media_at)

    def is_stalled(self, channel: ChannelState) -> bool:
        """Tell whether a channel of the running capture brings nothing although it should."""
        return self.running and self.state is not None and channel in self.state.stalled(self.now)

    def channel_words(self, channel: ChannelState) -> list[str]:
        """Return how a channel does: its state, and when its last frame or sound came."""
        words = ["stalled" if self.is_stalled(channel) else channel.state]
        if channel.paused:
            words.append("paused")
        age_s = self.media_age_s(channel)
        if age_s is not None:
            words.append(f"last {channel.media_word} {ago(age_s)}")
        elif self.running and channel.state == "flowing":
            words.append(f"the recorder does not say when the last {channel.media_word} came")
        return words


def capture_status(run_dir: RunDir, now: float | None = None) -> CaptureStatus | None:
    """Look at the capture of a directory; None if there never was one. One that died counts as failed."""
    is_running = running.is_running(run_dir)
    found = capture_state.read(run_dir) if is_running else running.mark_crashed(run_dir)
    if found is None:
        return CaptureStatus(True, None, time.time()) if is_running else None
    now = present(found.to_fields()) if now is None else now
    silent_s = now - found.written_at if is_running and found.written_at is not None else 0.0
    why = f"its process has said nothing for {silent_s:.0f} s" if silent_s > _SILENT_AFTER_S else None
    return CaptureStatus(is_running, found, now, why)
