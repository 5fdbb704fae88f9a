"""From the service's answers to the events that would have come."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.recovery.evidence import event_fingerprint
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.listener.recovery.records import index_of, lifecycle_events, live_event, record_of


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_any_answer_is_survived(value: Any) -> None:
    for reader in (record_of, index_of):
        reader(value)
    record = record_of({"text": "x", "start": value, "end": value})
    if record is not None:
        json.dumps(live_event("transcript", "s", None, record))
    lifecycle_events("cap", {"status": value, "rtstreams": value, "export_status": value, "error": value}, None)
    if isinstance(value, dict):
        event_fingerprint(value)
        StreamHistory().note(value, b"{}")
        StreamHistory().note_older(value, b"{}", 0.0)


def test_the_live_envelope() -> None:
    record = record_of({"start": 1772446530.4996, "end": 1772446533.25, "description": "A slide"})
    assert record is not None
    assert live_event("scene_index", "rts-1", "display:1", record) == {
        "channel": "scene_index",
        "rtstream_id": "rts-1",
        "rtstream_name": "display:1",
        "data": {"text": "A slide", "start": 1772446530500, "end": 1772446533250},
        "recovered": True,
    }


@pytest.mark.parametrize(
    ("session", "last_seen", "expected"),
    [
        ({"status": "active"}, "active", []),
        ({"status": "created"}, None, []),
        ({"status": "stopped"}, "active", ["stopped"]),
        ({"status": "active"}, "stopped", []),
        ({"status": "stopped", "export_status": "exported"}, "active", ["stopped", "exported"]),
        ({"status": "stopped", "export_status": "exported"}, "stopped", ["exported"]),
        ({"status": "exported"}, "active", ["exported"]),
        ({"status": "stopped"}, "exported", []),
        ({"status": "on fire"}, "active", ["on fire"]),
        ({"status": 7}, "active", []),
    ],
)
def test_life_cycle(session: dict[str, Any], last_seen: str | None, expected: list[str]) -> None:
    assert [event["status"] for event in lifecycle_events("cap-1", session, last_seen)] == expected


def test_what_an_export_says() -> None:
    session = {"status": "exported", "exported_video_id": "m-1", "stream_url": "https://s", "player_url": "https://p"}
    (event,) = lifecycle_events("cap-1", session, "stopped")
    assert event["data"] == {"exported_video_id": "m-1", "stream_url": "https://s", "player_url": "https://p"}
    assert (event["event"], event["channel"]) == ("capture_session.exported", "capture_session")
