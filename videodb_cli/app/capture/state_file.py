"""The state file as the process that captures keeps it: what it knows, what session and recorder say, and the time."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable

from msgspec import structs

from videodb_cli.capture.pipelines import stream_of
from videodb_cli.capture.recorders.base import Recorder
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.capture.session import SessionState
from videodb_cli.errors import VideodbError
from videodb_cli.process.clock import Clock
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import capture_state
from videodb_cli.rundir.capture_state import CHANNEL_TIMES, CaptureState, ChannelState
from videodb_cli.rundir.paths import RunDir

log = logging.getLogger("videodb_cli.capture")


class StateFile:
    """Writes the state of one capture. ``state`` is what its process knows by itself; its times are uptime seconds."""

    def __init__(
        self,
        run_dir: RunDir,
        request: CaptureRequest,
        opened: OpenedSession,
        session: SessionState,
        say: Callable[[str], None],
        clock: Clock | None = None,
    ) -> None:
        self._run_dir = run_dir
        self._channels = request.channels
        self._session = session
        self._say = say
        self._clock = clock or Clock()
        self._writing = asyncio.Lock()
        self._unwritable = False
        self._told: str | None = None
        self.recorder: Recorder | None = None
        self.state = CaptureState(
            opened.session_id,
            pid=os.getpid(),
            start_token=current_start_token(),
            collection_id=opened.collection_id,
            status="created",
            started_at=self._clock.uptime(),
            ws_connection_id=opened.ws_connection_id,
            channels=[channel.new_state() for channel in request.channels],
            recorder=request.recorder,
            listener_started=opened.listener_started,
            listener_pid=opened.listener_pid,
        )

    def snapshot(self) -> CaptureState:
        """Return the state as it is written: with what session and recorder say now, and its times in Unix seconds."""
        self._clock.look()
        export = self._session.export
        return structs.replace(
            self.state,
            started_at=self._unix(self.state.started_at),
            channels=self._channel_states(),
            pipelines=list(self.state.pipelines),
            session_status=self._session.status,
            exported_video_id=export.video_id,
            stream_url=export.stream_url,
            player_url=export.player_url,
            written_at=self._unix(self._clock.uptime()),
            **self._clock.marks(),
        )

    def _channel_states(self) -> list[ChannelState]:
        health = {} if self.recorder is None else self.recorder.health()
        found = []
        for channel in self._channels:
            known = health.get(channel.id) or channel.new_state()
            stream_id = stream_of(channel, self._session.streams, self._channels)
            times = {name: self._unix(getattr(known, name)) for name in CHANNEL_TIMES}
            found.append(structs.replace(known, rtstream_id=stream_id, **times))
        return found

    def _unix(self, uptime: float | None) -> float | None:
        return None if uptime is None else round(self._clock.unix(uptime), 3)

    async def publish(self) -> None:
        """Write the state file. A disk that is full is said once; the capture goes on."""
        if self.state.status != self._told:
            seconds = self._clock.uptime() - (self.state.started_at or 0.0)
            log.debug("capture %s: %s after %.1f s", self.state.session_id, self.state.status, seconds)
            self._told = self.state.status
        async with self._writing:
            try:
                await asyncio.to_thread(capture_state.write, self._run_dir, self.snapshot())
                self._unwritable = False
            except (OSError, VideodbError) as error:
                if not self._unwritable:
                    self._say(f"cannot write {self._run_dir.capture_info}: {error}")
                self._unwritable = True
