"""The state file of a capture: the same for writer and readers, and believed as far as it makes sense."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import capture_state, state
from videodb_cli.rundir.capture_state import CaptureState, ChannelState, ControlAnswer, PipelineState, ReportedError
from videodb_cli.rundir.paths import RunDir

FULL = CaptureState(
    "cap-1",
    pid=7,
    start_token="boot:1",
    collection_id="c-1",
    status="active",
    started_at=1.5,
    channels=[ChannelState("mic:default", "mic", "rts-1", "Built-in", store=True, state="flowing", bytes=5)],
    pipelines=[PipelineState("alert", "rts-1", "idx-1", "al-1", "ws-1", "pager")],
    error=ReportedError("lost", "every channel is lost"),
    control=ControlAnswer("r-1", ReportedError("not_active", "it is over")),
    written_at=2.5,
)
# The keys and their order are a promise: programs read the file, and people do.
KEYS = [
    "session_id",
    "pid",
    "start_token",
    "collection_id",
    "status",
    "started_at",
    "ws_connection_id",
    "channels",
    "pipelines",
    "streaming_session_id",
    "recorder",
    "listener_started",
    "listener_pid",
    "error",
    "session_status",
    "service_trouble",
    "exported_video_id",
    "stream_url",
    "player_url",
    "left_at_service",
    "outcome_due",
    "control",
    "written_at",
    "boot_id",
    "uptime_s",
]
CHANNEL_KEYS = [
    "channel_id",
    "type",
    "rtstream_id",
    "name",
    "store",
    "is_primary",
    "state",
    "bytes",
    "frames",
    "drops",
    "media_s",
    "last_progress_at",
    "last_media_at",
    "media_since",
    "paused_until",
    "stall_after_s",
    "restarts",
    "paused",
    "reason",
    "pid",
    "start_token",
]


def on_disk(run_dir: RunDir, **fields: Any) -> CaptureState:
    run_dir.capture_info.write_text(json.dumps({"v": 1, "session_id": "cap-1", **fields}))
    found = capture_state.read(run_dir)
    assert found is not None
    return found


def test_what_is_written_is_read(tmp_path: Path) -> None:
    capture_state.write(RunDir(tmp_path), FULL)
    assert capture_state.read(RunDir(tmp_path)) == FULL
    fields = json.loads(RunDir(tmp_path).capture_info.read_text())
    assert list(fields) == ["v", *KEYS]
    assert list(fields["channels"][0]) == CHANNEL_KEYS


def test_there_is_none(tmp_path: Path) -> None:
    assert capture_state.read(RunDir(tmp_path)) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"v":1}', '{"v":1,"session_id":7}', '{"v":1,"session_id":null}'])
def test_what_names_no_session_is_no_capture(tmp_path: Path, content: str) -> None:
    RunDir(tmp_path).capture_info.write_text(content)
    assert capture_state.read(RunDir(tmp_path)) is None


def test_a_newer_file_is_refused_in_words(tmp_path: Path) -> None:
    RunDir(tmp_path).capture_info.write_text('{"v":99,"session_id":"cap-1"}')
    with pytest.raises(RefusedError, match="written by a newer videodb"):
        capture_state.read(RunDir(tmp_path))


def test_an_older_file_has_defaults_and_a_newer_one_is_read_as_far_as_it_is_known(tmp_path: Path) -> None:
    assert on_disk(RunDir(tmp_path)) == CaptureState("cap-1")
    found = on_disk(RunDir(tmp_path), colour="red", channels=[{"channel_id": "mic:default", "loudness": 3}])
    assert found == CaptureState("cap-1", channels=[ChannelState("mic:default")])


def test_only_what_has_the_wrong_type_is_not_believed(tmp_path: Path) -> None:
    found = on_disk(
        RunDir(tmp_path),
        pid="seven",
        status="failed",
        started_at=[],
        channels=[{"channel_id": "mic:default", "pid": "no", "store": True}, 5],
        pipelines={"kind": "alert"},
        error={"code": 5, "message": "lost"},
        control=[1],
    )
    assert found == CaptureState(
        "cap-1",
        status="failed",
        channels=[ChannelState("mic:default", store=True)],
        error=ReportedError(message="lost"),
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*KEYS, *CHANNEL_KEYS, "id"]), inner),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_any_fields_are_survived_and_can_be_written_again(fields: dict[str, Any]) -> None:
    found = CaptureState.from_fields({**fields, "session_id": "cap-1"})
    assert found is not None
    assert CaptureState.from_fields(found.to_fields()) == found


def test_answers_show_what_is_of_use_to_others() -> None:
    shown = FULL.for_users()
    assert shown["session_id"] == "cap-1"
    assert not {"pid", "start_token", "control", "written_at", "listener_pid", "outcome_due", "v"} & set(shown)


# ---- what it says about the end --------------------------------------------------------------------------------------


def alive(_pid: int, _token: str) -> bool:
    return True


def dead(_pid: int, _token: str) -> bool:
    return False


def test_a_failure_is_what_the_file_says_or_a_process_that_is_gone() -> None:
    assert FULL.failure(alive) is None
    died = FULL.failure(dead)
    assert died is not None
    assert (died.code, died.message) == ("capture_died", "the background process of the capture (pid 7) died")
    assert CaptureState("cap-1", status="exported", pid=7, start_token="t").failure(dead) is None
    assert CaptureState("cap-1", status="failed").failure(alive) == ReportedError("failed", "the capture failed")


@pytest.mark.parametrize(
    ("status", "code", "left", "died", "unsettled"),
    [
        ("failed", "capture_died", None, True, None),
        ("failed", "capture_died_and_was_stopped", None, False, None),
        ("failed", "lost", "export", False, "export"),
        ("failed", "lost", "session", False, "session"),
        ("failed", "lost", "something else", False, None),
        ("exported", "lost", "export", False, None),
    ],
)
def test_what_stop_has_still_to_see_to(
    status: str, code: str, left: str | None, died: bool, unsettled: str | None
) -> None:
    found = CaptureState("cap-1", status=status, error=ReportedError(code), left_at_service=left)
    assert (found.has_died, found.unsettled) == (died, unsettled)


def test_a_full_disk_is_written_over_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_dir = RunDir(tmp_path)
    capture_state.write(run_dir, FULL)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state, "write", full)
    capture_state.write(run_dir, CaptureState("cap-1", status="stopped"))
    found = capture_state.read(run_dir)
    assert found is not None
    assert found.status == "stopped"


# ---- stalls ----------------------------------------------------------------------------------------------------------


def flowing(last_media_at: float | None = 100.0, **members: Any) -> ChannelState:
    return ChannelState("display:1", "display", state="flowing", last_media_at=last_media_at, **members)


@pytest.mark.parametrize(
    ("channel", "now", "stalled"),
    [
        (flowing(), 114.9, False),
        (flowing(), 115.0, True),
        (flowing(None), 999.0, False),
        (flowing(paused=True), 999.0, False),
        (flowing(paused_until=110.0), 124.9, False),
        (flowing(paused_until=110.0), 125.0, True),
        (flowing(stall_after_s=None), 999.0, False),
        (flowing(stall_after_s=60.0), 130.0, False),
        (ChannelState("mic:file", state="interrupted", last_media_at=100.0), 115.0, True),
        (ChannelState("mic:file", state="failed", last_media_at=100.0), 115.0, True),
        # A film that is over, and a channel that was stopped, owe nothing.
        (ChannelState("mic:file", state="finished", last_media_at=100.0), 999.0, False),
        (ChannelState("mic:file", state="stopped", last_media_at=100.0), 999.0, False),
        (ChannelState("mic:file", state="starting"), 999.0, False),
    ],
)
def test_what_is_a_stall(channel: ChannelState, now: float, stalled: bool) -> None:
    assert channel.is_stalled(now) is stalled
    for status in ("active", "stopping", "stopped", "exported", "failed"):
        expected = [channel] if stalled and status == "active" else []
        assert CaptureState("cap-1", status=status, channels=[channel]).stalled(now) == expected


def test_media_flow_since_the_last_stall_and_a_pause_is_none() -> None:
    channel = ChannelState("display:1", "display", state="flowing")
    for now in (10.0, 12.0, 20.0):
        channel.note_media(now)
    assert (channel.media_since, channel.last_media_at) == (10.0, 20.0)
    channel.note_paused(True, 21.0)
    channel.note_paused(False, 90.0)
    channel.note_media(91.0)
    assert channel.media_since == 10.0
    channel.note_media(106.0)
    assert channel.media_since == 106.0
    channel.note_paused(False, 110.0)
    assert channel.paused_until == 90.0
    assert (channel.media_word, ChannelState("mic:default", "mic").media_word) == ("frame", "sound")
