"""Our own recorder, ``linux`` or ``file``: it asks where to publish, then runs one ffmpeg for each channel."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from videodb_cli.api.capture_calls import CaptureCalls
from videodb_cli.api.failures import RequestFailedError
from videodb_cli.api.shapes import StreamingSession
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import publisher_arguments
from videodb_cli.capture.ffmpeg.certificates import Certificates
from videodb_cli.capture.ffmpeg.program import INSTALL_HINT, FFmpeg, find_ffmpeg
from videodb_cli.capture.ffmpeg.publisher import Publisher, RestartPolicy
from videodb_cli.capture.recorders.base import Began, Recorder
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.errors import MissingDependencyError, RefusedError, TimedOutError
from videodb_cli.model import lifecycle
from videodb_cli.rundir.capture_state import ChannelState

_URLS_S: Final = 20.0
_POLL_S: Final = 0.25


class StreamingRecorder(Recorder):
    """Publishes every channel, a device or a track of a file, by RTSP over TCP.

    ``service`` speaks with the client token of the session.
    """

    def __init__(self, service: CaptureCalls, certificates: Certificates, log: Callable[[str], None]) -> None:
        super().__init__()
        self._service = service
        self._certificates = certificates
        self._log = log
        self._publishers: dict[str, Publisher] = {}
        self._stopped = False

    async def start(self, request: CaptureRequest, session: OpenedSession) -> None:
        """Take the session up, learn where to publish, and start a publisher for each channel."""
        ffmpegs = [await asyncio.to_thread(_ffmpeg_for, request, channel) for channel in request.channels]
        answer = await self._service.start_streaming(
            session.session_id, [channel.for_service() for channel in request.channels], session.ws_connection_id
        )
        self._tell(Began(answer.id))
        answer = await self._with_urls(answer, [channel.id for channel in request.channels])
        for channel, ffmpeg in zip(request.channels, ffmpegs, strict=True):
            self._publishers[channel.id] = await self._publisher(request, channel, ffmpeg, answer)
        # All at once: their clocks begin together.
        for publisher in self._publishers.values():
            publisher.start()

    async def _publisher(
        self, request: CaptureRequest, channel: Channel, ffmpeg: FFmpeg, answer: StreamingSession
    ) -> Publisher:
        url = answer.urls[channel.id]
        if url.lower().startswith("rtsps:") and not ffmpeg.verifies_tls:
            raise MissingDependencyError(
                f"the service wants TLS, and ffmpeg {ffmpeg.major} ({ffmpeg.path}) does not verify certificates",
                code="ffmpeg_tls",
                hint=INSTALL_HINT,
            )
        target = await self._certificates.target_for(url, answer.certificate_hash)
        return Publisher(
            channel,
            partial(publisher_arguments, ffmpeg, channel, target, request.quality, request.playback),
            tell=self._tell,
            log=self._log,
            ends=request.playback is not None and not request.playback.loop,
            policy=RestartPolicy(give_up_s=request.give_up_s),
        )

    async def _with_urls(self, answer: StreamingSession, channel_ids: Sequence[str]) -> StreamingSession:
        """Ask until every channel has its address: some services give them at once, others a little later."""
        deadline = time.monotonic() + _URLS_S
        while missing := [name for name in channel_ids if name not in answer.urls]:
            self.unaddressed = tuple(missing)
            if answer.status in lifecycle.CLOSED:
                code, message = answer.error or ("session_over", f"the session is {answer.status}")
                raise RefusedError(f"the service refuses the session: {message}", code=code.lower())
            if time.monotonic() >= deadline:
                raise TimedOutError(
                    f"the service did not say within {_URLS_S:g} s where to publish {', '.join(missing)}",
                    code="no_publish_url",
                    hint="videodb doctor",
                )
            await asyncio.sleep(_POLL_S)
            try:
                later = await self._service.get_streaming(answer.id)
            except RequestFailedError as error:
                self._log(f"asking for publish addresses: {error.message}")
                continue
            answer = StreamingSession(
                answer.id,
                later.status,
                {**answer.urls, **later.urls},
                later.certificate_hash or answer.certificate_hash,
                later.error,
            )
        self.unaddressed = ()
        return answer

    async def pause(self, channels: Sequence[Channel]) -> None:
        """Turn these channels black or silent."""
        await self._set_paused(channels, paused=True)

    async def resume(self, channels: Sequence[Channel]) -> None:
        """Let them through again."""
        await self._set_paused(channels, paused=False)

    async def _set_paused(self, channels: Sequence[Channel], *, paused: bool) -> None:
        for channel in channels:
            publisher = self._publishers.get(channel.id)
            if publisher is not None and not await publisher.set_paused(paused):
                raise RefusedError(f"ffmpeg does not take commands for {channel.id}", code="publisher_stuck")

    async def stop(self) -> None:
        """Stop every publisher side by side. Idempotent."""
        if self._stopped:
            return
        self._stopped = True
        await asyncio.gather(*(publisher.stop() for publisher in self._publishers.values()))
        await asyncio.to_thread(self._certificates.forget)
        self._tell(None)

    def health(self) -> dict[str, ChannelState]:
        """How each channel does, by its id."""
        return {name: publisher.health for name, publisher in self._publishers.items()}


def _ffmpeg_for(request: CaptureRequest, channel: Channel) -> FFmpeg:
    """Return the ffmpeg that can capture this channel. Raises MissingDependencyError."""
    if request.playback is not None:
        return find_ffmpeg()
    return find_ffmpeg("x11grab" if channel.media == "video" else "pulse")
