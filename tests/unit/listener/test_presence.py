"""The files of a listener come and go with it, and never come back."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.listener.presence import Presence
from videodb_cli.rundir import private
from videodb_cli.rundir.paths import RunDir


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


def names(run_dir: RunDir) -> set[str]:
    return {path.name for path in run_dir.path.iterdir()}


def test_life(run_dir: RunDir) -> None:
    run_dir.ws_id.write_text("stale\n")
    presence = Presence(run_dir)
    presence.claim()
    assert names(run_dir) == {"videodb_ws_pid"}, "an id of an earlier run wires nothing to a dead socket"
    assert run_dir.pid.read_text() == f"{os.getpid()}\n"
    presence.publish_id("ws-1")
    presence.write_state({"state": "connected"})
    assert run_dir.ws_id.read_text() == "ws-1\n"
    state = json.loads(run_dir.listener_state.read_text())
    assert list(state) == ["v", "pid", "start_token", "state"]
    assert {path.stat().st_mode & 0o777 for path in run_dir.path.iterdir()} == {0o600}
    presence.withdraw_id()
    assert not run_dir.ws_id.exists()
    presence.release()
    assert names(run_dir) == set()


def test_a_write_that_was_under_way_brings_nothing_back(run_dir: RunDir) -> None:
    presence = Presence(run_dir)
    presence.claim()
    presence.release()
    presence.write_state({})
    presence.publish_id("ws-1")
    assert names(run_dir) == set()


@pytest.mark.parametrize("name", ["ws_id", "pid", "listener_state"])
def test_links_are_refused_by_name(run_dir: RunDir, name: str) -> None:
    place = getattr(run_dir, name)
    place.symlink_to(run_dir.path / "target")
    with pytest.raises(RefusedError, match=place.name):
        Presence(run_dir).claim()
    assert place.is_symlink()


def test_a_directory_that_cannot_be_written(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(30, "Read-only file system", "x")

    monkeypatch.setattr(private, "write_atomic", full)
    with pytest.raises(RefusedError, match="Read-only file system"):
        Presence(run_dir).claim()
