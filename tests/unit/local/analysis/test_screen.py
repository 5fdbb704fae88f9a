"""When the screen is read, and what is told. The reader is a fake that reads bright squares as words."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import av
import numpy as np
import pytest

from videodb_cli.local.analysis import screen
from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.analysis.screen import ScreenAnalyser
from videodb_cli.local.analysis.screen_lines import TextLine

ROWS = ("first line", "second line", "third line", "fourth line")


def _frame(*shown: int, shade: int = 0) -> av.VideoFrame:
    """A dark picture with a white block for each of the rows."""
    picture = np.full((360, 640, 3), shade, np.uint8)
    for row in shown:
        picture[40 + 80 * row : 70 + 80 * row, 40:400] = 255
    return av.VideoFrame.from_ndarray(picture, "bgr24")


class FakeReader:
    def __init__(self) -> None:
        self.go = threading.Event()
        self.go.set()
        self.reads: list[int] = []  # heights

    def read(self, picture: np.ndarray) -> list[TextLine]:
        assert self.go.wait(10)
        self.reads.append(picture.shape[0])
        bright = [int(row) for row in np.flatnonzero(picture[:, 50, 0] > 250)]
        starts = [row for row in bright if row - 1 not in bright]
        return [TextLine(ROWS[round((row - 40) / 80)], 40, row, 400, row + 30) for row in starts]


class Rig:
    def __init__(self, reader: FakeReader) -> None:
        self.reader = reader
        self.records: list[AnalysisRecord] = []
        self.errors: list[str] = []
        self.analyser = ScreenAnalyser(on_record=self.records.append, on_error=self.errors.append)
        self.now = 1000.0

    def show(self, frame: av.VideoFrame, seconds: float = 0.2) -> None:
        """Push a frame as often as a stream of five pictures a second does."""
        for _ in range(max(1, round(seconds / 0.2))):
            self.analyser.push(frame, self.now)
            self.now += 0.2

    def wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 10
        while not done():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def finish(self) -> None:
        self.analyser.request_finish()
        assert self.analyser.wait_finished(10)


@pytest.fixture
def rig(monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    reader = FakeReader()
    monkeypatch.setattr(screen, "_shared_reader", lambda: reader)
    monkeypatch.setattr(screen, "strip_to_read", lambda *_: None)  # its own tests are elsewhere
    made = Rig(reader)
    made.analyser.start()
    yield made
    reader.go.set()
    made.finish()


def _texts(rig: Rig) -> list[str]:
    return [record.text for record in rig.records]


def test_new_lines_are_told_once_with_when_they_came(rig: Rig) -> None:
    rig.show(_frame(0, 1))
    rig.wait(lambda: len(rig.records) == 1)
    rig.show(_frame(0, 1), 2)
    at = rig.now
    rig.show(_frame(0, 1, 2))
    rig.wait(lambda: len(rig.records) == 2)
    assert _texts(rig) == ["first line · second line", "third line"]
    second = rig.records[1]
    assert (second.kind, second.model, second.is_final) == ("visual_index", "ocr", True)
    assert second.start == pytest.approx(at, abs=0.01)
    assert second.detail["new_lines"] == ["third line"]
    assert second.detail["lines"] == ["first line", "second line", "third line"]


def test_nothing_is_read_or_told_while_nothing_changes(rig: Rig) -> None:
    rig.show(_frame(0))
    rig.wait(lambda: len(rig.reader.reads) == 1)
    rig.show(_frame(0), 20)
    rig.finish()
    assert len(rig.reader.reads) == 1
    assert _texts(rig) == ["first line"]


def test_what_is_gone_and_what_has_no_text_is_said_so(rig: Rig) -> None:
    rig.show(_frame())
    rig.wait(lambda: len(rig.records) == 1)
    rig.show(_frame(1))
    rig.wait(lambda: len(rig.records) == 2)
    rig.show(_frame())
    rig.wait(lambda: len(rig.records) == 3)
    rig.show(_frame(shade=200))
    rig.wait(lambda: len(rig.records) == 4)
    assert _texts(rig) == [
        "The picture has no readable text.",
        "second line",
        "No longer on screen: second line",
        "The picture changed (100 %); it has no readable text.",
    ]


def test_picture_without_text_that_keeps_changing_is_not_told_every_time(rig: Rig) -> None:
    for index in range(4):
        rig.show(_frame(shade=60 * index))
        rig.wait(partial(lambda count: len(rig.reader.reads) == count, index + 1))
    rig.finish()
    assert len(rig.records) == 2


def test_slow_reading_skips_moments_but_never_the_newest(rig: Rig) -> None:
    rig.reader.go.clear()
    rig.show(_frame(0))
    time.sleep(0.4)  # the first picture has settled and is being read
    for shade in range(0, 250, 10):
        rig.show(_frame(0, shade=shade))
    rig.show(_frame(0, 3))
    rig.reader.go.set()
    rig.finish()
    assert len(rig.reader.reads) <= 4
    assert "fourth line" in rig.records[-1].text


def test_screens_that_had_come_to_rest_during_a_reading_are_read_too(rig: Rig) -> None:
    rig.reader.go.clear()
    rig.show(_frame(0))
    time.sleep(0.4)
    rig.show(_frame(1))
    time.sleep(0.4)
    rig.show(_frame(2))
    rig.reader.go.set()
    rig.finish()
    assert _texts(rig) == ["first line", "second line", "third line"]


def test_last_picture_is_read_when_the_stream_ends_at_once(rig: Rig) -> None:
    rig.show(_frame(0))
    rig.finish()
    assert _texts(rig) == ["first line"]


def test_broken_model_is_told_and_ends_nothing_else(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rig.reader, "read", lambda _: 1 / 0)
    rig.show(_frame(0))
    rig.wait(lambda: bool(rig.errors))
    assert "screen stopped" in rig.errors[0]
    rig.show(_frame(1))  # nobody looks any more, and nobody hangs


def test_it_is_ready_when_the_reader_is_loaded_and_what_came_meanwhile_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = threading.Event()

    def load() -> FakeReader:
        assert loaded.wait(10)
        return FakeReader()

    monkeypatch.setattr(screen, "_shared_reader", load)
    rig = Rig(FakeReader())
    rig.analyser.start()
    rig.show(_frame(0))
    assert not rig.analyser.wait_ready(0.05)
    loaded.set()
    assert rig.analyser.wait_ready(10)
    rig.finish()
    assert _texts(rig) == ["first line"]


def test_nobody_waits_for_a_reader_that_cannot_be_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load() -> FakeReader:
        raise OSError("no such model")

    monkeypatch.setattr(screen, "_shared_reader", load)
    rig = Rig(FakeReader())
    rig.analyser.start()
    assert rig.analyser.wait_ready(10)
    rig.finish()
    assert rig.errors == ["The analysis of screen stopped: OSError: no such model"]


def test_text_is_looked_for_only_where_there_is_detail() -> None:
    desktop = np.full((720, 1280, 3), 20, np.uint8)
    desktop[40:440, 40:1100] = 250  # an empty window
    desktop[60:440, 1090:1100] = 120  # with a scroll bar
    assert screen._rows_with_detail(desktop) is None
    desktop[100:120, 60:400:8] = 0  # letters, as it were
    assert screen._rows_with_detail(desktop) == (76, 144)
    faint = np.full((720, 1280, 3), 20, np.uint8)
    faint[10:20, 60:90:6, 2] = 34  # of one colour only, and hardly to be seen
    assert screen._rows_with_detail(faint) == (0, 44)


def test_lines_stand_where_they_stand_in_the_whole_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = object.__new__(screen._TextReader)  # without an engine
    seen: list[int] = []

    def read_all(picture: np.ndarray) -> list[TextLine]:
        seen.append(picture.shape[0])
        return [TextLine("word", 1, 24, 50, 44)]

    monkeypatch.setattr(reader, "_read_all", read_all)
    picture = np.zeros((720, 1280, 3), np.uint8)
    assert reader.read(picture) == []
    picture[300:320, 60:400:8] = 255
    assert reader.read(picture) == [TextLine("word", 1, 300, 50, 320)]
    assert seen == [68]


def test_pictures_are_kept_only_for_a_model_and_then_every_change_is_told(rig: Rig) -> None:
    rig.show(_frame(0))
    rig.wait(lambda: len(rig.records) == 1)
    assert (rig.records[0].pictures, rig.records[0].is_minor) == ((), False)
    seeing = Rig(rig.reader)
    seeing.analyser = ScreenAnalyser(
        on_record=seeing.records.append, on_error=seeing.errors.append, keeps_pictures=True
    )
    seeing.analyser.start()
    seeing.show(_frame(0))
    seeing.wait(lambda: len(seeing.records) == 1)
    changed = np.zeros((360, 640, 3), np.uint8)
    changed[40:70, 40:400] = 255
    changed[300:340, 560:600] = 90  # an object without text, smaller than what is told today
    seeing.show(av.VideoFrame.from_ndarray(changed, "bgr24"))
    seeing.wait(lambda: len(seeing.records) == 2)
    seeing.finish()
    first, second = seeing.records
    assert (first.text, first.is_minor, second.is_minor) == ("first line", False, True)
    assert second.text.startswith("The picture changed (")
    assert second.detail["lines"] == ["first line"]
    for record in (first, second):
        assert record.pictures[0].startswith(b"\xff\xd8")
    assert first.pictures != second.pictures
