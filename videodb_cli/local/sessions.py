"""The life cycle of capture sessions, told step by step to the session's connection id.

No recorder's media can be taken in yet: `SessionIngest` is the place where it will be. Until then a session that is
started waits for its channels in vain and fails after a time limit, as one whose recorder never came.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Protocol

from videodb_cli.local import events
from videodb_cli.local.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from videodb_cli.local.records import CaptureSession, Channel
    from videodb_cli.local.sockets import Hub
    from videodb_cli.local.state import ServiceState

CHANNELS_TIMEOUT_S = 60.0


class SessionIngest(Protocol):
    """Takes the media of a session's channels in."""

    async def open(self, session: CaptureSession) -> Mapping[str, str]:
        """Expect the channels; return the RTSP address of each channel id."""
        ...

    async def close(self, session: CaptureSession) -> None:
        """Finish every recording of the session."""
        ...


class SessionKeeper:
    """Moves sessions through their states and sends ``capture_session.<status>`` for each step."""

    def __init__(
        self,
        state: ServiceState,
        hub: Hub,
        *,
        ingest: SessionIngest | None = None,
        channels_timeout_s: float = CHANNELS_TIMEOUT_S,
    ) -> None:
        self._state = state
        self._hub = hub
        self._ingest = ingest
        self._channels_timeout_s = channels_timeout_s
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self.rtsp_urls: dict[str, Mapping[str, str]] = {}

    @property
    def running(self) -> int:
        """How many sessions a recorder is at work for."""
        return sum(session.status in {"starting", "active", "stopping"} for session in self._state.sessions.values())

    def created(self, session: CaptureSession) -> None:
        """Tell that a new session exists."""
        self._tell(session)

    async def begin(self, session: CaptureSession, channels: Sequence[Channel]) -> None:
        """``starting``: expect the media of ``channels``, and fail if they do not all come in time."""
        self._state.begin_session(session, channels)
        self._tell(session)
        if self._ingest is not None:
            self.rtsp_urls[session.id] = await self._ingest.open(session)
        loop = asyncio.get_running_loop()
        self._timers[session.id] = loop.call_later(self._channels_timeout_s, self._channels_missing, session)

    def fail(self, session: CaptureSession, code: str, message: str) -> None:
        """``failed``, unless the session is over already."""
        if session.status in {"stopped", "exported", "failed"}:
            return
        self._forget_timer(session)
        session.error = {"code": code, "message": message}
        self._move(session, "failed")

    async def stop(self, session: CaptureSession) -> None:
        """``stopping``, then ``stopped``. A session that has ended, however it did, is left as it is."""
        if session.status in {"stopping", "stopped", "exported", "failed"}:
            return
        self._forget_timer(session)
        self._move(session, "stopping")
        if self._ingest is not None:
            await self._ingest.close(session)
        self._move(session, "stopped")

    def export(self, session: CaptureSession) -> dict[str, object]:
        """The export of what was stored. Raises `ServiceError` 400 if nothing was."""
        if session.exported_video_id is None:
            raise ServiceError(400, f"No recordings available for capture session {session.id}", "NO_RECORDINGS")
        return {
            "session_id": session.id,
            "video_channel_id": session.primary_video_channel_id,
            "export_status": session.export_status,
            "video_id": session.exported_video_id,
            "stream_url": session.stream_url,
            "player_url": session.player_url,
        }

    def close(self) -> None:
        """Forget all timers, at the end of the service."""
        for timer in self._timers.values():
            timer.cancel()

    def _channels_missing(self, session: CaptureSession) -> None:
        if session.status == "starting":
            names = ", ".join(channel.channel_id for channel in session.channels)
            self.fail(
                session,
                "CHANNELS_NOT_CONNECTED",
                f"No media came on {names} within {self._channels_timeout_s:g} s",
            )

    def _move(self, session: CaptureSession, status: str) -> None:
        self._state.move_session(session, status)
        self._tell(session)

    def _tell(self, session: CaptureSession) -> None:
        data = events.session_data(session, self._state.streams)
        self._hub.send(session.ws_connection_id, events.lifecycle(session.id, session.status, data))

    def _forget_timer(self, session: CaptureSession) -> None:
        timer = self._timers.pop(session.id, None)
        if timer is not None:
            timer.cancel()
