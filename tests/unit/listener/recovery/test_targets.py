"""What there is to look at after a gap, and from when on it is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from videodb_cli.listener.recovery.gap import OVERLAP_S, Gap, RecoveryPolicy
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.listener.recovery.known_capture import KnownCapture, read_known_capture
from videodb_cli.listener.recovery.pipeline import State
from videodb_cli.listener.recovery.targets import SessionTarget, Targets
from videodb_cli.process.clock import Clock
from videodb_cli.rundir.paths import RunDir

T = 1772446530.0
CLOCK = Clock(wall=lambda: T + 10, uptime=lambda: 50.0)
GAP = Gap(T, T + 10, "ws-1", "ws-2")


def line(event: dict[str, Any], received: float) -> bytes:
    return json.dumps({"unix_ts": received, **event}).encode()


def seen(stream: str, end: float, channel: str = "visual_index") -> dict[str, Any]:
    return {"channel": channel, "rtstream_id": stream, "data": {"text": "x", "start": end - 2, "end": end}}


def targets_of(*streams: str, history: StreamHistory | None = None) -> Targets:
    targets = Targets(history or StreamHistory(), "default", RecoveryPolicy())
    for stream in streams:
        targets.add_stream(stream, None, None)
    return targets


def add(targets: Targets, indexes: dict[str, dict[str, str]], *, first: bool = True, is_open: str = "ws-2") -> None:
    targets.add_pipelines(GAP, indexes, clock=CLOCK, offset_s=0.0, open_connections={is_open}, is_first_pass=first)


def dead(targets: Targets) -> set[tuple[str, str | None]]:
    return {(item["rtstream_id"], item["rtstream_index_id"]) for item in targets.dead_pipelines()}


def test_what_the_capture_file_says_is_looked_at(tmp_path: Path) -> None:
    run_dir = RunDir(tmp_path)
    run_dir.capture_info.write_text(
        json.dumps(
            {
                "v": 1,
                "session_id": "cap-5",
                "collection_id": "c-2",
                "status": "active",
                "channels": [{"channel_id": "mic:default", "type": "audio", "rtstream_id": "rts-5"}],
                "pipelines": [
                    {
                        "kind": "visual_index",
                        "rtstream_id": "rts-6",
                        "rtstream_index_id": "idx-1",
                        "ws_connection_id": "ws-2",
                    }
                ],
            }
        )
    )
    targets = targets_of()
    targets.discover(read_known_capture(run_dir), started=T, oldest=0.0)
    assert targets.sessions["cap-5"].collection == "c-2"
    assert {(s.stream, s.name) for s in targets.streams.values()} == {("rts-5", "mic:default"), ("rts-6", None)}
    add(targets, {"rts-6": {"idx-1": "visual_index", "idx-2": "visual_index"}})
    dead = {item["rtstream_index_id"] for item in targets.dead_pipelines() if item["channel"] == "visual_index"}
    assert dead == {"idx-2"}, "an index that was made for the new connection is not dead"


def test_an_index_that_was_made_for_a_connection_that_is_gone_is_dead() -> None:
    """The file may say so of a connection that was closed while the streams were listed."""
    targets = targets_of("rts-1")
    targets.discover(KnownCapture(index_connections={"idx-1": "ws-2"}), started=T, oldest=0.0)
    add(targets, {"rts-1": {"idx-1": "visual_index"}}, is_open="ws-3")
    assert ("rts-1", "idx-1") in dead(targets)


def test_what_is_found_in_the_first_pass_after_a_fresh_gap_is_cut() -> None:
    targets = targets_of("rts-1")
    add(targets, {"rts-1": {"idx-1": "visual_index"}})
    add(targets, {"rts-1": {"idx-2": "visual_index"}}, first=False)
    states = {key: pipeline.state for key, pipeline in targets.pipelines.items()}
    assert states == {
        ("rts-1", ""): State.UNKNOWN,
        ("rts-1", "idx-1"): State.STALE,
        ("rts-1", "idx-2"): State.UNKNOWN,
    }


def test_a_stream_whose_session_is_over_makes_nothing_more() -> None:
    history = StreamHistory()
    over = {"event": "capture_session.stopped", "capture_session_id": "cap-1", "data": {"rtstreams": [{"id": "rts-1"}]}}
    history.note(over, line(over, T))
    targets = targets_of(history=history)
    targets.discover(KnownCapture(), started=T, oldest=0.0)
    add(targets, {"rts-1": {"idx-1": "visual_index"}})
    assert dead(targets) == set()
    targets.on_gap(GAP, 60.0)
    assert dead(targets) == set()


def test_a_gap_asks_anew_even_of_what_was_stopped() -> None:
    """A transcription that was stopped may have been started since, and a session may have been exported."""
    targets = targets_of("rts-1")
    add(targets, {})
    targets.sessions["cap-1"] = SessionTarget("cap-1", "default", None, "stopped", is_gone=True, asked_at=100.0)
    targets.end_stream("rts-1", 51.0)
    targets.streams["rts-1"].listed_at = 100.0
    assert dead(targets) == set()
    assert targets.streams["rts-1"].is_listed
    targets.on_gap(GAP, 200.0)
    assert dead(targets) == {("rts-1", None)}
    assert not targets.streams["rts-1"].is_listed
    assert not targets.sessions["cap-1"].is_done(60.0)


def test_what_is_done_is_asked_from_where_the_next_gap_asks() -> None:
    history = StreamHistory()
    targets = targets_of("rts-1", "rts-2", history=history)
    add(targets, {"rts-1": {"idx-1": "visual_index"}})
    index, dead_one = targets.pipelines["rts-1", "idx-1"], targets.pipelines["rts-2", ""]
    index.on_live_event("ws-2", 51.0, T + 11)
    index.on_stopped(51.0, asked_at=1000.0)
    event = seen("rts-1", T + 3600)
    history.note(event, line(event, T + 3601))
    horizon = targets.advance_done(T + 3700, 0.0)
    assert index.since == horizon("rts-1", "visual_index")
    assert T + 3700 - 180 - OVERLAP_S - 2 <= index.since <= T + 3700 - 180
    assert horizon("rts-2", "transcript") == dead_one.since == T - OVERLAP_S


def test_streams_are_asked_that_no_session_tells_of() -> None:
    targets = targets_of("rts-1")
    targets.add_stream("rts-2", None, "cap-1")
    targets.add_stream("rts-3", None, "cap-2")
    targets.sessions["cap-1"] = SessionTarget("cap-1", "default", None)
    targets.sessions["cap-2"] = SessionTarget("cap-2", "default", None, is_gone=True)
    add(targets, {})
    assert {stream.stream for stream in targets.streams_without_session()} == {"rts-1", "rts-3"}


def test_the_clock_of_the_service_is_told_by_events_and_else_by_answers() -> None:
    history = StreamHistory()
    event = seen("rts-1", T + 5000)
    history.note(event, line(event, T))
    targets = targets_of("rts-1", "rts-2", history=history)
    targets.add_pipelines(GAP, {}, clock=CLOCK, offset_s=300.0, open_connections=set(), is_first_pass=True)
    assert targets.pipelines["rts-1", ""].ahead_s == 5000.0
    assert targets.pipelines["rts-2", ""].ahead_s == 300.0
