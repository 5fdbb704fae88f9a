"""The sample through the real models: what is said and shown comes out, in time."""

from __future__ import annotations

import json
import re
import threading
import time
from dataclasses import replace
from difflib import SequenceMatcher

import av
import pytest

from videodb_cli.errors import MissingDependencyError
from videodb_cli.local import models, sample
from videodb_cli.local.analysis.base import AnalysisRecord, StreamState
from videodb_cli.local.media.live_stream import LiveStream

pytestmark = pytest.mark.models

LENGTH_S = 16.0


@pytest.fixture(scope="module", autouse=True)
def model() -> None:
    try:
        models.locate()
    except MissingDependencyError as error:
        pytest.skip(f"{error} {error.hint}")


@pytest.fixture(scope="module")
def heard(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[float, AnalysisRecord]]:
    """(seconds of the stream at which it came, record) for the first 16 s of the sample."""
    folder = tmp_path_factory.mktemp("media")
    part = folder / "part.mp4"
    with av.open(str(sample.VIDEO)) as source, av.open(str(part), "w") as out:
        streams = {stream.index: out.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None and packet.pts is not None and packet.pts * packet.time_base < LENGTH_S:
                packet.stream = streams[packet.stream_index]
                out.mux(packet)
    records: list[tuple[float, AnalysisRecord]] = []
    states: list[StreamState] = []
    over = threading.Event()

    def on_state(state: StreamState) -> None:
        states.append(state)
        if state.status in ("ended", "failed"):
            over.set()

    began = time.time()
    stream = LiveStream(
        str(part),
        folder / "out",
        on_record=lambda record: records.append((time.time(), record)),
        on_state=on_state,
    )
    stream.start()
    stream.start_transcription()
    stream.start_screen_index()
    assert over.wait(90)
    assert states[-1] == StreamState("ended")
    return [(moment - began, _shifted(record, began)) for moment, record in records]


def _shifted(record: AnalysisRecord, began: float) -> AnalysisRecord:
    words = tuple(replace(word, start=word.start - began, end=word.end - began) for word in record.words)
    return replace(record, start=record.start - began, end=record.end - began, words=words)


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def _truth() -> dict[str, list[dict[str, object]]]:
    truth: dict[str, list[dict[str, object]]] = json.loads(sample.GROUND_TRUTH.read_text())
    return truth


def test_what_is_said_is_transcribed(heard: list[tuple[float, AnalysisRecord]]) -> None:
    said = [str(part["text"]) for part in _truth()["speech"] if float(str(part["end"])) < LENGTH_S]
    expected = [word for sentence in said for word in _words(sentence)]
    finals = [record for _, record in heard if record.kind == "transcript" and record.is_final]
    got = [word for record in finals for word in _words(record.text)]
    matcher = SequenceMatcher(None, expected, got, autojunk=False)
    found = sum(block.size for block in matcher.get_matching_blocks())
    assert found / len(expected) >= 0.9
    assert {record.model for record in finals} == {"whisper-tiny.en"}


def test_last_words_are_told_although_the_source_ended(heard: list[tuple[float, AnalysisRecord]]) -> None:
    finals = [record for _, record in heard if record.kind == "transcript" and record.is_final]
    assert "connection" in finals[-1].text.lower()


def test_transcripts_stand_where_they_were_spoken_and_so_do_their_words(
    heard: list[tuple[float, AnalysisRecord]],
) -> None:
    finals = [record for _, record in heard if record.kind == "transcript" and record.is_final]
    for record, part in zip(finals, _truth()["speech"], strict=False):
        assert record.start == pytest.approx(float(str(part["start"])), abs=1.0)
        assert record.end == pytest.approx(float(str(part["end"])), abs=1.0)
        assert record.words
        assert all(record.start <= word.start <= word.end <= record.end + 0.01 for word in record.words)


def test_interim_transcripts_come_while_speaking(heard: list[tuple[float, AnalysisRecord]]) -> None:
    assert [moment for moment, record in heard if record.kind == "transcript" and not record.is_final]


def test_text_on_the_screen_is_read_once_and_in_order(heard: list[tuple[float, AnalysisRecord]]) -> None:
    seen = [line for _, record in heard if record.kind == "visual_index" for line in record.text.split(" · ")]
    for line in ("Release checklist", "Rotate the access keys", "Error: connection refused on port 5432"):
        assert [near for near in seen if SequenceMatcher(None, line, near).ratio() > 0.85], line
    assert seen.index("Release checklist") < seen.index("Deployment failed")
    assert seen.count("Release checklist") == 1
    assert {record.model for _, record in heard if record.kind == "visual_index"} == {"ocr"}


def test_latencies_are_near_the_promise(heard: list[tuple[float, AnalysisRecord]]) -> None:
    """3 s and 4 s are promised for a machine of its own; the machine of a test is shared, so it gets twice that."""
    spoken = sorted(moment - record.end for moment, record in heard if record.kind == "transcript" and record.is_final)
    shown = sorted(moment - record.start for moment, record in heard if record.kind == "visual_index")
    assert spoken[len(spoken) // 2] < 6.0
    assert shown[len(shown) // 2] < 8.0


def test_sample_is_small_and_its_ground_truth_fits() -> None:
    truth = json.loads(sample.GROUND_TRUTH.read_text())
    assert sample.VIDEO.stat().st_size < 1_500_000
    with av.open(str(sample.VIDEO)) as container:
        assert (container.duration or 0) / 1e6 == pytest.approx(truth["duration"], abs=0.2)
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.width, video.height, video.codec_context.name) == (1280, 720, "h264")
        assert audio.codec_context.name == "aac"
    assert 30 <= truth["duration"] <= 60
    assert len(truth["screens"]) >= 6
