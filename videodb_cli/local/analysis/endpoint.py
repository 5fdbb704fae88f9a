"""Where speech begins and ends in a stream of sound. Pure: the probability of speech comes from outside."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

SAMPLE_RATE = 16_000
FRAME = 512  # samples that the voice detector looks at, 32 ms
FRAME_S = FRAME / SAMPLE_RATE

_SPEECH_ON = 0.5
_SPEECH_OFF = 0.35
_ONSET_FRAMES = 2
_PREROLL_FRAMES = 10
# From this many frames on, so many silent ones end an utterance: 0.51 s at first, 0.32 s after 6 s, 0.16 s after 10 s.
# Who speaks without long pauses is heard in sentences too, and is not kept waiting.
_END_FRAMES = ((312, 5), (187, 10), (0, 16))
_PAUSE_FRAMES = 4  # this long may be the end, so nothing is said about what runs
_KEPT_SILENCE_FRAMES = 9
_MIN_VOICED_FRAMES = 4
_MAX_FRAMES = 469  # 15 s
_CUT_WINDOW_FRAMES = 94  # a forced cut falls into the last 3 s
_CUT_SMOOTHING = 7
_GAP_S = 0.5


@dataclass(frozen=True, slots=True)
class Utterance:
    """One stretch of speech: 16 kHz mono samples in -1..1, the unix seconds of the first, and of the end of speech."""

    samples: Samples
    start: float
    end: float


@dataclass(slots=True)
class _Frame:
    samples: Samples
    wall: float
    probability: float
    loudness: float


class SpeechSegmenter:
    """Cuts sound into utterances.

    ``probability`` is asked once for each 512 samples, in order, and gives 0..1. An utterance ends after 0.5 s of
    silence, or less the longer it is; one that reaches 15 s is cut at the quietest point of its last 3 s, so that
    recognition and latency stay bounded when somebody speaks without a pause.
    """

    def __init__(self, probability: Callable[[Samples], float]) -> None:
        self._probability = probability
        self._rest: Samples | None = None
        self._next_wall: float | None = None
        self._preroll: deque[_Frame] = deque(maxlen=_PREROLL_FRAMES)
        self._frames: list[_Frame] = []
        self._onset = 0
        self._silence = 0

    def push(self, samples: Samples, wall: float) -> list[Utterance]:
        """Take samples that begin at ``wall`` (unix seconds); give the utterances that they end.

        A hole in the clock of more than half a second ends the running utterance.
        """
        import numpy as np

        done: list[Utterance] = []
        if self._next_wall is not None and abs(wall - self._next_wall) > _GAP_S:
            done += self.flush()
        if self._rest is not None and self._rest.size:
            wall -= self._rest.size / SAMPLE_RATE
            samples = np.concatenate((self._rest, samples))
        whole = samples.size - samples.size % FRAME
        for at in range(0, whole, FRAME):
            done += self._take(samples[at : at + FRAME], wall + at / SAMPLE_RATE)
        self._rest = samples[whole:].copy()
        self._next_wall = wall + samples.size / SAMPLE_RATE
        return done

    def flush(self) -> list[Utterance]:
        """End the running utterance, if there is one. What comes next is new sound."""
        done = self._close(len(self._frames)) if self._frames else []
        self._rest = None
        self._next_wall = None
        self._frames = []
        self._preroll.clear()
        self._onset = self._silence = 0
        return done

    def running(self) -> Utterance | None:
        """What is being said so far, or None in silence and while a pause may prove to be the end."""
        if not self._frames or self._silence >= _PAUSE_FRAMES:
            return None
        return _utterance(self._frames)

    @property
    def is_idle(self) -> bool:
        """Whether nothing of an utterance is pending."""
        return not self._frames

    def _take(self, samples: Samples, wall: float) -> list[Utterance]:
        import numpy as np

        probability = self._probability(samples)
        frame = _Frame(samples, wall, probability, float(np.sqrt(np.mean(np.square(samples)))))
        if not self._frames:
            self._preroll.append(frame)
            self._onset = self._onset + 1 if probability >= _SPEECH_ON else 0
            if self._onset >= _ONSET_FRAMES:
                self._frames = list(self._preroll)
                self._preroll.clear()
                self._silence = 0
            return []
        self._frames.append(frame)
        self._silence = self._silence + 1 if probability < _SPEECH_OFF else 0
        if self._silence >= _end_frames(len(self._frames)):
            done = self._close(len(self._frames) - max(0, self._silence - _KEPT_SILENCE_FRAMES))
            self._preroll.extend(self._frames[-_PREROLL_FRAMES:])
            self._frames = []
            self._onset = 0
            return done
        if len(self._frames) >= _MAX_FRAMES:
            cut = self._quietest_cut()
            done = self._close(cut)
            self._frames = self._frames[cut:]
            return done
        return []

    def _quietest_cut(self) -> int:
        """The middle of the quietest stretch near the end. The last frames stay out: speech may be starting there."""
        import numpy as np

        window = np.array([frame.loudness for frame in self._frames[-_CUT_WINDOW_FRAMES:]])
        smooth = np.convolve(window, np.ones(_CUT_SMOOTHING) / _CUT_SMOOTHING, mode="valid")
        return len(self._frames) - _CUT_WINDOW_FRAMES + int(np.argmin(smooth)) + _CUT_SMOOTHING // 2

    def _close(self, count: int) -> list[Utterance]:
        frames = self._frames[:count]
        voiced = sum(frame.probability >= _SPEECH_ON for frame in frames)
        return [_utterance(frames)] if voiced >= _MIN_VOICED_FRAMES else []


def _end_frames(length: int) -> int:
    return next(silent for longer, silent in _END_FRAMES if length >= longer)


def _utterance(frames: list[_Frame]) -> Utterance:
    import numpy as np

    spoken = [frame for frame in frames if frame.probability >= _SPEECH_OFF] or frames
    samples = np.concatenate([frame.samples for frame in frames])
    return Utterance(samples, frames[0].wall, spoken[-1].wall + FRAME_S)
