"""What is heard, in segments: speech with its words, silence, and sound without speech, each with its level. Pure."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.analysis.endpoint import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from videodb_cli.local.analysis.endpoint import Samples

LEVELS_MODEL: Final = "vad+levels"  # what finds the segments; the recogniser's name is added if there is one

_STEP: Final = SAMPLE_RATE // 10
_STEP_S: Final = 0.1
_GAP_S: Final = 0.5
_SHORTEST_S: Final = 2.0  # pauses between sentences are not told
_LONGEST_S: Final = 15.0
_ONSET_S: Final = 1.0  # speech may have begun that long ago without having been noticed
_SILENT_DB: Final = -50.0
_QUIET_DB: Final = -35.0
_LOUD_DB: Final = -16.0
_FLOOR_DB: Final = -96.0
_GIST: Final = 240


@dataclass(slots=True)
class _Step:
    """A tenth of a second."""

    wall: float
    square: float
    peak: float


class SoundSegments:
    """Makes ``audio_index`` records of one stream. ``recogniser``: the name of the model that gives the words, if any.

    It is fed in order: `hear` what came, `speech` for each utterance that has ended, and `quiet` up to where nobody is
    speaking. A segment of speech is an utterance; what lies between is told from 2 s on, every 15 s while it lasts.
    """

    def __init__(self, recogniser: str | None) -> None:
        self._recogniser = recogniser
        self._steps: deque[_Step] = deque()
        self._told_until: float | None = None
        self._end: float | None = None
        self._rest: Samples | None = None

    def hear(self, samples: Samples, wall: float) -> None:
        """Take 16 kHz mono samples in -1..1 that begin at ``wall`` (unix seconds)."""
        import numpy as np

        if self._end is not None and abs(wall - self._end) > _GAP_S:
            self._rest = None
        if self._rest is not None and self._rest.size:
            wall -= self._rest.size / SAMPLE_RATE
            samples = np.concatenate((self._rest, samples))
        if self._told_until is None:
            self._told_until = wall
        whole = samples.size - samples.size % _STEP
        if whole:
            steps = samples[:whole].reshape(-1, _STEP)
            squares, peaks = np.mean(np.square(steps), axis=1), np.max(np.abs(steps), axis=1)
            self._steps.extend(
                _Step(wall + number * _STEP_S, float(square), float(peak))
                for number, (square, peak) in enumerate(zip(squares, peaks, strict=True))
            )
        self._rest = samples[whole:].copy()
        self._end = wall + samples.size / SAMPLE_RATE

    def speech(self, start: float, end: float, text: str) -> list[AnalysisRecord]:
        """An utterance has ended. ``text`` is empty if nothing was recognised in it."""
        if self._recogniser is not None and not text:
            return []  # a noise that only looked like speech: it is part of what lies between
        told_until = self._told_until if self._told_until is not None else start
        records = self._between(start, at_least_s=_SHORTEST_S)
        level, peak = self._level(start, end)
        detail = {
            "sound": "speech",
            "loudness": _loudness(level),
            "level_db": level,
            "peak_db": peak,
            "transcript": text,
        }
        words = _gist(text) if text else f"{end - start:.0f} s, words are not recognised here"
        self._forget(max(end, told_until))
        return [*records, self._record(f"Speech: {words}", start, end, detail, self._recogniser)]

    def quiet(self, *, ended: bool = False) -> list[AnalysisRecord]:
        """Nobody is speaking now. ``ended``: nothing more comes."""
        if self._end is None:
            return []
        if ended:
            return self._between(self._end, at_least_s=_SHORTEST_S)
        return self._between(self._end - _ONSET_S, at_least_s=_LONGEST_S)

    def _between(self, until: float, *, at_least_s: float) -> list[AnalysisRecord]:
        """What lies between the last segment and ``until``, if it is long enough to be told."""
        records = []
        while self._told_until is not None and until - self._told_until >= at_least_s:
            start, end = self._told_until, min(until, self._told_until + _LONGEST_S)
            level, peak = self._level(start, end)
            is_silent = level < _SILENT_DB
            detail = {
                "sound": "silence" if is_silent else "other",
                "loudness": _loudness(level),
                "level_db": level,
                "peak_db": peak,
            }
            length = f"{end - start:.0f} s"
            text = (
                f"Silence for {length}"
                if is_silent
                else f"Sound without speech for {length} ({_loudness(level)}, {level:.0f} dB)"
            )
            records.append(self._record(text, start, end, detail, None))
            self._forget(end)
        return records

    def _level(self, start: float, end: float) -> tuple[float, float]:
        """Mean level and peak in dB below full scale."""
        steps = [step for step in self._steps if start - _STEP_S / 2 <= step.wall < end]
        if not steps:
            return _FLOOR_DB, _FLOOR_DB
        mean = math.sqrt(sum(step.square for step in steps) / len(steps))
        return _decibels(mean), _decibels(max(step.peak for step in steps))

    def _forget(self, until: float) -> None:
        self._told_until = until
        while self._steps and self._steps[0].wall < until - _STEP_S / 2:
            self._steps.popleft()

    @staticmethod
    def _record(
        text: str, start: float, end: float, detail: Mapping[str, object], recogniser: str | None
    ) -> AnalysisRecord:
        model = LEVELS_MODEL if recogniser is None else f"{LEVELS_MODEL}+{recogniser}"
        return AnalysisRecord("audio_index", text, start, end, True, model, detail=detail)


def _decibels(value: float) -> float:
    return round(max(_FLOOR_DB, 20 * math.log10(value)), 1) if value > 0 else _FLOOR_DB


def _loudness(level: float) -> str:
    if level < _SILENT_DB:
        return "silent"
    if level < _QUIET_DB:
        return "quiet"
    return "loud" if level > _LOUD_DB else "normal"


def _gist(text: str) -> str:
    """The beginning of what was said, up to the end of a sentence or at least of a word."""
    if len(text) <= _GIST:
        return text
    cut = text[:_GIST]
    sentence = max(cut.rfind(mark) for mark in (". ", "? ", "! "))
    if sentence > _GIST // 2:
        return cut[: sentence + 1] + " …"
    return cut.rsplit(" ", 1)[0] + " …"
