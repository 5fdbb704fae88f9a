"""The sound of a stream: decoded for the analyser, copied to the outputs or encoded for them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from videodb_cli.local.media.track import EARLY_S, Item, Track, decoded, flushed, seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import av

    from videodb_cli.local.analysis.speech import SpeechAnalyser
    from videodb_cli.local.media.outputs import Outputs
    from videodb_cli.local.media.source import MediaSource

_AUDIO_RATE = 48_000
_SPEECH_RATE = 16_000
_SEAM_S = 0.1  # a smaller difference between stamps and counted samples is rounding
_MOST_SILENCE_S = 60.0


class AudioTrack(Track):
    """AAC is copied; everything else becomes AAC, with silence where the source has holes."""

    def __init__(self, source: MediaSource, outputs: Outputs, *, on_failure: Callable[[str], None]) -> None:
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

    def _take(self, item: Item) -> None:
        if item.packet is None:
            return
        analyser = self.analyser
        if item.second > EARLY_S:
            self._early = None
        if analyser is None and self._early is None:
            self._to_speech = None
        if self._encoder is not None or analyser is not None or self._early is not None:
            for frame in decoded(item.packet):
                self._hear(frame, analyser, item.second)
        if self._encoder is None:
            self._outputs.write(self._number, item.packet)

    def _hear(self, frame: av.AudioFrame, analyser: SpeechAnalyser | None, fallback: float) -> None:
        second = seconds_of(frame, self._input.time_base, fallback)
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
            for frame in flushed(self._input):
                self._hear(frame, self.analyser, self._speech_second or 0.0)
        if self._encoder is not None and self._to_output is not None:
            for piece in _resampled(self._to_output, None):
                self._write(piece)
            for packet in self._encoder.encode(None):
                self._outputs.write(self._number, packet)


def _resampled(resampler: av.AudioResampler, frame: av.AudioFrame | None) -> list[av.AudioFrame]:
    """Resample; a source that changes its format midway is met by a new filter, so only the seam is lost."""
    import av

    try:
        return list(resampler.resample(frame))
    except (av.error.FFmpegError, ValueError):
        return []
