"""Our recorder for Linux: X11 displays, PulseAudio or PipeWire sources, published by ffmpeg."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from videodb_cli.capture.channels import Channel, Channels
from videodb_cli.capture.devices.machine import machine_channels
from videodb_cli.capture.ffmpeg.program import FFmpeg, find_ffmpeg
from videodb_cli.capture.recorders.streaming import StreamingRecorder


class LinuxRecorder(StreamingRecorder):
    """Captures this machine."""

    name: ClassVar[str] = "linux"

    async def list_channels(self) -> Channels:
        return await asyncio.to_thread(machine_channels)

    def _ffmpeg_for(self, channel: Channel) -> FFmpeg:
        return find_ffmpeg("x11grab" if channel.media == "video" else "pulse")
