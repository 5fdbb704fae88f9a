"""The life cycle of capture sessions, told step by step to the session's connection id and its callback URL.

created → starting → active → stopping → stopped → exported, or failed.

- ``starting``: a recorder has offered its channels, and each has an address to publish to.
- ``active``: every channel records and can be read. If that takes longer than a time limit: ``failed``.
- A publisher that is lost does not end the session: the other channels go on, and the channel may be published again
  at the same address, in the same formats; the recording then has a hole, and its time stays true. One that comes back
  in another format is refused (403, with the reason), because a recording cannot change it. Only when no channel
  has had a publisher for a minute does the service stop the session as if its recorder had, because what was recorded
  is worth more than a failure.
- If what is published cannot be recorded any more on any channel (a full disk): ``failed``.
- ``stopping``: nothing more is taken in; what was said last is still recognised. ``stopped``: all recordings are
  finished. ``exported`` follows if something was stored; ``failed`` if that cannot be exported.

What the real service does when a publisher is lost is not described anywhere.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from videodb_cli.local import events
from videodb_cli.local.http.answers import ServiceError
from videodb_cli.local.media.session_export import no_session_recordings

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence

    from videodb_cli.local.media.intake import MediaIntake
    from videodb_cli.local.media.session_export import SessionExporter
    from videodb_cli.local.sockets import Hub
    from videodb_cli.local.state.records import CaptureSessionRecord, SessionChannel, SessionExport
    from videodb_cli.local.state.service_state import ServiceState
    from videodb_cli.local.webhooks import Webhooks

log = logging.getLogger(__name__)

CHANNELS_TIMEOUT_S = 60.0


class SessionKeeper:
    """Moves sessions through their states and sends ``capture_session.<status>`` for each step."""

    def __init__(
        self,
        state: ServiceState,
        hub: Hub,
        webhooks: Webhooks,
        intake: MediaIntake,
        exporter: SessionExporter,
        *,
        channels_timeout_s: float = CHANNELS_TIMEOUT_S,
    ) -> None:
        self._state = state
        self._hub = hub
        self._webhooks = webhooks
        self._intake = intake
        self._exporter = exporter
        self._channels_timeout_s = channels_timeout_s
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def running(self) -> int:
        """How many sessions a recorder is at work for."""
        return sum(session.status in {"starting", "active", "stopping"} for session in self._state.sessions.values())

    def created(self, session: CaptureSessionRecord) -> None:
        """Tell that a new session exists."""
        self._tell(session)

    def begin(self, session: CaptureSessionRecord, channels: Sequence[SessionChannel]) -> None:
        """``starting``: expect the media of ``channels``, and fail if they do not all come in time."""
        self._state.begin_session(session, channels)
        self._intake.open(session, self)
        self._tell(session)
        loop = asyncio.get_running_loop()
        self._timers[session.id] = loop.call_later(self._channels_timeout_s, self._channels_missing, session)

    def rtsp_urls(self, session: CaptureSessionRecord, host: str) -> dict[str, str]:
        """Where to publish each channel id, for somebody who reaches this machine as ``host``."""
        return self._intake.urls(session, host)

    def fail(self, session: CaptureSessionRecord, code: str, message: str) -> None:
        """``failed``, unless the session is over already. What was taken in is finished behind it."""
        if session.status in {"stopped", "exported", "failed"}:
            return
        self._forget_timer(session)
        session.error = {"code": code, "message": message}
        self._move(session, "failed")
        self._spawn(self._intake.close(session))

    def stop(self, session: CaptureSessionRecord) -> None:
        """``stopping``; ``stopped`` and the rest follow by themselves. A session that has ended is left as it is."""
        if session.status in {"stopping", "stopped", "exported", "failed"}:
            return
        self._forget_timer(session)
        self._move(session, "stopping")
        self._spawn(self._finish(session))

    def export(
        self, session: CaptureSessionRecord, video_channel_id: str | None, connection_id: str | None
    ) -> dict[str, object]:
        """How far an export is; the first call for a picture that was not exported begins it.

        Called again and again, it goes from ``exporting`` to ``exported`` or ``failed``; ``connection_id`` is told too.
        Raises `ServiceError` 400 before the session has ended, and if nothing was stored.
        """
        if session.status in {"created", "starting", "active"}:
            raise ServiceError(
                400, f"Capture session {session.id} is {session.status}: stop it before the export", "INVALID_STATE"
            )
        channel_id = self._exporter.channel_of(session, video_channel_id)
        if not self._exporter.is_possible(session, channel_id):
            raise no_session_recordings(session)
        export = session.exports.get(channel_id)
        if export is None:
            export = self._exporter.begin(session, channel_id)
            if session.status != "stopping":  # else it follows when the recordings are finished
                self._spawn(self._export_again(session, channel_id))
        if connection_id is not None and export.status == "exporting":
            export.connection_ids.add(connection_id)
        shape: dict[str, object] = {
            "session_id": session.id,
            "video_channel_id": channel_id,
            "export_status": export.status,
        }
        if export.status == "exported":
            shape |= {"video_id": export.video_id, "stream_url": export.stream_url, "player_url": export.player_url}
        elif export.error is not None:
            shape["error"] = export.error
        return shape

    async def close(self) -> None:
        """End what is under way, at the end of the service."""
        self._exporter.close()
        for timer in self._timers.values():
            timer.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # What the intake tells

    def on_recording(self, session: CaptureSessionRecord) -> None:
        """Every channel records: ``active``."""
        if session.status == "starting":
            self._forget_timer(session)
            self._move(session, "active")

    def on_refused(self, session: CaptureSessionRecord, channel: SessionChannel, reason: str) -> None:
        """A channel cannot be read. Before ``active`` the session fails; later the other channels go on."""
        log.warning("channel %s of %s: %s", channel.channel_id, session.id, reason)
        if session.status == "starting":
            self.fail(session, "CHANNEL_UNREADABLE", f"{channel.channel_id} cannot be read: {reason}")

    def on_broken(self, session: CaptureSessionRecord, reason: str) -> None:
        """Nothing can be recorded any more: ``failed``. What was recorded before can be exported by the call."""
        if session.status in {"starting", "active"}:
            self.fail(session, "INGEST_FAILED", reason)

    def on_abandoned(self, session: CaptureSessionRecord) -> None:
        """Nobody publishes any more."""
        log.warning("session %s has lost its recorder and is stopped", session.id)
        self.stop(session)

    async def _finish(self, session: CaptureSessionRecord) -> None:
        await self._intake.close(session)
        channel_id = self._exporter.channel_of(session, None)
        is_stored = self._exporter.is_possible(session, channel_id)
        if is_stored:
            if channel_id not in session.exports:
                self._exporter.begin(session, channel_id)
            session.export_status = "exporting"
        self._move(session, "stopped")
        for other in [other for other in session.exports if other != channel_id]:
            self._spawn(self._export_again(session, other))
        if is_stored:
            await self._intake.add_raw_assets(session)
            await self._export(session, channel_id)

    async def _export(self, session: CaptureSessionRecord, channel_id: str | None) -> None:
        """The export that every session with something stored gets by itself."""
        export = await self._exporter.run(session, channel_id)
        session.export_status = export.status
        if export.status == "exported":
            session.exported_video_id = export.video_id
            session.stream_url, session.player_url = export.stream_url, export.player_url
            self._move(session, "exported")
        else:
            session.error = {"code": "EXPORT_FAILED", "message": export.error or "the export failed"}
            self._move(session, "failed")
        self._tell_export(session, export)

    async def _export_again(self, session: CaptureSessionRecord, channel_id: str | None) -> None:
        self._tell_export(session, await self._exporter.run(session, channel_id))

    def _tell_export(self, session: CaptureSessionRecord, export: SessionExport) -> None:
        for connection_id in export.connection_ids - {session.ws_connection_id}:
            if export.status == "exported":
                data = {
                    "exported_video_id": export.video_id,
                    "stream_url": export.stream_url,
                    "player_url": export.player_url,
                }
                self._hub.send(connection_id, events.lifecycle(session.id, "exported", data))

    def _channels_missing(self, session: CaptureSessionRecord) -> None:
        if session.status == "starting":
            names = ", ".join(self._intake.missing(session))
            message = f"No media came on {names} within {self._channels_timeout_s:g} s"
            self.fail(session, "CHANNELS_NOT_CONNECTED", message)

    def _move(self, session: CaptureSessionRecord, status: str) -> None:
        self._state.move_session(session, status)
        self._tell(session)

    def _tell(self, session: CaptureSessionRecord) -> None:
        data = events.session_data(session, self._state.streams)
        event = events.lifecycle(session.id, session.status, data)
        self._hub.send(session.ws_connection_id, event)
        now = self._state.clock()
        name = f"capture_session.{session.status}"
        self._webhooks.send(session.callback_url, events.webhook(name, session, session.status, data, now))

    def _forget_timer(self, session: CaptureSessionRecord) -> None:
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
