"""A session's life as two sources tell it, in any order, twice, and with odd shapes."""

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.api.shapes import CaptureSession, Export, StreamingSession
from videodb_cli.capture.session import SessionState


def event(status: str, **data: Any) -> dict[str, Any]:
    return {"event": f"capture_session.{status}", "capture_session_id": "cap-1", "status": status, "data": data}


def answer(status: str, **fields: Any) -> CaptureSession:
    found = CaptureSession.read({"session_id": "cap-1", "status": status, **fields})
    assert found is not None
    return found


def test_a_whole_life_by_events() -> None:
    state = SessionState("cap-1")
    assert state.on_event(event("starting"))
    assert state.on_event(event("active", rtstreams=[{"rtstream_id": "r1", "name": "mic:default"}]))
    assert list(state.streams) == ["r1"]
    assert not state.on_event(event("active", rtstreams=[{"rtstream_id": "r1", "name": "mic:default"}]))
    assert state.on_event(event("exported", video_id="v1", stream_url="u"))
    assert (state.status, state.export.video_id, state.export.stream_url) == ("exported", "v1", "u")


def test_it_never_goes_back() -> None:
    state = SessionState("cap-1")
    state.on_session(answer("stopping"))
    assert not state.on_event(event("active"))
    assert state.status == "stopping"


def test_other_sessions_and_other_events_are_not_ours() -> None:
    state = SessionState("cap-1")
    assert not state.on_event({**event("active"), "capture_session_id": "cap-2"})
    assert not state.on_event({"channel": "transcript", "capture_session_id": "cap-1", "status": "active"})
    assert not state.on_event({"channel": "videodb_cli", "event": "capture.failed", "capture_session_id": "cap-1"})
    assert state.status == "created"


def test_a_failure_says_why_and_is_final() -> None:
    state = SessionState("cap-1")
    assert state.on_event(event("failed", error={"code": "X", "message": "why"}))
    assert state.error == ("X", "why")
    assert not state.on_session(answer("active"))
    assert state.has_failed
    bare = SessionState("cap-1")
    bare.on_streaming(StreamingSession("ss", "failed", {}, None))
    assert bare.error is not None


def test_unknown_statuses_decide_nothing() -> None:
    state = SessionState("cap-1")
    assert not state.on_session(answer("paused-for-lunch"))
    assert state.on_session(answer("active"))


@pytest.mark.parametrize("said", [None, "exported"])
def test_an_export_by_the_export_call(said: str | None) -> None:
    state = SessionState("cap-1")
    state.on_session(answer("stopped"))
    state.on_export(Export("exporting"))
    assert state.status == "stopped"
    assert state.on_export(Export(said, "v1", "s", "p"))
    assert state.status == "exported"


@pytest.mark.parametrize("data", [None, [], "text", {"rtstreams": "no"}, {"rtstreams": [1, {}, {"rtstream_id": 5}]}])
def test_odd_data_is_survived(data: Any) -> None:
    state = SessionState("cap-1")
    assert state.on_event({**event("active"), "data": data})
    assert state.streams == {}


STATUSES = ("created", "starting", "active", "stopping", "stopped", "exported")


@given(st.lists(st.sampled_from(STATUSES), max_size=12))
def test_whatever_the_order_the_status_is_the_furthest_that_was_heard(heard: list[str]) -> None:
    state = SessionState("cap-1")
    for status, by_event in zip(heard, itertools.cycle((True, False)), strict=False):
        state.on_event(event(status)) if by_event else state.on_session(answer(status))
    assert state.status == max(["created", *heard], key=STATUSES.index)
