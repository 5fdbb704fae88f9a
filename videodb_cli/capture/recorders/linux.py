"""Our recorder for Linux: X11 displays, PulseAudio or PipeWire sources, published by ffmpeg."""

from __future__ import annotations

from typing import ClassVar

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.program import FFmpeg, find_ffmpeg
from videodb_cli.capture.recorders.streaming import StreamingRecorder


class LinuxRecorder(StreamingRecorder):
    """Captures this machine."""

    name: ClassVar[str] = "linux"

    def _ffmpeg_for(self, channel: Channel) -> FFmpeg:
        return find_ffmpeg("x11grab" if channel.media == "video" else "pulse")
