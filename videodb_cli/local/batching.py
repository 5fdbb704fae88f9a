"""Gathering what an analyser finds into the windows that a client asked for: seconds, words or sentences. Pure.

The SDKs' ``batch_config`` and the ``segmentation`` of an understanding ask for it. A window of seconds begins where the
job began, and is told when it has passed: with what was found in it or, of a picture that did not change, with what
is still shown. Only the first picture does not wait for a long window: whoever starts a job wants to see that it works.
Words and sentences are counted in what was said.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Protocol

from videodb_cli.local.http.answers import invalid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from videodb_cli.local.analysis.base import AnalysisRecord

# Analysis takes a moment: what was found within a window may come this much later.
LATE_S: Final = 1.5
MAX_WINDOW_S: Final = 3600.0
# A first picture waits for a window no longer than this.
FIRST_WAITS_S: Final = 2.0
# The least span of a record that waits for no window: players and clients count in whole seconds.
_SHORTEST_S: Final = 1.0
MAX_FRAMES: Final = 100
_SENTENCE = re.compile("[.!?\u2026]+(?=\\s|$)|[\u3002\uff01\uff1f]")
_LENGTH = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|sec|seconds?|m|min|minutes?)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0}


class FindingBatch(Protocol):
    """Takes findings in the order in which they come, and gives records."""

    def take(self, record: AnalysisRecord) -> list[AnalysisRecord]:
        """Take one finding. Returns the records that it completes."""

    def tick(self, now: float) -> list[AnalysisRecord]:
        """Return the records that are complete because of the time (unix seconds)."""

    def flush(self, now: float) -> list[AnalysisRecord]:
        """Return what is left at the end of the stream or of the job."""


class TimeBatch:
    """A record for each window of so many seconds. Of a picture that changes it holds the last ``frames`` states."""

    def __init__(self, seconds: float, began_at: float, *, is_picture: bool, frames: int = 1) -> None:
        self.seconds = seconds
        self._start = began_at
        self._is_picture = is_picture
        self._frames = frames
        self._waiting: list[AnalysisRecord] = []
        self._shown: AnalysisRecord | None = None

    def take(self, record: AnalysisRecord) -> list[AnalysisRecord]:
        """Keep a finding until its window has passed. One that comes too late for its window is told at once."""
        if record.start < self._start and not self._is_picture:
            return [record]
        if not self._is_picture:
            self._waiting.append(record)
            return []
        if self._shown is None and not self._waiting and not record.is_minor and self.seconds > FIRST_WAITS_S:
            return [self._first(record)]
        self._waiting.append(record)
        self._forget_pictures(self._number(record))
        return []

    def _first(self, record: AnalysisRecord) -> AnalysisRecord:
        """Return a record of the first picture. The first window begins where it ends."""
        self._shown = record
        start = max(record.start, self._start)
        self._start = start + min(self.seconds, max(_SHORTEST_S, record.end - start))
        return replace(record, start=start, end=self._start)

    def _forget_pictures(self, number: int) -> None:
        """Keep no more pictures of a window than are described: an hour of pictures would fill the memory."""
        spare = [record for record in self._waiting if record.pictures and self._number(record) == number]
        for old in spare[: -self._frames]:
            place = next(i for i, record in enumerate(self._waiting) if record is old)
            self._waiting[place : place + 1] = [] if old.is_minor else [replace(old, pictures=())]

    def _number(self, record: AnalysisRecord) -> int:
        return int((record.start - self._start) // self.seconds)

    def tick(self, now: float) -> list[AnalysisRecord]:
        """Return a record for each window that has passed, unless nothing was found and nothing is shown."""
        if now - self._start > 2 * MAX_WINDOW_S:  # the clock was set, or the stream stood still: no windows for that
            self._start = now - (now - self._start) % self.seconds
        told = []
        while self._start + self.seconds + LATE_S <= now:
            told += self._window(self._start + self.seconds)
        return told

    def flush(self, now: float) -> list[AnalysisRecord]:
        """Return the windows that have passed, and the one that has begun if something was found in it."""
        told = self.tick(now)
        while self._waiting:
            told += self._window(self._start + self.seconds)
        return told

    def _window(self, end: float) -> list[AnalysisRecord]:
        start, self._start = self._start, end
        found = [record for record in self._waiting if record.start < end]
        self._waiting = [record for record in self._waiting if record.start >= end]
        if self._is_picture:
            pictures = tuple(picture for record in found for picture in record.pictures)
            if found:
                self._shown = replace(found[-1], pictures=pictures[-1:])
            found = [record for record in found if not record.is_minor]
            if not found and self._shown is not None:
                found = [_still_shown(self._shown)]
            if found and self._shown is not None:
                found[-1] = replace(found[-1], pictures=pictures[-self._frames :] or self._shown.pictures)
        return [replace(_joined(found), start=start, end=end)] if found else []


class SpeechBatch:
    """A record whenever so many words or sentences were said. What is no speech is left out, as a summary would."""

    def __init__(self, count: int, *, of_words: bool) -> None:
        self._count = count
        self._of_words = of_words
        self._waiting: list[AnalysisRecord] = []
        self._said = 0

    def take(self, record: AnalysisRecord) -> list[AnalysisRecord]:
        """Count what was said."""
        said = str(record.detail.get("transcript") or "")
        if not said:
            return []
        self._waiting.append(record)
        self._said += len(said.split()) if self._of_words else max(1, len(_SENTENCE.findall(said)))
        return self.flush(record.end) if self._said >= self._count else []

    def tick(self, now: float) -> list[AnalysisRecord]:
        """Nothing: no time completes a record."""
        del now
        return []

    def flush(self, now: float) -> list[AnalysisRecord]:
        """Return what was said since the last record."""
        del now
        waiting, self._waiting, self._said = self._waiting, [], 0
        return [_joined(waiting)] if waiting else []


def batch_of(extraction_type: str, config: Mapping[str, Any], began_at: float) -> FindingBatch | None:
    """Return what an ``extraction_config`` asks for, None if it asks for nothing.

    Raises `ServiceError` 400 for a value that cannot be meant.
    """
    if extraction_type == "time":
        seconds, frames = config.get("time"), frames_of(config)
        if seconds is None:
            return None
        return TimeBatch(_seconds(seconds, "time"), began_at, is_picture=True, frames=frames)
    value = config.get("segmentation_value")
    segmenter = config.get("segmenter")
    if segmenter is None or value is None:
        return None
    if segmenter == "time":
        return TimeBatch(_seconds(value, "segmentation_value"), began_at, is_picture=False)
    if segmenter not in ("word", "sentence"):
        raise invalid("segmenter must be one of: word, sentence, time")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10_000:
        raise invalid("segmentation_value must be a whole number between 1 and 10000")
    return SpeechBatch(value, of_words=segmenter == "word")


def window_of(segmentation: Mapping[str, Any]) -> float:
    """Return the seconds of ``{"type": "time", "window": "10s"}``; 10 if nothing is said.

    Raises `ServiceError` 400 for another kind of segmentation or a length that cannot be meant.
    """
    if segmentation.get("type", "time") != "time":
        raise invalid('segmentation must be of type time, such as {"type": "time", "window": "10s"}')
    window = segmentation.get("window", segmentation.get("seconds", 10))
    return _seconds(window, "segmentation.window")


def frames_of(config: Mapping[str, Any]) -> int:
    """Return how many states of a picture that changes a window shows to the model; 1 if nothing is said.

    Raises `ServiceError` 400 for a ``frame_count`` that cannot be meant.
    """
    count = config.get("frame_count")
    if count is None:
        return 1
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_FRAMES:
        raise invalid(f"frame_count must be a whole number between 1 and {MAX_FRAMES}")
    return count


def _seconds(value: object, name: str) -> float:
    length: float | None = None
    if isinstance(value, int | float) and not isinstance(value, bool):
        length = float(value)
    elif isinstance(value, str) and (found := _LENGTH.fullmatch(value.strip())) is not None:
        unit = found[2] or "s"
        length = float(found[1]) * _UNITS["ms" if unit == "ms" else unit[0]]
    if length is None or not 0.1 <= length <= MAX_WINDOW_S:
        raise invalid(f'{name} must be a length of time between a tenth of a second and an hour, such as "10s"')
    return length


def _joined(found: Sequence[AnalysisRecord]) -> AnalysisRecord:
    """Several findings as one; of what is repeated, the last state counts."""
    if len(found) == 1:
        return found[0]
    last = found[-1]
    detail = dict(last.detail)
    if any("transcript" in record.detail for record in found):
        detail["transcript"] = " ".join(str(said) for record in found if (said := record.detail.get("transcript")))
    if "new_lines" in detail:
        lines = (line for record in found for line in _lines(record, "new_lines"))
        detail["new_lines"] = list(dict.fromkeys(lines))
    text = " · ".join(dict.fromkeys(record.text for record in found))
    return replace(last, text=text, start=found[0].start, detail=detail)


def _still_shown(record: AnalysisRecord) -> AnalysisRecord:
    """What a picture that has not changed says."""
    lines = _lines(record, "lines")
    detail = {**record.detail, "changed_percent": 0.0, "new_lines": [], "gone_lines": []}
    text = " · ".join(map(str, lines)) or "The picture has no readable text."
    return replace(record, text=text, detail=detail, is_minor=False)


def _lines(record: AnalysisRecord, name: str) -> list[Any]:
    lines = record.detail.get(name)
    return lines if isinstance(lines, list) else []
