"""The picture of a stream: decoded for the analyser, copied to the outputs or encoded for them."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from videodb_cli.local.media.outputs import KEY_FRAME_EVERY_S
from videodb_cli.local.media.source import Picture
from videodb_cli.local.media.track import EARLY_S, Item, Track, decoded, flushed, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import av
    from av.filter import Graph

    from videodb_cli.local.analysis.screen import ScreenAnalyser
    from videodb_cli.local.media.outputs import Outputs
    from videodb_cli.local.media.source import MediaSource

_VIDEO_CLOCK = Fraction(1, 90_000)
_MOST_FRAMES_PER_S = 31.0
_LATE_S = 0.5  # later than this, pictures are left out of what is encoded
_VERY_LATE_S = 1.0  # later than this, pictures that no other needs are not even decoded
_STILL_S = 1.0  # a picture that stands is repeated this often, so that segments go on
_ENCODER = {"preset": "superfast", "tune": "zerolatency", "crf": "24", "forced-idr": "1", "threads": "2"}


class VideoTrack(Track):
    """H.264 that is fit to be cut is copied; everything else becomes H.264, at most 30 pictures a second."""

    def __init__(self, source: MediaSource, outputs: Outputs, *, on_failure: Callable[[str], None]) -> None:
        from av.video.reformatter import VideoReformatter

        super().__init__("video", on_failure=on_failure)
        stream = source.video
        if stream is None:
            raise ValueError("the source has no video")
        self.analyser: ScreenAnalyser | None = None
        self._outputs = outputs
        self._input = stream
        self._encoder: av.VideoStream | None = None
        self._decoding = False
        self._graph: tuple[tuple[int, int, str], Graph] | None = None
        self._scaler = VideoReformatter()
        self._held: av.Packet[Any] | None = None
        self._latest: tuple[av.VideoFrame, float] | None = None
        self._shown_to: ScreenAnalyser | None = None
        self._last_picture: av.VideoFrame | None = None
        self._last_second = float("-inf")
        self._next_key = float("-inf")
        rate = float(stream.average_rate or 0)
        slow = source.is_live or 0 < rate < 10
        stream.thread_type = "SLICE" if slow else "AUTO"  # threads by frame hold back as many frames as there are
        stream.codec_context.thread_count = 2
        picture = source.picture
        if _is_fit_to_copy(source):
            self._number = outputs.add_copy(stream)
        else:
            if picture is None:
                context = stream.codec_context
                picture = Picture(context.width or 1280, context.height or 720, 0, 1.0, context.pix_fmt or "yuv420p")
            width, height = fitted_size(picture)
            self._number, self._encoder = outputs.add_video(width, height, _ENCODER)
            self._size = (width, height)

    def _take(self, item: Item) -> None:
        analyser = self.analyser
        if analyser is not self._shown_to:
            self._shown_to = analyser
            if analyser is not None and self._latest is not None:
                analyser.push(*self._latest)  # a picture that stands is not sent again
        if item.packet is None:
            self._repeat(item.second)
            return
        if self._encoder is not None or analyser is not None or item.second < EARLY_S:
            self._decode(item, analyser)
        else:
            self._decoding = False
            self._latest = None
        if self._encoder is None:
            self._outputs.write(self._number, item.packet)

    def _decode(self, item: Item, analyser: ScreenAnalyser | None) -> None:
        if not self._decoding:
            if not item.packet.is_keyframe and self._encoder is None:
                return
            self._decoding = True
            self._input.codec_context.flush_buffers()
        late = time.time() - item.zero - item.second
        self._input.codec_context.skip_frame = "NONREF" if late > _VERY_LATE_S else "DEFAULT"
        for frame in decoded(item.packet):
            self._show(frame, analyser, late)

    def _show(self, frame: av.VideoFrame, analyser: ScreenAnalyser | None, late: float) -> None:
        frame = self._upright(frame)
        second = seconds_of(frame, self._input.time_base, self._last_second + 1 / _MOST_FRAMES_PER_S)
        self._latest = (frame, self._zero + second)
        if analyser is not None:
            analyser.push(*self._latest)
        if self._encoder is not None:
            gap = second - self._last_second
            if gap < 1 / _MOST_FRAMES_PER_S or (late > _LATE_S and gap < _LATE_S):
                return
            self._encode(frame, second)

    def _encode(self, frame: av.VideoFrame, second: float) -> None:
        from av.video.frame import PictureType

        if self._encoder is None:
            return
        picture = self._scaler.reformat(frame, *self._size, format="yuv420p")
        is_key = second >= self._next_key
        if is_key:
            self._next_key = second + KEY_FRAME_EVERY_S - 0.01
        picture.pict_type = PictureType.I if is_key else PictureType.NONE
        picture.time_base = _VIDEO_CLOCK
        picture.pts = round(second / _VIDEO_CLOCK)
        self._last_picture, self._last_second = picture, second
        for packet in self._encoder.encode(picture):
            self._write(packet)

    def _write(self, packet: av.Packet[Any] | None) -> None:
        """Write the packet before this one, which lasts until it. Segments are as long as their packets say."""
        held, self._held = self._held, packet
        if held is None:
            return
        if packet is not None and packet.pts is not None and held.pts is not None:
            held.duration = packet.pts - held.pts
        self._outputs.write(self._number, held)

    def _repeat(self, second: float) -> None:
        if self._last_picture is None or second - self._last_second < _STILL_S:
            return
        if self.analyser is not None:
            self.analyser.push(self._last_picture, self._zero + second)
        self._encode(self._last_picture, second)

    def _upright(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The frame as a player would show it. Phones record sideways and write down by how much."""
        import av

        turns = round(frame.rotation / 90) % 4
        if not turns:
            return frame
        key = (frame.width, frame.height, frame.format.name)
        if self._graph is None or self._graph[0] != key:
            graph = av.filter.Graph()
            base = frame.time_base or _VIDEO_CLOCK
            source = graph.add_buffer(width=key[0], height=key[1], format=frame.format, time_base=base)
            steps = {1: [("transpose", "cclock")], 2: [("hflip", ""), ("vflip", "")], 3: [("transpose", "clock")]}
            chain = [source, *(graph.add(name, args or None) for name, args in steps[turns]), graph.add("buffersink")]
            graph.link_nodes(*chain).configure()
            self._graph = (key, graph)
        graph = self._graph[1]
        graph.push(frame)
        turned = graph.pull()
        return turned if isinstance(turned, av.VideoFrame) else frame

    def _flush(self) -> None:
        if self._decoding:
            for frame in flushed(self._input):
                self._show(frame, self.analyser, 0.0)
        if self._encoder is not None and self._last_picture is not None:
            for packet in self._encoder.encode(None):
                self._write(packet)
            self._write(None)


def fitted_size(picture: Picture) -> tuple[int, int]:
    """The size to encode at: upright, square pixels, even, at most 1080p, and 720p for what was larger than that."""
    width, height = picture.width * picture.pixel_ratio, float(picture.height)
    if picture.rotation in (90, 270):
        width, height = height, width
    long, short = max(width, height), min(width, height)
    most_long, most_short = (1920, 1080) if long <= 1920 and short <= 1088 else (1280, 720)
    scale = min(1.0, most_long / long, most_short / short)
    return max(16, round(width * scale / 2) * 2), max(16, round(height * scale / 2) * 2)


def _is_fit_to_copy(source: MediaSource) -> bool:
    stream = source.video
    if stream is None or stream.codec_context.name != "h264" or not source.key_frames_are_close:
        return False
    picture = source.picture
    pixel_format = picture.pixel_format if picture else stream.codec_context.pix_fmt
    upright = picture is None or (picture.rotation == 0 and abs(picture.pixel_ratio - 1) < 0.01)
    return upright and pixel_format in ("yuv420p", "yuvj420p", None)
