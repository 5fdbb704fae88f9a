"""The sessions of a log: how long they ran, how they ended, and what belongs to them."""

from __future__ import annotations

import json
from typing import Any

from videodb_cli.eventlog.names.counting import KindCounter
from videodb_cli.eventlog.names.tally import Tally
from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.views.session_list import in_span, sessions_of
from videodb_cli.rundir.capture_state import CaptureState, ChannelState, ReportedError


def life(at: float, session: str, status: str, **data: Any) -> dict[str, Any]:
    return {"unix_ts": at, "event": f"capture_session.{status}", "capture_session_id": session, "data": data}


def said(at: float, stream: str, channel: str = "transcript") -> dict[str, Any]:
    return {"unix_ts": at, "channel": channel, "rtstream_id": stream, "rtstream_name": f"name of {stream}"}


def names(*events: dict[str, Any]) -> Tally:
    tally = Tally()
    KindCounter(tally).add(Block(0, b"".join(json.dumps(event).encode() + b"\n" for event in events)))
    return tally


LOG = (
    life(10.0, "cap-1", "created"),
    life(12.0, "cap-1", "active", rtstreams=[{"rtstream_id": "r1", "name": "mic:default"}, {"rtstream_id": "r2"}]),
    said(13.0, "r1"),
    said(14.0, "r1", "alert"),
    said(14.5, "r9"),
    life(20.0, "cap-1", "stopping"),
    life(30.0, "cap-2", "active", rtstreams=[{"rtstream_id": "r3"}]),
    said(31.0, "r3"),
    life(40.0, "cap-1", "exported", exported_video_id="m-1", player_url="https://p.q/1", stream_url="https://p.q/s"),
)


def test_newest_first_with_what_belongs_to_each() -> None:
    second, first = sessions_of(names(*LOG))
    assert (first.id, first.status, first.started_at, first.ended_at) == ("cap-1", "exported", 12.0, 20.0)
    assert (first.events, first.duration_s(99.0), first.player_url) == (6, 8.0, "https://p.q/1")
    assert [(one.id, one.name, one.channels) for one in first.streams] == [
        ("r1", "mic:default", {"transcript": 1, "alert": 1}),
        ("r2", None, {}),
    ]
    assert (second.id, second.status, second.ended_at, second.events) == ("cap-2", "active", None, 2)
    assert second.duration_s(99.0) == 1.0, "nobody has told its end: until its last event"
    assert second.streams[0].name == "name of r3"


def test_the_capture_that_runs_comes_first_and_goes_on() -> None:
    state = CaptureState("cap-1", status="active", started_at=12.0, player_url="https://other")
    first, second = sessions_of(names(*LOG[:7]), state, is_running=True)
    assert (first.id, first.is_running, first.status, first.duration_s(112.0)) == ("cap-1", True, "active", 100.0)
    assert (second.id, second.is_running) == ("cap-2", False)


def test_a_capture_that_the_log_does_not_know_yet() -> None:
    channels = [ChannelState("mic:default", rtstream_id="r7"), ChannelState("display:1")]
    state = CaptureState("cap-3", status="failed", started_at=50.0, channels=channels, error=ReportedError("x", "gone"))
    first, *_ = sessions_of(names(*LOG, said(51.0, "r7")), state)
    assert (first.id, first.status, first.started_at, first.error, first.events) == ("cap-3", "failed", 51.0, "gone", 1)
    assert [stream.id for stream in first.streams] == ["r7"]


def test_json_has_every_key_always() -> None:
    (alone,) = sessions_of(Tally(), CaptureState("cap-9"))
    found, *_ = sessions_of(names(*LOG))
    assert list(alone.as_json(1.0)) == list(found.as_json(1.0))
    assert alone.as_json(1.0)["duration_s"] is None


def test_in_a_span_of_time() -> None:
    found = sessions_of(names(*LOG))
    assert [one.id for one in in_span(found, 35.0, None)] == ["cap-1"]
    assert [one.id for one in in_span(found, None, 15.0)] == ["cap-1"]
    assert [one.id for one in in_span(found, 11.0, 100.0)] == ["cap-2", "cap-1"]
    assert in_span(found, 41.0, None) == []
