"""What the log and the capture's state file know."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.last_run import last_run
from videodb_cli.listener.recovery import history
from videodb_cli.listener.recovery.evidence import event_fingerprint
from videodb_cli.listener.recovery.history import StreamHistory, scan
from videodb_cli.listener.recovery.known_capture import read_known_capture
from videodb_cli.rundir.paths import RunDir

T = 1772446530.0


def transcript(text: str, start: float, *, stream: str = "rts-1", **data: Any) -> dict[str, Any]:
    body = {"text": text, "is_final": True, "start": int(start * 1000), "end": int((start + 2) * 1000), **data}
    return {"channel": "transcript", "rtstream_id": stream, "rtstream_name": "mic:default", "data": body}


def write(path: Path, *events: dict[str, Any]) -> None:
    with path.open("a") as log:
        for number, event in enumerate(events):
            line = {"ts": "2026-03-02T10:15:30.000Z", "unix_ts": T + number, **event}
            log.write(json.dumps(line, separators=(",", ":")) + "\n")


def own(event: str, **data: Any) -> dict[str, Any]:
    return {"channel": "videodb_cli", "event": event, "data": {"text": "…", **data}}


CONNECTED = own("listener.connected", connection_id="ws-7")


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
    content = scan(RunDir(tmp_path), seen_since=T - 1, known_since=T + 0.5)
    assert {(t.stream, t.end) for t in content.history.last_events().values()} == {("rts-1", T + 11)}
    assert content.history.session_statuses() == {"cap-1": ("active", T)}
    assert content.history.members("cap-1") == {"rts-9": "screen"}
    old, new = event_fingerprint(transcript("OLD", T - 50)), event_fingerprint(transcript("new", T))
    assert old is not None
    assert new is not None
    assert old in content.known
    assert new not in content.known, "received before what was asked for"


@pytest.mark.parametrize("step_s", [1.0e9, 3600.0, -3600.0])
def test_a_scan_reads_over_a_clock_that_was_set(tmp_path: Path, step_s: float) -> None:
    """What stands before the line is as old as it was, whatever its stamp."""
    before = {"unix_ts": T - step_s - 20.0, **transcript("before", T - 20.0)}
    after = {"unix_ts": T, **transcript("after", T - 1.0, stream="rts-2")}
    log = tmp_path / "videodb_events.jsonl"
    lines = [before, {"unix_ts": T - 10.0, **own("listener.clock", step_s=step_s)}, after]
    log.write_text("".join(json.dumps({"ts": "x", **line}) + "\n" for line in lines))
    content = scan(RunDir(tmp_path), seen_since=T - 30.0, known_since=T - 30.0)
    assert {stream for stream, _ in content.history.last_events()} == {"rts-1", "rts-2"}
    fingerprint = event_fingerprint(before)
    assert fingerprint is not None
    assert fingerprint in content.known
    # The event of the earlier run tells the service's clock by ours as it is now, and goes on to after another step.
    live = StreamHistory()
    live.add_older(content.history)
    assert live.last_events()["rts-1", "transcript"].ahead_s == pytest.approx(2.0)
    live.on_clock_set(50.0)
    assert live.last_events()["rts-1", "transcript"].ahead_s == pytest.approx(-48.0)
    content = scan(RunDir(tmp_path), seen_since=T - 5.0, known_since=T - 5.0)
    assert {stream for stream, _ in content.history.last_events()} == {"rts-2"}


@given(st.binary(max_size=300))
def test_any_bytes_in_a_log_are_survived(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    directory = tmp_path_factory.mktemp("d")
    log = directory / "videodb_events.jsonl"
    log.write_bytes(content)
    last_run(log, len(content))
    scan(RunDir(directory), seen_since=0, known_since=0)


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"v":1,"channels":7,"pipelines":[1,{"rtstream_id":5}]}', '{"v":99}']
)
def test_any_capture_file_is_survived(tmp_path: Path, content: str) -> None:
    run_dir = RunDir(tmp_path)
    run_dir.capture_info.write_text(content)
    assert read_known_capture(run_dir).session_id is None


def test_what_was_read_back_is_remembered_in_its_order(tmp_path: Path) -> None:
    read_back = [{**transcript(f"thing {number}", T + 10 * number), "recovered": True} for number in range(3)]
    write(tmp_path / "videodb_events.jsonl", *read_back)
    found = scan(RunDir(tmp_path), seen_since=0, known_since=0).recovered
    assert [written_at for _, written_at in found] == [T, T + 1, T + 2]
    assert [event["data"]["text"] for event, _ in found] == ["thing 0", "thing 1", "thing 2"]


def test_a_scan_ends_where_nothing_younger_can_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "videodb_events.jsonl", transcript("new", T))
    write(tmp_path / "videodb_events.jsonl.1", transcript("old", T - 100))
    looked: list[str] = []

    def blocks(source: Any) -> Any:
        looked.append(source.path.name)
        return real(source)

    real = history.blocks_backwards
    monkeypatch.setattr(history, "blocks_backwards", blocks)
    scan(RunDir(tmp_path), seen_since=T + 1, known_since=T + 1)
    assert looked == ["videodb_events.jsonl"]
