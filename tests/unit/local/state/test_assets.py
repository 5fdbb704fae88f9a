"""Where what was recognised on streams stands in what was made of them."""

import pytest

from videodb_cli.local.media.timeline import WallClock
from videodb_cli.local.state.assets import Asset, Part
from videodb_cli.local.state.records import SpokenRecord
from videodb_cli.local.state.service_state import ServiceState
from videodb_cli.local.state.transcripts import segments


@pytest.fixture
def state() -> ServiceState:
    return ServiceState(clock=lambda: 2000.0)


def asset_of(state: ServiceState, *parts: tuple[float, float, float], said: list[tuple[float, float, str]]) -> Asset:
    stream = state.add_stream(
        url="x",
        name=None,
        collection_id="default",
        media_types=["audio"],
        sample_rate=30,
        store=True,
        ws_connection_id=None,
    )
    stream.transcription.records += [SpokenRecord(*record) for record in said]
    return state.assets.put(
        "m-1",
        collection_id="default",
        name="n",
        media_id="x",
        length=10,
        parts=[Part(stream.id, WallClock([(0.0, began)]), offset, length) for began, offset, length in parts],
    )


def test_sound_from_before_the_picture_is_left_out_and_cut(state: ServiceState) -> None:
    said = [(1000.0, 1001.0, "before"), (1001.5, 1003.0, "across"), (1004.0, 1005.0, "after")]
    asset = asset_of(state, (1000.0, -2.0, 8.0), said=said)
    assert [(one.start, one.end, one.text) for one in state.assets.spoken(asset)] == [
        (0.0, 1.0, "across"),
        (2.0, 3.0, "after"),
    ]


def test_runs_in_a_row_have_no_time_between_them(state: ServiceState) -> None:
    said = [(1001.0, 1002.0, "first"), (1050.0, 1051.0, "between"), (1101.0, 1102.0, "second")]
    asset = asset_of(state, (1000.0, 0.0, 4.0), (1100.0, 4.0, 6.0), said=said)
    assert [(one.start, one.text) for one in state.assets.spoken(asset)] == [(1.0, "first"), (5.0, "second")]


def test_what_runs_over_the_end_is_cut(state: ServiceState) -> None:
    asset = asset_of(state, (1000.0, 0.0, 60.0), said=[(1009.0, 1012.0, "long"), (1011.0, 1012.0, "late")])
    assert [(one.start, one.end) for one in state.assets.spoken(asset)] == [(9.0, 10.0)]


def test_what_was_said_after_a_stall_stands_where_it_is_heard(state: ServiceState) -> None:
    said = [(1001.0, 1002.0, "before"), (1007.0, 1008.0, "after")]
    asset = asset_of(state, (1000.0, 0.0, 60.0), said=said)
    stalled = WallClock([(0.0, 1000.0), (3.0, 1002.5)])  # second 3 was played 2.5 s late
    asset.parts = (Part(asset.parts[0].rtstream_id, stalled, 0.0, 60.0),)
    assert [(one.start, one.text) for one in state.assets.spoken(asset)] == [(1.0, "before"), (4.5, "after")]


def test_a_record_without_words_is_one_piece() -> None:
    record = SpokenRecord(1.0, 2.0, "Hello there. You.")
    for segmenter in ("word", "sentence"):
        assert [piece.text for piece in segments([record], segmenter)] == ["Hello there. You."]
    assert segments([record], "word", start=2.0) == []
    assert segments([record], "word", end=-1) == segments([record], "word")
