from __future__ import annotations

import pytest

from videodb_cli.local import events
from videodb_cli.local.dialect import DIALECTS, Dialect
from videodb_cli.local.events import TRIGGER_KINDS, Trigger

NOW = 1_710_000_002.5
DOCUMENTS = Dialect("documents")


def test_there_are_two() -> None:
    assert DIALECTS == ("service", "documents")


@pytest.mark.parametrize("kind", TRIGGER_KINDS)
def test_the_service_is_the_default_and_changes_nothing(kind: str) -> None:
    event = Trigger(kind).event(1, NOW)
    assert Dialect().event(event) is event
    shown = DOCUMENTS.event(event)
    if kind not in {"visual_index", "alert"}:
        assert shown is event


def test_documents_call_the_visual_channel_scene_index() -> None:
    event = Trigger("visual_index").event(1, NOW)
    assert DOCUMENTS.event(event) == {**event, "channel": "scene_index"}


def test_documents_show_another_alert() -> None:
    event = Trigger("alert", "a dog", total=2).event(2, NOW)
    shown = DOCUMENTS.event(event)
    assert shown["data"] == {
        "event_label": "test_alert",
        "timestamp": 1_710_000_002_500,
        "text": "a dog",
        "sequence": 2,
    }
    assert {name: shown[name] for name in shown if name != "data"} == {
        "channel": "alert",
        "rtstream_id": event["rtstream_id"],
        "rtstream_name": event["rtstream_name"],
    }
    assert DOCUMENTS.event(Trigger("alert").event(1, NOW))["data"]["text"] == "test_alert"  # type: ignore[index]


def test_documents_show_flat_webhooks_but_for_the_life_cycle() -> None:
    flat = {"event_id": "e", "label": "l", "confidence": 1.0, "explanation": "x", "start_time": 1.0, "end_time": 2.0}
    body = {**events.webhook("alert", None, "triggered", {}, NOW), **flat, "stream_url": None, "player_url": None}
    assert Dialect().webhook(body) is body
    assert DOCUMENTS.webhook(body) == {
        **flat,
        "timestamp": body["timestamp"],
        "stream_url": None,
        "player_url": None,
    }
    spoken = {"type": "transcript", "text": "t", "is_final": True}
    said = {**events.webhook("transcript", None, "active", {}, NOW), **spoken}
    assert DOCUMENTS.webhook(said) == spoken
    cycle = events.webhook("capture_session.active", None, "active", {}, NOW)
    assert DOCUMENTS.webhook(cycle) is cycle
