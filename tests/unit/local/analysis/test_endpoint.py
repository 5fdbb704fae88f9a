"""Where speech begins and ends. The probability is the loudness of a frame, so that a test draws speech by hand."""

from __future__ import annotations

import numpy as np
import pytest

from videodb_cli.local.analysis.endpoint import FRAME, FRAME_S, SAMPLE_RATE, SpeechSegmenter, Utterance


def _segmenter() -> SpeechSegmenter:
    return SpeechSegmenter(lambda samples: float(np.abs(samples).mean() > 0.1))


def _sound(*parts: tuple[float, float]) -> np.ndarray:
    """(seconds, level) one after the other."""
    return np.concatenate([np.full(round(s * SAMPLE_RATE), level, np.float32) for s, level in parts])


def _fed(segmenter: SpeechSegmenter, sound: np.ndarray, wall: float = 1000.0, piece: int = 700) -> list[Utterance]:
    done = []
    for at in range(0, sound.size, piece):
        done += segmenter.push(sound[at : at + piece], wall + at / SAMPLE_RATE)
    return done


def test_utterance_has_the_wall_clock_of_its_speech() -> None:
    done = _fed(_segmenter(), _sound((2, 0), (1.5, 0.5), (1, 0)))
    assert len(done) == 1
    assert done[0].end == pytest.approx(1003.5, abs=2 * FRAME_S)
    assert 1001.6 < done[0].start <= 1002.0
    assert done[0].samples.size / SAMPLE_RATE == pytest.approx(2.1, abs=0.15)


def test_short_pause_does_not_end_an_utterance_and_a_long_one_does() -> None:
    assert len(_fed(_segmenter(), _sound((1, 0.5), (0.3, 0), (1, 0.5), (1, 0)))) == 1
    assert len(_fed(_segmenter(), _sound((1, 0.5), (0.8, 0), (1, 0.5), (1, 0)))) == 2


def test_shorter_pauses_end_longer_utterances() -> None:
    assert len(_fed(_segmenter(), _sound((7, 0.5), (0.4, 0), (1, 0.5), (1, 0)))) == 2
    assert len(_fed(_segmenter(), _sound((11, 0.5), (0.25, 0), (1, 0.5), (1, 0)))) == 2


def test_click_is_no_speech() -> None:
    assert _fed(_segmenter(), _sound((1, 0), (0.07, 0.9), (2, 0))) == []


def test_speech_without_a_pause_is_cut_at_its_quietest_point_and_nothing_is_lost() -> None:
    segmenter = _segmenter()
    sound = _sound((13, 0.5), (0.3, 0.15), (5, 0.5))
    done = _fed(segmenter, sound) + segmenter.flush()
    assert len(done) == 2
    assert done[0].samples.size / SAMPLE_RATE == pytest.approx(13.15, abs=0.2)
    assert sum(u.samples.size for u in done) >= sound.size - FRAME
    assert done[1].start == pytest.approx(done[0].start + done[0].samples.size / SAMPLE_RATE, abs=0.001)


def test_flush_gives_what_was_being_said_and_then_nothing() -> None:
    segmenter = _segmenter()
    _fed(segmenter, _sound((1, 0), (1, 0.5)))
    assert len(segmenter.flush()) == 1
    assert segmenter.flush() == []


def test_hole_in_the_clock_ends_the_utterance() -> None:
    segmenter = _segmenter()
    _fed(segmenter, _sound((1, 0.5)), wall=1000)
    done = segmenter.push(_sound((0.1, 0.5)), 1030)
    assert len(done) == 1
    assert done[0].end == pytest.approx(1001, abs=0.1)


def test_running_utterance_is_there_while_speaking_and_not_once_a_pause_begins() -> None:
    segmenter = _segmenter()
    _fed(segmenter, _sound((1, 0)))
    assert segmenter.running() is None
    _fed(segmenter, _sound((1, 0.5)), wall=1001)
    running = segmenter.running()
    assert running is not None
    assert running.end == pytest.approx(1002, abs=0.1)
    _fed(segmenter, _sound((0.3, 0)), wall=1002)
    assert segmenter.running() is None
