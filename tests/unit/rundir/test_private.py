"""Private files: nothing but a plain file of ours is ever opened, and never half of one is seen."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private


def link(path: Path) -> None:
    path.with_name("target").write_text("theirs")
    path.symlink_to(path.with_name("target"))


def dangling(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))


def hard_link(path: Path) -> None:
    path.with_name("target").write_text("theirs")
    path.parent.chmod(0o1777)
    path.hardlink_to(path.with_name("target"))


@pytest.mark.parametrize("stand_in", [link, dangling, os.mkfifo, Path.mkdir, hard_link])
@pytest.mark.parametrize(
    "act",
    [
        private.read_bytes,
        private.check_place,
        lambda path: private.write_atomic(path, b"x"),
        lambda path: private.open_fd(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND),
        lambda path: private.open_fd(path, os.O_RDWR),
    ],
    ids=["read", "check", "write", "append", "update"],
)
def test_what_is_not_a_plain_file_of_ours_is_refused_by_name(
    tmp_path: Path, stand_in: Callable[[Path], None], act: Callable[[Path], object]
) -> None:
    path = tmp_path / "videodb_ws_id"
    stand_in(path)
    before = sorted(entry.name for entry in tmp_path.iterdir())
    with pytest.raises(RefusedError, match=r"videodb_ws_id is .*; it is not touched"):
        act(path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == before
    target = tmp_path / "target"
    assert not target.exists() or target.read_text() == "theirs"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_strangers_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "videodb_ws_pid"
    path.write_text("1")
    os.chown(path, 12345, 12345)
    for act in (private.check_place, private.read_bytes, lambda p: private.write_atomic(p, b"2")):
        with pytest.raises(RefusedError, match="owned by somebody else"):
            act(path)
    assert path.read_text() == "1"


def test_a_hard_link_in_a_directory_of_ours_is_our_own_business(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("x")
    path.with_name("backup").hardlink_to(path)
    assert private.read_bytes(path) == b"x"


def test_read(tmp_path: Path) -> None:
    assert private.read_bytes(tmp_path / "missing") is None
    (tmp_path / "f").write_bytes(b"abcdef")
    assert private.read_bytes(tmp_path / "f", 3) == b"abc"


def test_write_atomic_replaces_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "f"
    umask = os.umask(0)
    try:
        private.write_atomic(path, b"one")
        first = path.stat().st_ino
        with path.open("rb") as reader:
            private.write_atomic(path, b"two")
            assert reader.read() == b"one"
        fd = private.open_fd(tmp_path / "g", os.O_WRONLY | os.O_CREAT)
    finally:
        os.umask(umask)
    assert os.get_blocking(fd)
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert path.read_bytes() == b"two"
    assert path.stat().st_ino != first
    assert [entry.stat().st_mode & 0o777 for entry in sorted(tmp_path.iterdir())] == [0o600, 0o600]


def test_write_atomic_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space"):
        private.write_atomic(path, b"new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["f"]
    assert path.read_bytes() == b"old"


def test_remove_forgives(tmp_path: Path) -> None:
    private.remove(tmp_path / "missing")
    (tmp_path / "d").mkdir()
    private.remove(tmp_path / "d")
    assert (tmp_path / "d").is_dir()


def test_what_lies_in_a_closed_directory_is_refused_and_no_bug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(*_: object, **__: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", closed)
    monkeypatch.setattr(Path, "lstat", closed)
    with pytest.raises(RefusedError, match="Permission denied"):
        private.read_bytes(tmp_path / "local.json")
