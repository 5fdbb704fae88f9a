"""What a crash leaves is removed once; what lives is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from videodb_cli.rundir.lock import DirectoryLock
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    found = RunDir(tmp_path)
    found.lock.write_text('{"v":1,"pid":999999999,"start_token":"boot:1"}\n')
    found.ws_id.write_text("ws-1\n")
    found.pid.write_text("999999999\n")
    found.listener_state.write_text('{"v":1}\n')
    found.log.write_text("{}\n")
    return found


def names(run_dir: RunDir) -> set[str]:
    return {path.name for path in run_dir.path.iterdir()}


def test_removed_once_and_named(run_dir: RunDir) -> None:
    assert remove_stale(run_dir) == 999999999
    assert names(run_dir) == {"videodb.lock", "videodb_events.jsonl"}
    assert remove_stale(run_dir) is None


def test_a_state_that_was_being_written_at_a_kill_is_removed_too(run_dir: RunDir) -> None:
    (run_dir.path / ".videodb_listener.json.fb468086dbfd").write_text('{"v":1')
    (run_dir.path / ".videodb_listener.json.of-somebody").write_text("")
    assert remove_stale(run_dir) == 999999999
    assert names(run_dir) == {"videodb.lock", "videodb_events.jsonl", ".videodb_listener.json.of-somebody"}


def test_held_means_alive(run_dir: RunDir) -> None:
    with DirectoryLock(run_dir.lock):
        assert remove_stale(run_dir) is None
    assert run_dir.ws_id.exists()


def test_a_recycled_pid_does_not_keep_them(run_dir: RunDir) -> None:
    run_dir.pid.write_text(f"{os.getpid()}\n")
    assert remove_stale(run_dir) == os.getpid()


def test_a_running_listener_of_the_older_script_keeps_its_files(run_dir: RunDir) -> None:
    run_dir.listener_state.unlink()
    run_dir.pid.write_text(f"{os.getpid()}")
    assert remove_stale(run_dir) is None
    assert run_dir.ws_id.exists()
    run_dir.pid.write_text("999999999")
    assert remove_stale(run_dir) == 999999999


def test_without_a_lock_file_none_of_ours_ever_ran(run_dir: RunDir) -> None:
    run_dir.lock.unlink()
    assert remove_stale(run_dir) is None
    assert run_dir.pid.exists()


@pytest.mark.parametrize("content", ["", "x", "-1", "1e3"])
def test_an_unreadable_pid(run_dir: RunDir, content: str) -> None:
    run_dir.pid.write_text(content)
    assert remove_stale(run_dir) == 0
    assert not run_dir.pid.exists()


def test_a_link_in_the_place_of_the_lock_touches_nothing(run_dir: RunDir) -> None:
    run_dir.lock.unlink()
    run_dir.lock.symlink_to(run_dir.log)
    assert remove_stale(run_dir) is None
    assert run_dir.ws_id.exists()
