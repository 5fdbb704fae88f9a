"""A media file as if it were this machine's display and microphone, in real time, once or again and again."""

from __future__ import annotations

from typing import ClassVar

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.program import FFmpeg, find_ffmpeg
from videodb_cli.capture.recorders.streaming import StreamingRecorder


class FileRecorder(StreamingRecorder):
    """Plays the file of the request."""

    name: ClassVar[str] = "file"

    def _ffmpeg_for(self, channel: Channel) -> FFmpeg:
        del channel
        return find_ffmpeg()
