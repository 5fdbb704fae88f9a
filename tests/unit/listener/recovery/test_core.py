"""The pure core of recovery: what is new, what is a double, what to ask for, what would have come."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.recovery import logscan
from videodb_cli.listener.recovery.heard import Heard, normalised
from videodb_cli.listener.recovery.pipeline import (
    HEARD_BEFORE_S,
    OVERLAP_S,
    Gap,
    Limits,
    Pipeline,
    failed_pause_s,
    first_moment,
    next_pause_s,
)
from videodb_cli.listener.recovery.records import (
    Record,
    index_of,
    lifecycle_events,
    live_event,
    record_of,
)
from videodb_cli.listener.recovery.seen import Seen, Trace
from videodb_cli.listener.recovery.tally import Tally
from videodb_cli.listener.recovery.targets import Targets
from videodb_cli.rundir.paths import RunDir

T = 1772446530.0


def transcript(text: str, start: float, *, stream: str = "rts-1", **data: Any) -> dict[str, Any]:
    body = {"text": text, "is_final": True, "start": int(start * 1000), "end": int((start + 2) * 1000), **data}
    return {"channel": "transcript", "rtstream_id": stream, "rtstream_name": "mic:default", "data": body}


# ---- doubles -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end", "is_double"),
    [
        ("Hello there", T, T + 2, True),
        ("  hello \u00a0THERE\n", T + 0.9994, T + 2.9994, True),
        ("Hello there", T + 1.0, T + 2, False),
        ("Hello there", T, T + 3.0, False),
        ("Hello, there", T, T + 2, False),
    ],
)
def test_doubles(text: str, start: float, end: float, is_double: bool) -> None:
    heard = Heard()
    assert heard.add_event(transcript("Hello there", T)) == ("rts-1", "transcript")
    assert heard.has("rts-1", "transcript", text, start, end) is is_double
    assert not heard.has("rts-2", "transcript", text, start, end)
    assert not heard.has("rts-1", "audio_index", text, start, end)


def test_interim_is_no_double_of_its_final() -> None:
    heard = Heard()
    heard.add_event(transcript("Hello", T, is_final=False))
    assert not heard.has("rts-1", "transcript", "Hello", T, T + 2)


def test_scene_index_is_visual_index() -> None:
    heard = Heard()
    heard.add_event({**transcript("A slide", T), "channel": "scene_index"})
    assert heard.has("rts-1", "visual_index", "A slide", T, T + 2)


def test_what_is_added_again_takes_no_more_room() -> None:
    heard, other = Heard(), Heard()
    for known in (heard, other):
        known.add_event(transcript("x", T))
        known.add_event(transcript("x", T))
    heard.add_all(other)
    assert len(heard) == 1


def test_forgetting() -> None:
    heard = Heard()
    heard.add("s", "transcript", "old", T, T + 1)
    heard.add("s", "transcript", "new", T + 100, T + 101)
    heard.forget(lambda _stream, _channel, end: end < T + 50)
    assert len(heard) == 1
    assert heard.has("s", "transcript", "new", T + 100, T + 101)


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalised(text)
    assert " ".join(once.split()) == once


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
        Heard().add_event(value)
        Seen().note(value, b"{}")
        Seen().note_older(value, b"{}")


# ---- what to ask for ---------------------------------------------------------------------------------------------


def gap(length: float = 10.0) -> Gap:
    return Gap(T, T + length, "ws-1", "ws-2")


def trace(end: float | None, received: float) -> Trace:
    return Trace("rts-1", "transcript", "transcript", "mic", received, end)


def test_a_span_begins_before_the_last_word() -> None:
    assert first_moment(gap(), Limits(86400), trace(T - 5, T - 4), 0.0) == T - 5 - OVERLAP_S


def test_a_quiet_stream_is_not_asked_about_hours() -> None:
    since = first_moment(gap(), Limits(86400), trace(T - 7200, T - 7199), 0.0)
    assert T - 800 < since < T - 700
    assert since > T - HEARD_BEFORE_S


@pytest.mark.parametrize("skew", [-5000.0, 5000.0])
def test_the_service_has_a_clock_of_its_own(skew: float) -> None:
    since = first_moment(gap(), Limits(86400), trace(T + skew - 5, T - 4), 0.0)
    assert since == pytest.approx(T + skew - 5 - OVERLAP_S, abs=1)
    assert first_moment(gap(), Limits(86400), None, skew) == T + skew - OVERLAP_S


def test_a_clock_that_was_not_set_yet_tells_nothing_of_the_service() -> None:
    """The event came while ours showed 1970; by now it is right, and years would be added to what is asked for."""
    early = trace(T - 5, 300.0)
    assert early.ahead_s is None
    assert trace(T - 5, T - 4).ahead_s == -1
    assert first_moment(gap(), Limits(86400), early, 0.0) == T - OVERLAP_S


@pytest.mark.parametrize(("step_s", "started", "ended"), [(3600.0, T, T + 3605), (-3600.0, T - 3600, T - 3595)])
def test_a_gap_by_a_clock_that_was_set_since(step_s: float, started: float, ended: float) -> None:
    """Its beginning is never moved forward: that could leave out what was missed."""
    found = Gap(T, T + 5, "ws-1", "ws-2", lost_at=T).after_step(step_s)
    assert (found.started, found.ended, found.lost_at) == (started, ended, started)


def test_a_gap_longer_than_the_window_is_still_looked_into() -> None:
    long = Gap(T, T + 5000, "ws-1", "ws-2")
    assert long.asked_since(600) == T + 4400
    assert long.seen_since(600) <= T - 3600, "a stream that spoke before the gap may have spoken in it"
    unmended = Gap(T - 7 * 86400, T + 5, "ws-1", "ws-2", lost_at=T)
    assert unmended.seen_since(86400) == T - 86400, "an old gap must not have months of log read at each start"


def test_window_and_clearing_are_limits() -> None:
    assert first_moment(gap(5000), Limits(600), None, 0.0) == T + 5000 - 600
    assert first_moment(gap(), Limits(86400, floor=T - 3), None, 0.0) == T - 3


def pipeline(**fields: Any) -> Pipeline:
    return Pipeline("rts-1", "transcript", "transcript", None, T - 100, born=0.0, **fields)


def test_new_records_once_in_order() -> None:
    heard = Heard()
    heard.add_event(transcript("known", T))
    records = [Record("b", T + 5.5, T + 6), Record("known", T + 0.4, T + 2.2), Record("a", T + 3, T + 4)]
    mine = pipeline()
    assert [r.text for r in mine.take_new(records, heard, 1.0, 0.0)] == ["a", "b"]
    assert mine.take_new(records, heard, 2.0, 0.0) == []
    assert mine.last_new == 1.0


def test_what_may_come_live_waits() -> None:
    heard = Heard()
    mine = pipeline(dead=False)
    records = [Record("a", T, T + 1), Record("b", T + 1, T + 2)]
    assert mine.take_new(records, heard, 10.0, 2.0) == []
    assert mine.is_holding
    heard.add_event({**transcript("a", T), "data": {"text": "a", "start": T, "end": T + 1, "is_final": True}})
    assert [r.text for r in mine.take_new(records, heard, 12.0, 2.0)] == ["b"]
    assert not mine.is_holding


def test_it_is_asked_until_it_settles_and_speaks() -> None:
    mine = pipeline()
    heard = Heard()
    mine.take_new([], heard, 0.0, 0.0)
    assert not mine.is_done(1000.0, 60.0), "it still speaks to a dead connection"
    mine.dead = False
    assert mine.is_done(1000.0, 60.0)
    mine.take_new([Record("late", T, T + 1)], heard, 990.0, 0.0)
    assert not mine.is_done(1000.0, 60.0)
    assert mine.is_done(1050.0, 60.0)


def test_asking_less_once_the_gap_is_old() -> None:
    mine = pipeline()
    mine.take_new([Record("x", T + 1000, T + 1001)], Heard(), 5.0, 0.0)
    mine.advance(10.0, 60.0)
    assert mine.since == T - 100
    mine.advance(69.0, 60.0)
    assert mine.since == T - 100
    mine.advance(71.0, 60.0)
    assert mine.since == T + 1001 - OVERLAP_S


def test_pauses_grow_with_quiet_failures_and_slowness() -> None:
    assert next_pause_s(5.0, 0, 0.1) == 5.0
    assert next_pause_s(5.0, 100, 0.1) == 30.0
    assert next_pause_s(5.0, 0, 10.0) == 40.0
    assert [failed_pause_s(5.0, count) for count in (0, 1, 2, 100)] == [5.0, 10.0, 20.0, 60.0]


# ---- what would have come ----------------------------------------------------------------------------------------


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


def test_a_report_says_what_is_missing() -> None:
    tally = Tally(gap())
    tally.take_troubles({})
    assert tally.report([])[1]["complete"] is False, "nothing was asked yet"
    tally.is_asked = True
    tally.take_troubles({})
    assert not tally.is_told
    tally.counts["transcript"] += 2
    text, data = tally.report([])
    assert data["complete"] is True
    assert data["counts"] == {"transcript": 2}
    assert "2 events read back" in text
    assert tally.is_told
    assert "asked_since" not in data
    assert "unknown" not in data


def test_a_report_says_what_was_not_asked_for() -> None:
    tally = Tally(gap(5000), window_s=600)
    tally.is_asked = True
    tally.take_troubles({}, ["session cap-1"])
    text, data = tally.report([])
    assert data["asked_since"] == "2026-03-02T11:28:50.000Z"
    assert "nothing before 2026-03-02T11:28:50.000Z was asked for" in text
    assert data["unknown"] == ["session cap-1"]
    assert "unknown to the service: session cap-1" in text
    assert tally.is_told


# ---- the log -----------------------------------------------------------------------------------------------------


def write(path: Path, *events: dict[str, Any]) -> None:
    with path.open("a") as log:
        for number, event in enumerate(events):
            line = {"ts": "2026-03-02T10:15:30.000Z", "unix_ts": T + number, **event}
            log.write(json.dumps(line, separators=(",", ":")) + "\n")


def own(event: str, **data: Any) -> dict[str, Any]:
    return {"channel": "videodb_cli", "event": event, "data": {"text": "…", **data}}


CONNECTED = own("listener.connected", connection_id="ws-7")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([{"channel": "x"}], (T, None, "ended", None)),
        ([CONNECTED, {"channel": "x"}], (T + 1, "ws-7", "ended", None)),
        ([CONNECTED, {"channel": "x"}, own("listener.stopped")], (T + 2, "ws-7", "stopped", None)),
        (
            [
                CONNECTED,
                own("listener.disconnected", connection_id="ws-7", reason="cut", alive_at="2026-03-02T10:15:25.000Z"),
            ],
            (1772446525.0, "ws-7", "cut", None),
        ),
        (
            [CONNECTED, own("listener.gap", **{"from": "2026-03-02T10:15:20.000Z"}), {"channel": "x"}],
            (T + 2, "ws-7", "ended", 1772446520.0),
        ),
        (
            [
                CONNECTED,
                own("listener.gap", **{"from": "2026-03-02T10:15:20.000Z"}),
                own("listener.recovered", complete=True, new_connection_id="ws-7"),
            ],
            (T + 2, "ws-7", "ended", None),
        ),
    ],
)
def test_how_the_last_run_ended(tmp_path: Path, events: list[dict[str, Any]], expected: Any) -> None:
    log = tmp_path / "videodb_events.jsonl"
    log.touch()
    write(log, *events)
    found = logscan.last_run(log, log.stat().st_size)
    assert (None if found is None else (found.heard_until, found.connection_id, found.reason, found.unmended_from)) == (
        expected
    )


def test_the_last_run_tells_how_its_clock_stood(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    clock = {"boot_id": "a boot", "uptime_s": 100.0}
    write(log, own("listener.connected", connection_id="ws-7", **clock), {"channel": "x"})
    found = logscan.last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.boot_id, found.ahead_s) == ("a boot", T - 100)
    write(log, own("listener.clock", step_s=3600.0, boot_id="a boot", uptime_s=200.0), {"channel": "x"})
    found = logscan.last_run(log, log.stat().st_size)
    assert found is not None
    assert found.ahead_s == T - 200


@pytest.mark.parametrize("step_s", [1.0e9, 3600.0, -3600.0])
def test_a_scan_reads_over_a_clock_that_was_set(tmp_path: Path, step_s: float) -> None:
    """What stands before the line is as old as it was, whatever its stamp."""
    before = {"unix_ts": T - step_s - 20.0, **transcript("before", T - 20.0)}
    after = {"unix_ts": T, **transcript("after", T - 1.0, stream="rts-2")}
    log = tmp_path / "videodb_events.jsonl"
    lines = [before, {"unix_ts": T - 10.0, **own("listener.clock", step_s=step_s)}, after]
    log.write_text("".join(json.dumps({"ts": "x", **line}) + "\n" for line in lines))
    content = logscan.scan(RunDir(tmp_path), seen_since=T - 30.0, heard_since=T - 30.0)
    assert {seen.stream for seen in content.seen.traces()} == {"rts-1", "rts-2"}
    assert content.heard.has("rts-1", "transcript", "before", T - 20.0, T - 18.0)
    content = logscan.scan(RunDir(tmp_path), seen_since=T - 5.0, heard_since=T - 5.0)
    assert {seen.stream for seen in content.seen.traces()} == {"rts-2"}


def test_a_log_that_was_just_rotated_says_little(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    write(tmp_path / "videodb_events.jsonl.1", CONNECTED, {"channel": "x"})
    write(log, own("log.rotated", reason="size"), {"channel": "x"})
    found = logscan.last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.heard_until, found.connection_id) == (T + 1, "ws-7")


def test_logs_of_older_scripts_are_read(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    log.write_text(
        '{"channel": "transcript", "data": {}, "ts": "2026-03-02T10:15:30.123456+00:00", "unix_ts": 1772446530}\n'
    )
    found = logscan.last_run(log, log.stat().st_size)
    assert found is not None
    assert found.heard_until == T


def test_a_scan_finds_streams_sessions_and_words(tmp_path: Path) -> None:
    active = {
        "event": "capture_session.active",
        "capture_session_id": "cap-1",
        "status": "active",
        "data": {"rtstreams": [{"rtstream_id": "rts-9", "name": "screen"}]},
    }
    write(
        tmp_path / "videodb_events.jsonl.1",
        active,
        transcript("old", T - 50),
        {"raw": "x"},
        CONNECTED,
    )
    write(tmp_path / "videodb_events.jsonl", transcript("new", T), transcript("interim", T + 9, is_final=False))
    content = logscan.scan(RunDir(tmp_path), seen_since=T - 1, heard_since=T + 0.5)
    assert {(t.stream, t.end) for t in content.seen.traces()} == {("rts-1", T + 11)}
    assert content.seen.session_statuses() == {"cap-1": ("active", T)}
    assert content.seen.members("cap-1") == {"rts-9": "screen"}
    assert content.heard.has("rts-1", "transcript", "old", T - 50, T - 48)
    assert not content.heard.has("rts-1", "transcript", "new", T, T + 2), "received before what was asked for"


@given(st.binary(max_size=300))
def test_any_bytes_in_a_log_are_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    directory = tmp_path_factory.mktemp("d")
    log = directory / "videodb_events.jsonl"
    log.write_bytes(content)
    logscan.last_run(log, len(content))
    logscan.scan(RunDir(directory), seen_since=0, heard_since=0)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"v":1,"channels":7,"pipelines":[1,{"rtstream_id":5}]}', '{"v":99}']
)
def test_any_capture_file_is_survived(tmp_path: Path, content: str) -> None:
    run_dir = RunDir(tmp_path)
    run_dir.capture_info.write_text(content)
    assert logscan.read_capture_info(run_dir).session_id is None


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
    targets = Targets(Seen(), "default")
    targets.look_around(logscan.read_capture_info(run_dir), started=T, oldest=0.0)
    assert targets.sessions["cap-5"].collection == "c-2"
    assert {(s.stream, s.name) for s in targets.streams.values()} == {("rts-5", "mic:default"), ("rts-6", None)}
    targets.add_pipelines(gap(), Limits(86400), 0.0, {"rts-6": {"idx-1": "visual_index", "idx-2": "visual_index"}})
    dead = {item["rtstream_index_id"] for item in targets.dead_pipelines() if item["channel"] == "visual_index"}
    assert dead == {"idx-2"}, "an index that was made for the new connection is not dead"
