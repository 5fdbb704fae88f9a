"""The state file of a listener, by whichever version or accident it was written."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir import listener_state, state
from videodb_cli.rundir.listener_state import ListenerState, running_listener
from videodb_cli.rundir.lock import DirectoryLock
from videodb_cli.rundir.paths import RunDir

FULL = ListenerState(
    pid=os.getpid(),
    start_token=current_start_token(),
    state="connected",
    written_at=1772446530.25,
    connection_id="ws-1",
    ping_interval_s=15.0,
    events=7,
    gap_s=1.5,
    dead_pipelines=[{"channel": "transcript", "rtstream_id": "rts-1"}],
    log_writable=True,
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Iterator[RunDir]:
    found = RunDir(tmp_path)
    lock = DirectoryLock(found.lock)
    lock.acquire(current_start_token())
    yield found
    lock.release()


def test_round_trip_and_the_keys_on_disk(run_dir: RunDir) -> None:
    listener_state.write(run_dir, FULL)
    assert running_listener(run_dir) == FULL
    # Programs and older versions of ours read these names.
    assert list(json.loads(run_dir.listener_state.read_bytes())) == [
        *("v", "pid", "start_token", "state", "written_at", "boot_id", "uptime_s", "started_at", "host"),
        *("connection_id", "connected_since", "last_message_at", "last_pong_at", "last_bytes_at"),
        *("ping_interval_s", "ping_timeout_s", "events", "unparsable", "recovered", "doubles", "reconnects"),
        *("gaps", "gap_s", "events_per_s", "dead_pipelines", "log_bytes", "pending_bytes", "log_writable"),
        *("trouble", "output_dropped", "redacted", "retry_at", "last_failure"),
    ]


def test_an_older_file_has_defaults_and_a_newer_one_may_say_more(run_dir: RunDir) -> None:
    named = {"pid": FULL.pid, "start_token": FULL.start_token}
    state.write(run_dir.listener_state, {**named, "events": 3, "invented_later": {"x": 1}})
    found = running_listener(run_dir)
    assert found == ListenerState(pid=FULL.pid, start_token=FULL.start_token, events=3)


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("written_at", "now"),
        ("events", None),
        ("events", True),
        ("events", "7"),
        ("gap_s", []),
        ("host", 5),
        ("connection_id", {}),
        ("dead_pipelines", None),
        ("dead_pipelines", [1]),
        ("log_writable", 1),
    ],
)
def test_a_member_of_another_type_has_its_default_and_the_others_are_believed(member: str, value: Any) -> None:
    found = ListenerState.from_fields({**FULL.to_fields(), member: value})
    expected = {**FULL.to_fields(), member: getattr(ListenerState(), member)}
    assert found.to_fields() == expected


def test_what_was_left_behind_by_another_process_says_nothing(run_dir: RunDir) -> None:
    state.write(run_dir.listener_state, {**FULL.to_fields(), "start_token": "an earlier one"})
    assert running_listener(run_dir) == ListenerState(pid=FULL.pid, start_token=FULL.start_token)


def test_nobody_holds_the_lock(tmp_path: Path) -> None:
    listener_state.write(RunDir(tmp_path), FULL)
    assert running_listener(RunDir(tmp_path)) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=8),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=8), children, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(ListenerState.__struct_fields__) | st.text(max_size=5), JSON))
def test_no_members_break_it(fields: dict[str, Any]) -> None:
    found = ListenerState.from_fields(fields)
    assert ListenerState.from_fields(found.to_fields()).events == found.events
