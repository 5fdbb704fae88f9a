"""What ffmpeg says of itself with ``-progress`` and ``-stats_mux_pre``, as a core without I/O.

Both go to one pipe as ``key=value`` lines: ``packet_size`` once a packet (the RTSP muxer does not count its bytes), the
rest as blocks that end with ``progress=continue`` or ``progress=end``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from videodb_cli.process.lines import LineSplitter

PACKET_FORMAT: Final = "packet_size={size}"
_LINE_LIMIT = 4096


@dataclass(slots=True)
class FFmpegProgress:
    """Totals of one run of ffmpeg. ``bytes`` and ``frames`` are None until anything was said about them."""

    bytes: int | None = None
    packets: int = 0
    frames: int | None = None
    drops: int | None = None
    media_us: int = 0
    blocks: int = 0
    ended: bool = False

    @property
    def has_sent(self) -> bool:
        """Whether media have left: header answered, and time goes on."""
        return self.media_us > 0 and self.blocks > 0


class ProgressReader:
    """Reads the pipe's bytes into `progress`. Never raises for what may stand in it."""

    def __init__(self) -> None:
        self._lines = LineSplitter(_LINE_LIMIT)
        self.progress = FFmpegProgress()

    def feed(self, chunk: bytes) -> bool:
        """Take bytes in. Returns whether the media went on since the last call."""
        before = self.progress.media_us, self.progress.packets
        for line in self._lines.feed(chunk):
            name, _, value = line.partition(b"=")
            self._take(name.strip(), value.strip())
        return (self.progress.media_us, self.progress.packets) != before

    def _take(self, name: bytes, value: bytes) -> None:
        progress = self.progress
        if name == b"progress":
            progress.blocks += 1
            progress.ended = progress.ended or value == b"end"
            return
        try:
            number = int(value)
        except ValueError:
            return
        if number < 0:
            return
        if name == b"packet_size":
            progress.bytes = (progress.bytes or 0) + number
            progress.packets += 1
        elif name == b"frame":
            progress.frames = number
        elif name == b"drop_frames":
            progress.drops = number
        elif name == b"out_time_us":
            progress.media_us = max(progress.media_us, number)
