"""The files of a listener come and go with it, and never come back."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import threading
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.listener import run_files
from videodb_cli.listener.run_files import RunFiles, RunFilesWriter
from videodb_cli.rundir import private, state
from videodb_cli.rundir.listener_state import ListenerState
from videodb_cli.rundir.paths import RunDir

STATE = ListenerState(pid=os.getpid(), state="connected")


@pytest.fixture
def run_dir(tmp_path: Path) -> RunDir:
    return RunDir(tmp_path)


def names(run_dir: RunDir) -> set[str]:
    return {path.name for path in run_dir.path.iterdir()}


def test_life(run_dir: RunDir) -> None:
    run_dir.ws_id.write_text("stale\n")
    files = RunFiles(run_dir)
    files.claim()
    assert names(run_dir) == {"videodb_ws_pid"}, "an id of an earlier run wires nothing to a dead socket"
    assert run_dir.pid.read_text() == f"{os.getpid()}\n"
    files.publish_id("ws-1")
    files.write_state(STATE)
    assert run_dir.ws_id.read_text() == "ws-1\n"
    written = json.loads(run_dir.listener_state.read_text())
    assert list(written) == ["v", *ListenerState.__struct_fields__]
    assert {path.stat().st_mode & 0o777 for path in run_dir.path.iterdir()} == {0o600}
    files.withdraw_id()
    assert not run_dir.ws_id.exists()
    files.release()
    assert names(run_dir) == set()


def test_a_write_that_was_under_way_brings_nothing_back(run_dir: RunDir) -> None:
    files = RunFiles(run_dir)
    files.claim()
    files.release()
    files.write_state(STATE)
    files.publish_id("ws-1")
    assert names(run_dir) == set()


@pytest.mark.parametrize("name", ["ws_id", "pid", "listener_state"])
def test_links_are_refused_by_name(run_dir: RunDir, name: str) -> None:
    place = getattr(run_dir, name)
    place.symlink_to(run_dir.path / "target")
    with pytest.raises(RefusedError, match=place.name):
        RunFiles(run_dir).claim()
    assert place.is_symlink()


class FullDisk:
    """No room for a new file, as long as it is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_full = True
        write = private.write_atomic

        def write_atomic(path: Path, content: bytes) -> None:
            if self.is_full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            write(path, content)

        monkeypatch.setattr(private, "write_atomic", write_atomic)


def test_a_full_disk_still_takes_the_state(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    files = RunFiles(run_dir)
    files.claim()
    assert files.write_state(ListenerState(events=1)) is None
    size = run_dir.listener_state.stat().st_size
    disk = FullDisk(monkeypatch)
    for n in (2, 3):
        assert files.write_state(ListenerState(events=n)) == "No space left on device"
        found = state.read(run_dir.listener_state)
        assert found is not None
        assert (found["events"], found["trouble"]) == (n, "No space left on device")
        assert run_dir.listener_state.stat().st_size == size, "it took no room"
    # What no longer fits is left out; what then still does not fit is told as before.
    full = ListenerState(events=4, trouble="x", dead_pipelines=[{"channel": "y" * 5000}])
    assert files.write_state(full) is not None
    found = state.read(run_dir.listener_state) or {}
    assert (found["events"], found["trouble"], found["dead_pipelines"]) == (4, "x", [])
    with pytest.raises(OSError, match="No space left"):
        files.write_state(ListenerState(last_failure="z" * 5000))
    disk.is_full = False
    assert files.write_state(ListenerState(events=5)) is None
    assert (state.read(run_dir.listener_state) or {})["trouble"] is None


async def test_an_id_that_found_no_room_is_published_as_soon_as_there_is_some(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RunFiles(run_dir)
    files.claim()
    told: list[str] = []
    writer = RunFilesWriter(files, lambda: STATE, told.append)
    await writer.write_state()
    disk = FullDisk(monkeypatch)
    await writer.publish("ws-1")
    assert (run_dir.ws_id.exists(), told) == (False, ["No space left on device"] * 2)
    await writer.write_state()
    disk.is_full = False
    await writer.write_state()
    assert run_dir.ws_id.read_text() == "ws-1\n"
    disk.is_full = True
    await writer.publish("ws-2")
    await writer.withdraw()
    disk.is_full = False
    await writer.write_state()
    assert not run_dir.ws_id.exists(), "that connection is gone"


async def test_a_stuck_disk_holds_neither_a_stop_nor_the_next_connection(
    run_dir: RunDir, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = RunFiles(run_dir)
    files.claim()
    writer = RunFilesWriter(files, lambda: STATE, lambda _: None)
    await writer.publish("ws-1")
    stuck, let_go = threading.Event(), threading.Event()
    remove = private.remove

    def stuck_remove(path: Path) -> None:
        stuck.set()
        assert let_go.wait(20)
        remove(path)

    monkeypatch.setattr(private, "remove", stuck_remove)
    monkeypatch.setattr(run_files, "_PATIENCE_S", 0.05)
    async with asyncio.timeout(10):
        await writer.withdraw()
        assert stuck.is_set()
        publishing = asyncio.create_task(writer.publish("ws-2"))
        await writer.release()
        let_go.set()
        await publishing
        while names(run_dir):  # noqa: ASYNC110 - a thread removes them
            await asyncio.sleep(0.01)


def test_a_directory_that_cannot_be_written(run_dir: RunDir, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(30, "Read-only file system", "x")

    monkeypatch.setattr(private, "write_atomic", full)
    with pytest.raises(RefusedError, match="Read-only file system"):
        RunFiles(run_dir).claim()
