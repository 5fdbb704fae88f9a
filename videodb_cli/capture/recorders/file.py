"""A media file as if it were this machine's display and microphone, in real time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from videodb_cli.api.capture_calls import CaptureCalls
from videodb_cli.capture.channels import Channel, Channels
from videodb_cli.capture.devices.media_file import file_channels
from videodb_cli.capture.ffmpeg.arguments import Playback, Quality
from videodb_cli.capture.ffmpeg.certificates import Certificates
from videodb_cli.capture.ffmpeg.program import FFmpeg, find_ffmpeg
from videodb_cli.capture.ffmpeg.publisher import RestartPolicy
from videodb_cli.capture.recorders.streaming import StreamingRecorder


class FileRecorder(StreamingRecorder):
    """Plays a file once, or for ever, at its own speed or another."""

    name: ClassVar[str] = "file"

    def __init__(
        self,
        service: CaptureCalls,
        certificates: Certificates,
        log: Callable[[str], None],
        playback: Playback,
        *,
        quality: Quality | None = None,
        policy: RestartPolicy | None = None,
    ) -> None:
        super().__init__(service, certificates, log, quality=quality, policy=policy, playback=playback)
        self._file = playback.path

    async def list_channels(self) -> Channels:
        return await asyncio.to_thread(file_channels, self._file)

    def _ffmpeg_for(self, channel: Channel) -> FFmpeg:
        del channel
        return find_ffmpeg()
