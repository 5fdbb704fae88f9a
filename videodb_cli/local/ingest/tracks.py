"""One thread a track: decodes what must be decoded, shows it to the analyser, and writes it to the outputs."""

from __future__ import annotations

import queue
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from videodb_cli.local.ingest.outputs import KEY_FRAME_EVERY_S
from videodb_cli.local.ingest.source import Picture

if TYPE_CHECKING:
    from collections.abc import Callable

    import av
    from av.filter import Graph

    from videodb_cli.local.analysis.screen import ScreenAnalyser
    from videodb_cli.local.analysis.speech import SpeechAnalyser
    from videodb_cli.local.ingest.outputs import Outputs
    from videodb_cli.local.ingest.source import Source

_QUEUE_PACKETS = 512
_VIDEO_CLOCK = Fraction(1, 90_000)
_MOST_FRAMES_PER_S = 31.0
_LATE_S = 0.5  # later than this, pictures are left out of what is encoded
_VERY_LATE_S = 1.0  # later than this, pictures that no other needs are not even decoded
_STILL_S = 1.0  # a picture that stands is repeated this often, so that segments go on
_ENCODER = {"preset": "superfast", "tune": "zerolatency", "crf": "24", "forced-idr": "1", "threads": "2"}
_AUDIO_RATE = 48_000
_SPEECH_RATE = 16_000
_SEAM_S = 0.1  # a smaller difference between stamps and counted samples is rounding
_MOST_SILENCE_S = 60.0
_EARLY_S = 10.0  # what came before an analyser is kept for it this long after the beginning of the stream


@dataclass(frozen=True, slots=True)
class _Item:
    """A packet whose stamps count from the beginning of the stream, or the passing of time without one."""

    packet: Any
    second: float
    zero: float  # the unix second of the stream's beginning


class Track(ABC):
    """A worker that takes packets in order. A failure to write is told once to ``on_failure`` and ends the track."""

    def __init__(self, name: str, *, on_failure: Callable[[str], None]) -> None:
        self._queue: queue.Queue[_Item | None] = queue.Queue(_QUEUE_PACKETS)
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._failed = False
        self._zero = 0.0

    def start(self) -> None:
        self._thread.start()

    def put(self, packet: av.Packet[Any] | None, second: float, zero: float, timeout_s: float) -> bool:
        """Hand over a packet, or None for the passing of time. False if the track is too far behind to take it."""
        try:
            self._queue.put(_Item(packet, second, zero), timeout=timeout_s)
        except queue.Full:
            return False
        return True

    def finish(self, timeout_s: float) -> bool:
        """Work off what is queued, flush codecs, end the thread. False if that took longer than ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while self._thread.is_alive():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                self._queue.put(None, timeout=min(left, 0.1))
            except queue.Full:
                continue
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return True

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            try:
                if item is None:
                    if not self._failed:
                        self._flush()
                    return
                if not self._failed:
                    self._zero = item.zero
                    self._take(item)
            except Exception as error:  # noqa: BLE001 - whatever it is, the reader must not wait for this queue for ever
                self._failed = True
                self._on_failure(f"The recording cannot be written: {getattr(error, 'strerror', None) or error}.")
                if item is None:
                    return

    @abstractmethod
    def _take(self, item: _Item) -> None: ...

    @abstractmethod
    def _flush(self) -> None: ...


class VideoTrack(Track):
    """H.264 that is fit to be cut is copied; everything else becomes H.264, at most 30 pictures a second."""

    def __init__(self, source: Source, outputs: Outputs, *, on_failure: Callable[[str], None]) -> None:
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

    def _take(self, item: _Item) -> None:
        analyser = self.analyser
        if analyser is not self._shown_to:
            self._shown_to = analyser
            if analyser is not None and self._latest is not None:
                analyser.push(*self._latest)  # a picture that stands is not sent again
        if item.packet is None:
            self._repeat(item.second)
            return
        if self._encoder is not None or analyser is not None or item.second < _EARLY_S:
            self._decode(item, analyser)
        else:
            self._decoding = False
            self._latest = None
        if self._encoder is None:
            self._outputs.write(self._number, item.packet)

    def _decode(self, item: _Item, analyser: ScreenAnalyser | None) -> None:
        if not self._decoding:
            if not item.packet.is_keyframe and self._encoder is None:
                return
            self._decoding = True
            self._input.codec_context.flush_buffers()
        late = time.time() - item.zero - item.second
        self._input.codec_context.skip_frame = "NONREF" if late > _VERY_LATE_S else "DEFAULT"
        for frame in _decoded(item.packet):
            self._show(frame, analyser, late)

    def _show(self, frame: av.VideoFrame, analyser: ScreenAnalyser | None, late: float) -> None:
        frame = self._upright(frame)
        second = _seconds(frame, self._input.time_base, self._last_second + 1 / _MOST_FRAMES_PER_S)
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
        picture = frame.reformat(*self._size, format="yuv420p")
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
            for frame in _flushed(self._input):
                self._show(frame, self.analyser, 0.0)
        if self._encoder is not None and self._last_picture is not None:
            for packet in self._encoder.encode(None):
                self._write(packet)
            self._write(None)


class AudioTrack(Track):
    """AAC is copied; everything else becomes AAC, with silence where the source has holes."""

    def __init__(self, source: Source, outputs: Outputs, *, on_failure: Callable[[str], None]) -> None:
        super().__init__("audio", on_failure=on_failure)
        stream = source.audio
        if stream is None:
            raise ValueError("the source has no audio")
        self.analyser: SpeechAnalyser | None = None
        self._outputs = outputs
        self._input = stream
        self._encoder: av.AudioStream | None = None
        self._layout = "mono" if stream.codec_context.channels == 1 else "stereo"
        self._to_output: av.AudioResampler | None = None
        self._to_speech: av.AudioResampler | None = None
        self._speech_second: float | None = None
        self._early: list[tuple[Any, float]] | None = []
        self._written = 0
        self._expected: float | None = None
        context = stream.codec_context
        # Without a header of its own (ADTS, as in transport streams) AAC cannot be copied into an MP4.
        if context.name == "aac" and context.profile == "LC" and context.extradata and context.channels <= 2:
            self._number = outputs.add_copy(stream)
        else:
            bit_rate = 96_000 if self._layout == "mono" else 128_000
            self._number, self._encoder = outputs.add_audio(_AUDIO_RATE, self._layout, bit_rate)

    def _take(self, item: _Item) -> None:
        if item.packet is None:
            return
        analyser = self.analyser
        if item.second > _EARLY_S:
            self._early = None
        if analyser is None and self._early is None:
            self._to_speech = None
        if self._encoder is not None or analyser is not None or self._early is not None:
            for frame in _decoded(item.packet):
                self._hear(frame, analyser, item.second)
        if self._encoder is None:
            self._outputs.write(self._number, item.packet)

    def _hear(self, frame: av.AudioFrame, analyser: SpeechAnalyser | None, fallback: float) -> None:
        second = _seconds(frame, self._input.time_base, fallback)
        if analyser is not None or self._early is not None:
            self._to_analyser(frame, second, analyser)
        if self._encoder is not None:
            self._encode(frame, second)

    def _to_analyser(self, frame: av.AudioFrame, second: float, analyser: SpeechAnalyser | None) -> None:
        import av
        import numpy as np

        expected = self._speech_second
        if self._to_speech is None or expected is None or abs(second - expected) > _SEAM_S:
            self._to_speech = av.AudioResampler(format="flt", layout="mono", rate=_SPEECH_RATE)
            self._speech_second = expected = second
        for piece in _resampled(self._to_speech, frame):
            samples = np.asarray(piece.to_ndarray(), dtype=np.float32).reshape(-1)
            self._give(samples, self._zero + expected, analyser)
            expected += samples.size / _SPEECH_RATE
        self._speech_second = second + frame.samples / frame.sample_rate
        if abs(self._speech_second - expected) < _SEAM_S:
            self._speech_second = expected

    def _give(self, samples: Any, wall: float, analyser: SpeechAnalyser | None) -> None:
        """To the analyser, or to what is kept for it: the call that starts it comes after the first words."""
        if analyser is None:
            if self._early is not None:
                self._early.append((samples, wall))
            return
        for early in self._early or ():
            analyser.push(*early)
        self._early = None
        analyser.push(samples, wall)

    def _encode(self, frame: av.AudioFrame, second: float) -> None:
        import av

        if self._to_output is None:
            self._to_output = av.AudioResampler(
                format="fltp", layout=self._layout, rate=_AUDIO_RATE, frame_size=self._frame_size()
            )
            self._written = max(0, round(second * _AUDIO_RATE))
            self._expected = second
        hole = second - (self._expected if self._expected is not None else second)
        if hole > _SEAM_S:
            self._silence(hole)
            self._expected = second
        elif hole < -_SEAM_S:
            return  # said already
        self._expected = (self._expected or second) + frame.samples / frame.sample_rate
        for piece in _resampled(self._to_output, frame):
            self._write(piece)

    def _silence(self, seconds: float) -> None:
        import av
        import numpy as np

        size = self._frame_size()
        count = round(seconds * _AUDIO_RATE)
        filled = min(count, round(_MOST_SILENCE_S * _AUDIO_RATE))
        channels = 1 if self._layout == "mono" else 2
        for _ in range(filled // size):
            frame = av.AudioFrame.from_ndarray(np.zeros((channels, size), np.float32), "fltp", self._layout)
            frame.sample_rate = _AUDIO_RATE
            self._write(frame)
        self._written += count - filled // size * size

    def _write(self, frame: av.AudioFrame) -> None:
        if self._encoder is None:
            return
        frame.time_base = Fraction(1, _AUDIO_RATE)
        frame.pts = self._written
        self._written += frame.samples
        for packet in self._encoder.encode(frame):
            self._outputs.write(self._number, packet)

    def _frame_size(self) -> int:
        return (self._encoder.codec_context.frame_size if self._encoder is not None else 0) or 1024

    def _flush(self) -> None:
        if self._encoder is not None or self._to_speech is not None:
            for frame in _flushed(self._input):
                self._hear(frame, self.analyser, self._speech_second or 0.0)
        if self._encoder is not None and self._to_output is not None:
            for piece in _resampled(self._to_output, None):
                self._write(piece)
            for packet in self._encoder.encode(None):
                self._outputs.write(self._number, packet)


def fitted_size(picture: Picture) -> tuple[int, int]:
    """The size to encode at: upright, square pixels, even, at most 1080p, and 720p for what was larger than that."""
    width, height = picture.width * picture.pixel_ratio, float(picture.height)
    if picture.rotation in (90, 270):
        width, height = height, width
    long, short = max(width, height), min(width, height)
    most_long, most_short = (1920, 1080) if long <= 1920 and short <= 1088 else (1280, 720)
    scale = min(1.0, most_long / long, most_short / short)
    return max(16, round(width * scale / 2) * 2), max(16, round(height * scale / 2) * 2)


def _is_fit_to_copy(source: Source) -> bool:
    stream = source.video
    if stream is None or stream.codec_context.name != "h264" or not source.key_frames_are_close:
        return False
    picture = source.picture
    pixel_format = picture.pixel_format if picture else stream.codec_context.pix_fmt
    upright = picture is None or (picture.rotation == 0 and abs(picture.pixel_ratio - 1) < 0.01)
    return upright and pixel_format in ("yuv420p", "yuvj420p", None)


def _decoded(packet: av.Packet[Any]) -> list[Any]:
    """The frames of a packet; none if it is damaged, which players forgive too."""
    import av

    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []


def _flushed(stream: av.VideoStream | av.AudioStream) -> list[Any]:
    import av

    try:
        return list(stream.codec_context.decode(None))
    except av.error.FFmpegError:
        return []


def _seconds(frame: av.VideoFrame | av.AudioFrame, base: Fraction | None, fallback: float) -> float:
    """When a frame is due. Frames that a codec gives up at the end do not know their own time base."""
    pts, base = frame.pts, frame.time_base or base
    return fallback if pts is None or not base else float(pts * base)


def _resampled(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
    """Resample; a source that changes its format midway is met by a new filter, so only the seam is lost."""
    import av

    try:
        return list(resampler.resample(frame))
    except (av.error.FFmpegError, ValueError):
        return []
