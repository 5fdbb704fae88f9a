"""The life cycle of capture sessions, told step by step to the session's connection id.

created → starting → active → stopping → stopped → exported, or failed.

- ``starting``: a recorder has offered its channels, and each has an address to publish to.
- ``active``: every channel records and can be read. If that takes longer than a time limit: ``failed``.
- A publisher that is lost does not end the session: the other channels go on, and the channel may be published again
  at the same address, in the same formats; the recording then has a hole, and its time stays true. Only when no channel
  has had a publisher for a minute does the service stop the session as if its recorder had, because what was recorded
  is worth more than a failure.
- ``stopping``: nothing more is taken in; what was said last is still recognised. ``stopped``: all recordings are
  finished. ``exported`` follows if something was stored; ``failed`` if that cannot be exported.

What the real service does when a publisher is lost is not described anywhere.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from videodb_cli.local import events
from videodb_cli.local.answers import ServiceError

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from videodb_cli.local.intake import Intake
    from videodb_cli.local.records import CaptureSession, Channel
    from videodb_cli.local.sockets import Hub
    from videodb_cli.local.state import ServiceState

log = logging.getLogger(__name__)

CHANNELS_TIMEOUT_S = 60.0


class SessionKeeper:
    """Moves sessions through their states and sends ``capture_session.<status>`` for each step."""

    def __init__(
        self, state: ServiceState, hub: Hub, intake: Intake, *, channels_timeout_s: float = CHANNELS_TIMEOUT_S
    ) -> None:
        self._state = state
        self._hub = hub
        self._intake = intake
        self._channels_timeout_s = channels_timeout_s
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many sessions a recorder is at work for."""
        return sum(session.status in {"starting", "active", "stopping"} for session in self._state.sessions.values())

    def created(self, session: CaptureSession) -> None:
        """Tell that a new session exists."""
        self._tell(session)

    def begin(self, session: CaptureSession, channels: Sequence[Channel]) -> None:
        """``starting``: expect the media of ``channels``, and fail if they do not all come in time."""
        self._state.begin_session(session, channels)
        self._intake.open(session, self)
        self._tell(session)
        loop = asyncio.get_running_loop()
        self._timers[session.id] = loop.call_later(self._channels_timeout_s, self._channels_missing, session)

    def rtsp_urls(self, session: CaptureSession, host: str) -> dict[str, str]:
        """Where to publish each channel id, for somebody who reaches this machine as ``host``."""
        return self._intake.urls(session, host)

    def fail(self, session: CaptureSession, code: str, message: str) -> None:
        """``failed``, unless the session is over already. What was taken in is finished behind it."""
        if session.status in {"stopped", "exported", "failed"}:
            return
        self._forget_timer(session)
        session.error = {"code": code, "message": message}
        self._move(session, "failed")
        self._spawn(self._intake.close(session))

    def stop(self, session: CaptureSession) -> None:
        """``stopping``; ``stopped`` and the rest follow by themselves. A session that has ended is left as it is."""
        if session.status in {"stopping", "stopped", "exported", "failed"}:
            return
        self._forget_timer(session)
        self._move(session, "stopping")
        self._spawn(self._finish(session))

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

    async def close(self) -> None:
        """End what is under way, at the end of the service."""
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What the intake tells

    def on_recording(self, session: CaptureSession) -> None:
        """Every channel records: ``active``."""
        if session.status == "starting":
            self._forget_timer(session)
            self._move(session, "active")

    def on_refused(self, session: CaptureSession, channel: Channel, reason: str) -> None:
        """A channel cannot be read. Before ``active`` the session fails; later the other channels go on."""
        log.warning("channel %s of %s: %s", channel.channel_id, session.id, reason)
        if session.status == "starting":
            self.fail(session, "CHANNEL_UNREADABLE", f"{channel.channel_id} cannot be read: {reason}")

    def on_abandoned(self, session: CaptureSession) -> None:
        """Nobody publishes any more."""
        log.warning("session %s has lost its recorder and is stopped", session.id)
        self.stop(session)

    async def _finish(self, session: CaptureSession) -> None:
        await self._intake.close(session)
        self._move(session, "stopped")

    def _channels_missing(self, session: CaptureSession) -> None:
        if session.status == "starting":
            names = ", ".join(self._intake.missing(session))
            message = f"No media came on {names} within {self._channels_timeout_s:g} s"
            self.fail(session, "CHANNELS_NOT_CONNECTED", message)

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

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a session could not be ended in order", exc_info=error)
