"""What an event means, in every shape that services, SDKs, documents and their apps write."""

from __future__ import annotations

from typing import Any

import pytest

from videodb_cli.model import event as ev
from videodb_cli.model import lifecycle
from videodb_cli.model.rtstreams import read_streams

USUAL = {
    "channel": "transcript",
    "rtstream_id": "rts-1",
    "rtstream_name": "mic:default",
    "data": {"text": "hello", "is_final": True, "start": 1772446530123, "end": 1772446531500},
}


@pytest.mark.parametrize(
    ("event", "channel"),
    [
        ({"channel": "scene_index"}, "visual_index"),
        ({"channel": "spoken_index"}, "audio_index"),
        ({"type": "transcript"}, "transcript"),
        ({"event_type": "scene_index"}, "visual_index"),
        ({"type": None, "event_type": "alert"}, "alert"),
        ({"channel": "alert", "type": "transcript"}, "alert"),
        ({"event": "capture_session.active", "type": "webhook"}, "capture_session"),
        ({"type": "capture_session.active"}, "capture_session"),
        ({"type": "videodb_cli"}, None),
        ({"type": ""}, None),
        ({"type": 5}, None),
        ({}, None),
    ],
)
def test_channel(event: dict[str, Any], channel: str | None) -> None:
    assert ev.channel_of(event) == channel


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"data": {"text": "said"}, "text": "beside"}, "said"),
        ({"text": "beside"}, "beside"),
        ({"data": {"summary": "in short"}}, "in short"),
        ({"data": {"label": "pager", "explanation": "it failed"}}, "pager"),
        ({"data": {"explanation": "it failed"}}, "it failed"),
        ({"data": {"event_label": "pager"}}, "pager"),
        ({"label": "pager", "explanation": "it failed"}, "pager"),
        ({"data": {"error": {"message": "no"}}}, "no"),
        ({"error": {"message": "no"}}, "no"),
        ({"error": "no"}, None),
        ({"data": {"text": ""}, "raw": "{"}, "{"),
        ({"data": "said"}, None),
        ({"data": {"text": 5}}, "5"),
        ({"data": {"text": True}}, None),
    ],
)
def test_text(event: dict[str, Any], text: str | None) -> None:
    assert ev.text_of(event) == text


@pytest.mark.parametrize(
    "event",
    [
        USUAL,
        {"type": "transcript", "rtstreamId": "rts-1", "rtstreamName": "mic:default", **USUAL["data"]},  # type: ignore[dict-item]
        {
            "event_type": "transcript",
            "rtstream_id": "rts-1",
            "rtstreamName": "mic:default",
            "data": {"text": "hello", "isFinal": "true", "start": 1772446530.123, "end": 1772446531.5},
        },
    ],
)
def test_one_thing_in_several_shapes(event: dict[str, Any]) -> None:
    assert ev.channel_of(event) == "transcript"
    assert (ev.stream_id_of(event), ev.stream_name_of(event)) == ("rts-1", "mic:default")
    assert ev.text_of(event) == "hello"
    assert ev.is_final(event)
    assert not ev.is_interim(event)
    assert (ev.start_of(event), ev.end_of(event)) == (1772446530.123, 1772446531.5)
    assert ev.is_of_stream(event, "mic")
    assert ev.is_of_stream(event, "rts-1")


@pytest.mark.parametrize(
    "event",
    [
        {"channel": "capture_session", "event": "capture_session.active", "capture_session_id": "cap-1"},
        {"event": "capture_session.active", "captureSessionId": "cap-1"},
        {"type": "capture_session.active", "capture_session_id": "cap-1"},
        {"channel": "capture_session", "capture_session_id": "cap-1", "status": "active"},
        {"channel": "capture_session", "capture_session_id": "cap-1", "data": {"status": "active"}},
    ],
)
def test_a_step_of_a_session(event: dict[str, Any]) -> None:
    assert lifecycle.is_about_session(event)
    assert lifecycle.status_of(event) == "active"
    assert ev.session_of(event) == "cap-1"


def test_streams_of_a_session_in_either_spelling() -> None:
    snake = read_streams([{"rtstream_id": "rts-1", "name": "mic", "media_types": ["audio"], "channel_id": "mic"}])
    camel = read_streams([{"rtstreamId": "rts-1", "rtstreamName": "mic", "mediaTypes": ["audio"], "channelId": "mic"}])
    assert snake == camel
    assert snake[0].id == "rts-1"


def test_only_the_listener_is_of_its_own_channel() -> None:
    assert ev.is_own({"channel": "videodb_cli"})
    assert not ev.is_own({"type": "videodb_cli"})
