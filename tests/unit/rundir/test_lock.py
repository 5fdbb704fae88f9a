"""The advisory lock: one holder, named; those who look do not disturb it or each other."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import lock
from videodb_cli.rundir.lock import DirectoryLock, LockHeldError, holder, is_alive, is_held


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "videodb.lock"


def test_one_holder_who_is_named(path: Path) -> None:
    assert not is_held(path)
    first = DirectoryLock(path)
    first.acquire("boot:1")
    inode = path.stat().st_ino
    assert is_held(path)
    assert holder(path) == (os.getpid(), "boot:1")
    with pytest.raises(LockHeldError):
        DirectoryLock(path).acquire("boot:2", patience_s=0)
    assert holder(path) == (os.getpid(), "boot:1"), "who does not get the lock writes nothing"
    first.release()
    first.release()
    assert not is_held(path)
    with DirectoryLock(path):
        assert is_held(path)
    assert not is_held(path)
    assert path.stat().st_ino == inode, "never replaced"
    assert path.stat().st_mode & 0o777 == 0o600


def test_those_who_look_do_not_take_each_other_for_a_holder(path: Path) -> None:
    import fcntl

    path.touch(0o600)
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert not is_held(path)


def test_a_moment_of_cleaning_is_no_holder(path: Path) -> None:
    """The last holder, named in the file, is dead; somebody has the lock for a moment."""
    path.write_text('{"v":1,"pid":999999999,"start_token":"boot:1"}')
    path.chmod(0o600)
    cleaning = DirectoryLock(path)
    cleaning.acquire()
    timer = threading.Timer(0.05, cleaning.release)
    timer.start()
    assert not is_held(path)
    timer.join()


def test_whoever_wants_it_outlasts_a_probe(path: Path) -> None:
    probe = DirectoryLock(path)
    probe.acquire()
    timer = threading.Timer(0.05, probe.release)
    timer.start()
    wanted = DirectoryLock(path)
    wanted.acquire("boot:1")
    timer.join()
    wanted.release()


@pytest.mark.parametrize(
    "content", ["", "null", "[]", "{", '{"pid":0,"start_token":"x"}', '{"pid":"1","start_token":"x"}']
)
def test_a_note_that_makes_no_sense_names_nobody(path: Path, content: str) -> None:
    path.write_text(content)
    assert holder(path) is None


def test_what_stands_in_its_place_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.symlink_to(path.with_name("target"))
    for act in (lambda: DirectoryLock(path).acquire("t"), lambda: is_held(path), lambda: holder(path)):
        with pytest.raises(RefusedError, match="symbolic link"):
            act()
    path.unlink()
    assert holder(path) is None

    def no_locks(*_: object) -> bool:
        raise OSError(37, "No locks available")

    path.touch()
    monkeypatch.setattr(lock, "_try_lock", no_locks)
    with pytest.raises(RefusedError, match="No locks"):
        is_held(path)
    with pytest.raises(RefusedError, match="No locks"):
        DirectoryLock(path).acquire("t")


def test_is_alive() -> None:
    assert is_alive(os.getpid())
    assert is_alive(1)
    assert [is_alive(pid) for pid in (0, -1, 999_999_999, 10**30)] == [False] * 4
