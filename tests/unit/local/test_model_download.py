"""The directory of an installation is always removed, and the progress of a download is told."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest

from videodb_cli.commands.model_install import bar_line
from videodb_cli.local import model_download
from videodb_cli.local.model_download import install_directory, largest_file, remove_stale, watched


def test_the_directory_is_removed_when_interrupted(tmp_path: Path) -> None:
    def interrupted() -> None:
        with install_directory(tmp_path) as scratch:
            (scratch / "half").write_bytes(b"x")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_the_directory_of_a_killed_installation_goes_and_that_of_a_running_one_stays(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        token = model_download._token(child.pid)
        assert token
        killed = tmp_path / f".install-{child.pid}-{token}-abc"
        killed.mkdir()
        (killed / "model.bin").write_bytes(b"half")
        with install_directory(tmp_path) as ours:
            remove_stale(tmp_path)
            assert killed.is_dir()
            child.kill()
            child.wait()
            remove_stale(tmp_path)
            assert not killed.exists()
            assert ours.is_dir()
        assert list(tmp_path.iterdir()) == []


def test_a_recycled_process_id_is_another_process(tmp_path: Path) -> None:
    (tmp_path / f".install-{os.getpid()}-0000-abc").mkdir()
    remove_stale(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_directory_without_an_owner_goes_after_an_hour(tmp_path: Path) -> None:
    new, old = tmp_path / ".install-abc", tmp_path / ".install-def"
    new.mkdir()
    old.mkdir()
    os.utime(old, (1, 1))
    other = tmp_path / "whisper"
    other.mkdir()
    (tmp_path / ".install-1-1-link").symlink_to(other)
    remove_stale(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".install-abc", "whisper", ".install-1-1-link"}


def test_the_largest_file_is_told_until_the_end(tmp_path: Path) -> None:
    told: list[int] = []
    came = threading.Event()

    def tell(size: int) -> None:
        told.append(size)
        came.set()

    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x.whl").write_bytes(b"x" * 1000)
    (tmp_path / "y").write_bytes(b"y")
    with watched(tmp_path, tell):
        assert came.wait(20)
    count = len(told)
    assert told[-1] == 1000
    assert not any(thread.name == "download-progress" for thread in threading.enumerate())
    assert len(told) == count
    assert largest_file(tmp_path / "missing") == 0


@pytest.mark.parametrize("width", [1, 20, 40, 60, 80, 200])
@pytest.mark.parametrize("done", [0, 1, 35e6, 71e6, 90e6])
def test_the_bar_fits(done: float, width: int) -> None:
    assert len(bar_line(done, 71e6, 10.0, width)) <= width


def test_the_bar_says_speed_and_time_left() -> None:
    assert bar_line(35.5e6, 71e6, 10.0, 100) == f"  {'━' * 15}{'─' * 15} 36 of 71 MB · 3.5 MB/s · 0:10 left"
    assert bar_line(0, 71e6, 0.0, 100) == f"  {'─' * 30} 0 of 71 MB"
