"""The directory: made private, left alone when it exists, refused when it cannot be trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.errors import NotFoundError, RefusedError
from videodb_cli.rundir import paths


def test_names(tmp_path: Path) -> None:
    run_dir = paths.RunDir(tmp_path)
    members = {name: getattr(run_dir, name) for name in dir(run_dir) if not name.startswith("_") and name != "path"}
    named = {name: path.name for name, path in members.items() if isinstance(path, Path)}
    assert named == {
        "log": "videodb_events.jsonl",
        "ws_id": "videodb_ws_id",
        "pid": "videodb_ws_pid",
        "lock": "videodb.lock",
        "listener_state": "videodb_listener.json",
        "listener_log": "videodb_listener.log",
        "capture_pid": "videodb_capture_pid",
        "capture_info": "videodb_capture_info.json",
        "capture_lock": "videodb_capture.lock",
        "capture_start_lock": ".videodb_capture_start.lock",
        "capture_control": ".videodb_capture_control.json",
        "capture_log": "videodb_capture.log",
        "local": "local",
    }


def test_created_with_its_parents_0700(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        assert paths.create(tmp_path / "a" / "b").path == tmp_path / "a" / "b"
    finally:
        os.umask(umask)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b")] == [0o700, 0o700]


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o1777, 0o500])
def test_one_that_exists_keeps_its_mode(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    paths.create(tmp_path)
    assert tmp_path.stat().st_mode & 0o7777 == mode
    tmp_path.chmod(0o700)


@pytest.mark.parametrize("mode", [0o777, 0o2777, 0o703])
def test_one_that_everybody_may_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    tmp_path.chmod(mode)
    if mode & 0o002:
        with pytest.raises(RefusedError, match="sticky") as refused:
            paths.create(tmp_path)
        assert refused.value.hint == f"chmod o-w {tmp_path}"
    tmp_path.chmod(0o700)


def test_what_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(RefusedError, match="is not a directory"):
        paths.create(tmp_path / "file")
    for name in ("file/below", "loop/below", "x" * 300):
        with pytest.raises(RefusedError):
            paths.create(tmp_path / name)
    with pytest.raises(RefusedError):
        paths.check(tmp_path / "loop")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NotFoundError):
        paths.create(tmp_path / "dangling")
    with pytest.raises(NotFoundError, match="no such directory"):
        paths.check(tmp_path / "missing")
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert paths.create(tmp_path / "link").path == tmp_path / "link"


def test_a_directory_that_may_not_be_looked_into(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def exists(_: Path) -> bool:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "exists", exists)
    with pytest.raises(RefusedError, match="Permission denied"):
        paths.create(tmp_path / "x")


def test_no_log_names_the_one_of_the_older_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    legacy = tmp_path / "tmp"
    legacy.mkdir()
    monkeypatch.setattr(paths, "_LEGACY_DIRECTORY", legacy)
    run_dir = paths.RunDir(tmp_path)
    assert "videodb listen" in str(paths.no_log_error(run_dir).hint)
    (legacy / paths.LOG_NAME).symlink_to(tmp_path / "x")
    assert paths.legacy_log() is None
    (legacy / paths.LOG_NAME).unlink()
    (legacy / paths.LOG_NAME).touch()
    assert f"--dir {legacy}" in str(paths.no_log_error(run_dir).hint)
    assert "videodb listen" in str(paths.no_log_error(paths.RunDir(legacy)).hint)


@pytest.mark.parametrize("look", [paths.create, paths.check])
def test_a_name_that_is_not_utf_8_is_refused(tmp_path: Path, look: Callable[[Path], object]) -> None:
    place = tmp_path / os.fsdecode(b"x\xff")
    with pytest.raises(RefusedError, match=r"x\\xff is not UTF-8"):
        look(place)
    assert not place.exists()
