"""Segments of sound: what is told, when, and how loud it was."""

import numpy as np
import pytest

from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.analysis.endpoint import SAMPLE_RATE
from videodb_cli.local.analysis.sound import SoundSegments


class Rig:
    def __init__(self, recogniser: str | None = "whisper-tiny.en") -> None:
        self.segments = SoundSegments(recogniser)
        self.now = 1000.0
        self.told: list[AnalysisRecord] = []

    def hear(self, seconds: float, level: float, *, quiet: bool = True) -> None:
        """Feed pieces that are no multiple of anything."""
        left = round(seconds * SAMPLE_RATE)
        while left:
            size = min(left, 1234)
            self.segments.hear(np.full(size, level, np.float32), self.now)
            self.now += size / SAMPLE_RATE
            left -= size
            if quiet:
                self.told += self.segments.quiet()


def test_speech_with_its_words_and_level() -> None:
    rig = Rig()
    rig.hear(1, 0.0)
    rig.hear(3, 0.1, quiet=False)
    (record,) = rig.segments.speech(1001.0, 1004.0, "Our deployment failed.")
    assert (record.kind, record.text) == ("audio_index", "Speech: Our deployment failed.")
    assert (record.start, record.end, record.model) == (1001.0, 1004.0, "vad+levels+whisper-tiny.en")
    assert record.detail["sound"] == "speech"
    assert record.detail["level_db"] == pytest.approx(-20, abs=0.3)
    assert record.detail["loudness"] == "normal"


def test_silence_is_told_while_it_lasts_and_before_the_next_words() -> None:
    rig = Rig()
    rig.hear(40, 0.0)
    assert [record.text for record in rig.told] == ["Silence for 15 s", "Silence for 15 s"]
    assert rig.told[1].start == pytest.approx(1015)
    rig.hear(2, 0.1, quiet=False)
    pause, speech = rig.segments.speech(1040.0, 1042.0, "Hello.")
    assert pause.text == "Silence for 10 s"
    assert (pause.start, pause.end) == pytest.approx((1030, 1040))
    assert (pause.model, speech.text) == ("vad+levels", "Speech: Hello.")


def test_sound_without_speech() -> None:
    rig = Rig()
    rig.hear(17, 0.5)
    (record,) = rig.told
    assert record.text == "Sound without speech for 15 s (loud, -6 dB)"
    assert (record.detail["sound"], record.detail["peak_db"]) == ("other", pytest.approx(-6, abs=0.1))
    assert [record.text for record in rig.segments.quiet(ended=True)] == ["Sound without speech for 2 s (loud, -6 dB)"]


def test_pauses_between_sentences_are_not_told() -> None:
    rig = Rig()
    rig.hear(6, 0.1, quiet=False)
    told = [*rig.segments.speech(1000.5, 1002, "One."), *rig.segments.speech(1003, 1005, "Two.")]
    assert [record.text for record in told] == ["Speech: One.", "Speech: Two."]


def test_what_was_not_recognised_is_no_speech() -> None:
    rig = Rig()
    rig.hear(3, 0.1, quiet=False)
    assert rig.segments.speech(1000.5, 1002, "") == []
    unworded = Rig(recogniser=None)
    unworded.hear(3, 0.1, quiet=False)
    (record,) = unworded.segments.speech(1000.0, 1002, "")
    assert (record.text, record.model) == ("Speech: 2 s, words are not recognised here", "vad+levels")


def test_long_speech_has_a_gist_and_its_whole_words() -> None:
    text = "We begin. " * 40
    rig = Rig()
    rig.hear(3, 0.1, quiet=False)
    (record,) = rig.segments.speech(1000.0, 1003, text)
    assert len(record.text) < 260
    assert record.text.endswith("begin. …")
    assert record.detail["transcript"] == text
