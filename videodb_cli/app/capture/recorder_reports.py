"""What the recorder of one capture has reported, channel by channel, and how a failed start is told. No I/O."""

from __future__ import annotations

from pathlib import Path

from videodb_cli.capture.recorders.base import (
    Began,
    ChannelFailed,
    Finished,
    Flowing,
    Interrupted,
    Recorder,
    RecorderFailed,
    RecorderUpdate,
)
from videodb_cli.capture.request import CaptureRequest
from videodb_cli.capture.session import SessionState
from videodb_cli.errors import RefusedError, TimedOutError, VideodbError


class RecorderReports:
    """What the recorder has told so far. ``log`` is where an error sends the user."""

    def __init__(self, request: CaptureRequest, log: Path) -> None:
        self._request = request
        self._log = log
        self._flowing: set[str] = set()
        self._finished: set[str] = set()
        self.failed: dict[str, ChannelFailed] = {}
        self.recorder_failure: RecorderFailed | None = None

    def take(self, update: RecorderUpdate) -> str:
        """Remember it. Returns it in words."""
        match update:
            case Began():
                return "the service expects the channels"
            case Flowing(channel_id):
                self._flowing.add(channel_id)
                return f"{channel_id}: media flow"
            case Interrupted(channel_id, reason):
                return f"{channel_id}: interrupted ({reason})"
            case Finished(channel_id):
                self._finished.add(channel_id)
                return f"{channel_id}: finished"
            case ChannelFailed(channel_id, _, reason):
                self.failed[channel_id] = update
                return f"{channel_id}: given up ({reason})"
            case RecorderFailed(_, reason):
                self.recorder_failure = update
                return f"the recorder failed: {reason}"

    @property
    def silent(self) -> list[str]:
        """The channels whose media have never flowed."""
        return [c.id for c in self._request.channels if c.id not in self._flowing | self._finished]

    @property
    def first_failure(self) -> ChannelFailed:
        """The channel that was given up first. One must be in ``failed``."""
        return next(iter(self.failed.values()))

    @property
    def nothing_is_left(self) -> bool:
        """Whether every channel has come to its end or is given up."""
        return all(c.id in self._finished or c.id in self.failed for c in self._request.channels)

    def partly(self, reason: str, silent: list[str] | None = None) -> RefusedError:
        """Why a start with these channels missing (those that failed, if not given) is refused."""
        names = silent if silent is not None else list(self.failed)
        good = sorted(self._flowing - set(names))
        also = f"; {', '.join(good)} would have worked" if good else ""
        return RefusedError(
            f"{', '.join(names)} did not start: {reason}{also}",
            code="partly_started" if good else "not_started",
            hint=f"see {self._log}",
        )

    def not_started(self, recorder: Recorder | None, streaming_id: str | None, session: SessionState) -> VideodbError:
        """What a start is still waiting for whose time is over."""
        limit = f"{self._request.start_timeout_s:g} s"
        if streaming_id is None and self._request.recorder != "official":
            return TimedOutError(
                f"the service did not take the session up within {limit}", code="not_begun", hint="videodb doctor"
            )
        if recorder is not None and recorder.unaddressed:
            # Not "no media": nothing here could have sent any, and devices and displays are not to blame.
            return TimedOutError(
                f"the service did not say within {limit} where to publish {', '.join(recorder.unaddressed)}",
                code="no_publish_url",
                hint="videodb doctor",
            )
        if self.silent:
            return self.partly(f"no media within {limit}", self.silent)
        if self._finished >= {channel.id for channel in self._request.channels}:
            return TimedOutError(
                f"the file is over, and the service did not call the session active within {limit}",
                code="not_active",
                hint="play it again and again: --loop",
            )
        return TimedOutError(
            f"media flow, but the service did not call the session active within {limit} (it is {session.status})",
            code="not_active",
            hint="videodb doctor",
        )
