"""Windows of seconds, words and sentences."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.batching import LATE_S, TimeBatch, batch_of, window_of
from videodb_cli.local.http.answers import ServiceError


def seen(text: str, at: float) -> AnalysisRecord:
    return AnalysisRecord("visual_index", text, at, at + 1, True, "ocr", detail={"lines": [text], "new_lines": [text]})


def heard(text: str, at: float) -> AnalysisRecord:
    return AnalysisRecord("audio_index", f"Speech: {text}", at, at + 1, True, "vad", detail={"transcript": text})


def began(seconds: float, began_at: float, **more: Any) -> TimeBatch:
    """Windows of pictures whose first picture has been told, up to ``began_at``."""
    batch = TimeBatch(seconds, began_at - 1, is_picture=True, **more)
    told = batch.take(seen("the first", began_at - 1)) or batch.flush(began_at)
    assert [record.text for record in told] == ["the first"]
    return batch


def test_a_window_is_told_once_it_has_passed() -> None:
    batch = began(10, 100.0)
    assert batch.take(seen("one", 101)) == []
    assert batch.take(seen("two", 105)) == []
    assert batch.tick(110 + LATE_S - 0.1) == []
    (record,) = batch.tick(110 + LATE_S)
    assert (record.text, record.start, record.end) == ("one · two", 100, 110)
    assert record.detail["new_lines"] == ["one", "two"]
    assert record.detail["lines"] == ["two"]


def test_the_first_picture_does_not_wait_for_a_long_window() -> None:
    batch = TimeBatch(10, 100.0, is_picture=True)
    (first,) = batch.take(seen("one", 100.4))
    assert (first.text, first.start, first.end) == ("one", 100.4, 101.4)
    assert batch.take(seen("two", 100.8)) == batch.tick(111) == []
    (second,) = batch.tick(111.4 + LATE_S)
    assert (second.text, second.start, second.end) == ("two", 101.4, 111.4)
    late = TimeBatch(10, 100.0, is_picture=True)
    (first,) = late.take(replace(seen("one", 99.0), end=99.2))
    assert (first.start, first.end) == (100, 101), "a second at least: players count in seconds"
    short = TimeBatch(2, 100.0, is_picture=True)
    assert short.take(seen("one", 100.4)) == []
    assert [(record.start, record.end) for record in short.tick(102 + LATE_S)] == [(100, 102)]


def test_a_picture_that_does_not_change_is_described_again() -> None:
    batch = TimeBatch(5, 0.0, is_picture=True)
    assert batch.tick(20) == []
    told = batch.take(seen("still here", 20)) + batch.tick(41)
    assert [(record.text, record.start) for record in told] == [("still here", start) for start in (20, 21, 26, 31)]
    assert told[1].detail["new_lines"] == []


def test_a_sound_that_is_known_only_after_its_window_waits_for_no_other() -> None:
    batch = TimeBatch(5, 0.0, is_picture=False)
    batch.tick(5 + LATE_S)
    late = heard("a long sentence", 4)
    assert batch.take(late) == [late]
    assert batch.flush(100) == []


def test_silence_between_sounds_makes_no_record() -> None:
    batch = TimeBatch(5, 0.0, is_picture=False)
    batch.take(heard("hello", 1))
    assert [record.text for record in batch.tick(100)] == ["Speech: hello"]


def test_words_and_sentences_are_counted_in_what_was_said() -> None:
    words = batch_of("transcript", {"segmenter": "word", "segmentation_value": 5}, 0.0)
    assert words is not None
    assert words.take(heard("one two three", 1)) == []
    (record,) = words.take(heard("four five", 3))
    assert (record.text, record.start, record.end) == ("Speech: one two three · Speech: four five", 1, 4)
    assert record.detail["transcript"] == "one two three four five"
    sentences = batch_of("transcript", {"segmenter": "sentence", "segmentation_value": 3}, 0.0)
    assert sentences is not None
    assert sentences.take(heard("It failed. Why? ", 1)) == []
    assert len(sentences.take(heard("no full stop", 2))) == 1
    silence = AnalysisRecord("audio_index", "Silence for 9 s", 1, 2, True, "vad", detail={"sound": "silence"})
    assert sentences.take(silence) == sentences.flush(9) == []


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("time", {}),
        ("time", {"frame_count": 5}),
        ("time", {"time": None, "frame_count": None}),
        ("transcript", {}),
        ("transcript", {"segmenter": None, "segmentation_value": None}),
    ],
)
def test_without_a_wish_each_finding_is_a_record(kind: str, config: dict[str, Any]) -> None:
    assert batch_of(kind, config, 0.0) is None


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("time", {"time": 0}),
        ("time", {"time": True}),
        ("time", {"time": float("nan")}),
        ("time", {"time": 1e9}),
        ("time", {"time": 2, "frame_count": 0}),
        ("time", {"time": 2, "frame_count": 2.5}),
        ("time", {"time": 2, "frame_count": True}),
        ("time", {"frame_count": "5"}),
        ("time", {"frame_count": 10**9}),
        ("transcript", {"segmenter": "shot", "segmentation_value": 1}),
        ("transcript", {"segmenter": ["word"], "segmentation_value": 1}),
        ("transcript", {"segmenter": "word", "segmentation_value": 1.5}),
        ("transcript", {"segmenter": "word", "segmentation_value": 0}),
    ],
)
def test_what_cannot_be_meant_is_refused(kind: str, config: dict[str, Any]) -> None:
    with pytest.raises(ServiceError):
        batch_of(kind, config, 0.0)


@pytest.mark.parametrize(
    ("segmentation", "seconds"),
    [
        ({}, 10),
        ({"type": "time", "window": "10s"}, 10),
        ({"window": "2 min"}, 120),
        ({"window": "1.5s"}, 1.5),
        ({"window": 30}, 30),
        ({"window": "45"}, 45),
        ({"type": "time", "seconds": 7}, 7),
        ({"window": "1500ms"}, 1.5),
    ],
)
def test_how_long_a_window_is(segmentation: dict[str, Any], seconds: float) -> None:
    assert window_of(segmentation) == seconds


@given(
    st.lists(st.floats(0, 60), max_size=30).map(sorted),
    st.sampled_from([0.5, 2.0, 7.0]),
    st.booleans(),
)
def test_every_finding_is_told_once_and_windows_do_not_overlap(
    moments: list[float], seconds: float, is_picture: bool
) -> None:
    batch = TimeBatch(seconds, 0.0, is_picture=is_picture)
    told = []
    for number, moment in enumerate(moments):
        told += batch.take(seen(f"finding {number}", moment))
        told += batch.tick(moment)
    told += batch.flush(61)
    new = [line for record in told for line in record.detail["new_lines"]]  # type: ignore[attr-defined]
    assert sorted(new) == sorted(f"finding {number}" for number in range(len(moments)))
    if is_picture:
        for one, other in itertools.pairwise(told):
            assert one.end <= other.start


def test_a_window_has_the_last_picture_and_minor_changes_are_no_text() -> None:
    def minor(picture: bytes, at: float) -> AnalysisRecord:
        return replace(seen("one", at), text="The picture changed (1.0 %).", pictures=(picture,), is_minor=True)

    batch = began(10, 100.0)
    batch.take(replace(seen("one", 101), pictures=(b"first",)))
    batch.take(minor(b"second", 105))
    batch.take(minor(b"third", 112))
    told = batch.tick(130 + LATE_S)
    assert [(record.text, record.pictures, record.is_minor) for record in told] == [
        ("one", (b"second",), False),
        ("one", (b"third",), False),
        ("one", (b"third",), False),
    ]
    batch.take(replace(seen("two", 141), pictures=(b"a",)))
    batch.take(minor(b"b", 142))
    batch.take(minor(b"c", 143))
    assert [record.pictures for record in batch._waiting] == [(), (b"c",)], "an hour of pictures is not kept"
    assert told[1].pictures == told[2].pictures, "a picture that stands is the same, so that nobody describes it again"


def test_a_window_has_as_many_pictures_as_are_asked_for() -> None:
    batch = batch_of("time", {"time": 10, "frame_count": 2}, 0.0)
    assert isinstance(batch, TimeBatch)
    batch.take(seen("the first", 0))
    for number in range(4):
        batch.take(replace(seen(f"line {number}", 2.0 + number), pictures=(b"%d" % number,)))
    batch.take(replace(seen("later", 14), pictures=(b"later",)))
    told = batch.tick(31 + LATE_S)
    assert [record.pictures for record in told] == [(b"2", b"3"), (b"later",), (b"later",)]
    assert told[0].text == "line 0 · line 1 · line 2 · line 3", "what was read is told of every picture"
