"""From sound to transcripts, with a model that says how many seconds it was given."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from videodb_cli.local import models
from videodb_cli.local.analysis import speech
from videodb_cli.local.analysis.base import AnalysisRecord, Word
from videodb_cli.local.analysis.endpoint import SAMPLE_RATE, Utterance
from videodb_cli.local.analysis.speech import SpeechAnalyser


class FakeModel:
    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()

    def transcribe(self, utterance: Utterance) -> tuple[str, list[Word]]:
        assert self.go.wait(10)
        return f"final {utterance.samples.size / SAMPLE_RATE:.0f}", [Word("final", utterance.start, utterance.end)]

    def transcribe_quickly(self, utterance: Utterance) -> str:
        return f"interim {utterance.samples.size / SAMPLE_RATE:.0f}"


class Rig:
    def __init__(self) -> None:
        self.records: list[AnalysisRecord] = []
        self.errors: list[str] = []
        self.analyser = SpeechAnalyser(on_record=self.records.append, on_error=self.errors.append)
        self.now = 1000.0

    def hear(self, seconds: float, level: float) -> None:
        for _ in range(round(seconds / 0.1)):
            self.analyser.push(np.full(SAMPLE_RATE // 10, level, np.float32), self.now)
            self.now += 0.1

    def finish(self) -> None:
        self.analyser.request_finish()
        assert self.analyser.wait_finished(10)

    def finals(self) -> list[str]:
        return [record.text for record in self.records if record.is_final]


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeModel]:
    fake = FakeModel()
    monkeypatch.setattr(models, "locate", lambda _: Path("nowhere"))
    monkeypatch.setattr(speech, "_shared_model", lambda _: fake)
    monkeypatch.setattr(speech, "_voice_detector", lambda: lambda samples: float(np.abs(samples).mean() > 0.1))
    yield fake
    fake.go.set()


@pytest.fixture
def rig(model: FakeModel) -> Iterator[Rig]:
    made = Rig()
    made.analyser.start()
    yield made
    made.finish()


def test_final_comes_when_speech_ends_with_model_words_and_wall_clock(rig: Rig) -> None:
    rig.hear(1, 0)
    rig.hear(3, 0.5)
    rig.hear(1, 0)
    rig.finish()
    assert rig.finals() == ["final 4"]  # with the moment before and after
    record = next(record for record in rig.records if record.is_final)
    assert (record.kind, record.model) == ("transcript", "whisper-tiny.en")
    assert record.end == pytest.approx(1004, abs=0.1)
    assert record.words[0].text == "final"


def test_last_words_before_the_end_are_told(rig: Rig) -> None:
    rig.hear(2, 0.5)
    rig.finish()
    assert rig.finals() == ["final 2"]


def test_interim_transcripts_come_while_speaking_and_stop_with_the_final(rig: Rig) -> None:
    rig.hear(1.5, 0.5)
    deadline = time.monotonic() + 10
    while not rig.records:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert not rig.records[0].is_final
    assert rig.records[0].text.startswith("interim")
    rig.hear(1, 0)
    rig.finish()
    assert rig.records[-1].is_final


def test_silence_says_nothing(rig: Rig) -> None:
    rig.hear(20, 0)
    rig.finish()
    assert rig.records == []


def test_sound_that_cannot_be_kept_up_with_is_dropped_and_said_so(rig: Rig, model: FakeModel) -> None:
    model.go.clear()
    rig.hear(1, 0.5)
    rig.hear(1, 0)
    time.sleep(0.1)  # the model is at work
    rig.hear(400, 0)
    model.go.set()
    rig.finish()
    assert any("cannot keep up" in error for error in rig.errors)


def test_abandoned_analyser_says_nothing_more(rig: Rig, model: FakeModel) -> None:
    model.go.clear()
    rig.hear(1, 0.5)
    rig.hear(1, 0)
    rig.analyser.abandon()
    model.go.set()
    assert rig.analyser.wait_finished(10)
    assert rig.finals() == []


def test_broken_model_is_told(model: FakeModel, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Path) -> FakeModel:
        raise RuntimeError("no such model")

    monkeypatch.setattr(speech, "_shared_model", broken)
    rig = Rig()
    rig.analyser.start()
    rig.finish()
    assert "no such model" in rig.errors[0]


@pytest.mark.parametrize(
    ("no_speech", "logprob", "compression", "invented"),
    [(0.9, -1.5, 1.0, True), (0.9, -0.2, 1.0, False), (0.1, -1.5, 1.0, False), (0.1, -0.2, 3.0, True)],
)
def test_sentences_that_whisper_makes_up_for_noise_are_left_out(
    no_speech: float, logprob: float, compression: float, invented: bool
) -> None:
    class Segment:
        no_speech_prob = no_speech
        avg_logprob = logprob
        compression_ratio = compression

    assert speech._is_invented(Segment()) is invented
