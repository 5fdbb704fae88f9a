"""Home and typed paths, where neither HOME, nor the password database, nor the working directory can be trusted."""

from __future__ import annotations

import os
import pwd
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from videodb_cli import settings, userpaths
from videodb_cli.errors import NotFoundError, RefusedError, UsageError, VideodbError


def database(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    """Let the password database know this home for everybody; None: it knows nobody."""

    def look(uid: int) -> SimpleNamespace:
        if home is None:
            raise KeyError(uid)
        return SimpleNamespace(pw_dir=home)

    monkeypatch.setattr(pwd, "getpwuid", look)


@pytest.mark.parametrize(
    ("named", "known", "expected"),
    [
        ("/home/ann", "/home/bob", "/home/ann"),
        ("/", "/home/bob", "/"),
        (None, "/home/bob", "/home/bob"),
        ("", "/home/bob", "/home/bob"),
        ("relative", "/home/bob", "/home/bob"),
        (None, None, None),
        ("", None, None),
        ("relative", None, None),
        (None, "", None),
    ],
)
def test_home(monkeypatch: pytest.MonkeyPatch, named: str | None, known: str | None, expected: str | None) -> None:
    database(monkeypatch, known)
    if named is None:
        monkeypatch.delenv("HOME", raising=False)
    else:
        monkeypatch.setenv("HOME", named)
    assert userpaths.home_directory() == (None if expected is None else Path(expected))


@pytest.mark.parametrize(
    ("named", "words"),
    [(None, "HOME is not set"), ("", "HOME is empty"), ("there", "HOME is not absolute (there)")],
)
def test_without_a_home_a_directory_must_be_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None, words: str
) -> None:
    database(monkeypatch, None)
    monkeypatch.chdir(tmp_path)
    for name in ("HOME", "XDG_STATE_HOME", settings.EVENTS_DIR_NAME):
        monkeypatch.delenv(name, raising=False)
    if named is not None:
        monkeypatch.setenv("HOME", named)
    settings.forget()
    with pytest.raises(UsageError) as raised:
        settings.resolve_directory()
    assert raised.value.message == (
        f"the home directory is not known: {words}, and user {os.getuid()} has none in the password database"
    )
    assert raised.value.hint == "name a directory: --dir DIR, or export VIDEODB_EVENTS_DIR=DIR"
    assert settings.resolve_directory("/srv/events").path == Path("/srv/events")
    monkeypatch.setenv(settings.EVENTS_DIR_NAME, "/srv/others")
    settings.forget()
    assert settings.resolve_directory().path == Path("/srv/others")
    settings.forget()


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("/state", "/state/videodb"),
        ("", "/home/ann/.local/state/videodb"),
        ("relative", "/home/ann/.local/state/videodb"),
    ],
)
def test_an_xdg_variable_counts_only_if_it_is_absolute(
    monkeypatch: pytest.MonkeyPatch, named: str, expected: str
) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_STATE_HOME", named)
    assert settings.default_directory() == Path(expected)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("~", "/home/ann"),
        ("~/x", "/home/ann/x"),
        ("x/~", "x/~"),
        ("./~nobody-is-called-so", "./~nobody-is-called-so"),
        ("~root/x", pwd.getpwnam("root").pw_dir + "/x"),
        ("~nobody-is-called-so/x", "no user is called nobody-is-called-so"),
    ],
)
def test_tildes(monkeypatch: pytest.MonkeyPatch, name: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    if expected.startswith("no user"):
        with pytest.raises(UsageError, match=expected):
            userpaths.expanded(name)
    else:
        assert userpaths.expanded(name) == Path(expected)


def test_a_tilde_without_a_home(monkeypatch: pytest.MonkeyPatch) -> None:
    database(monkeypatch, None)
    monkeypatch.delenv("HOME", raising=False)
    with pytest.raises(UsageError, match="the home directory is not known") as raised:
        userpaths.expanded("~/x")
    assert raised.value.hint == "write the path out instead of ~/x"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (FileNotFoundError(2, "No such file or directory"), NotFoundError, "the working directory was deleted, so x"),
        (PermissionError(13, "Permission denied"), RefusedError, "cannot be told (Permission denied), so x names"),
    ],
)
def test_a_working_directory_that_is_not_known(
    monkeypatch: pytest.MonkeyPatch, error: OSError, kind: type[VideodbError], words: str
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr(os, "getcwd", fail)
    with pytest.raises(kind) as raised:
        userpaths.absolute(Path("x"))
    assert words in str(raised.value)
    assert userpaths.absolute(Path("/x")) == Path("/x")


def test_the_kind_of_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert userpaths.mode_of(tmp_path) == tmp_path.stat().st_mode
    assert userpaths.mode_of(tmp_path / "none") is None
    (tmp_path / "file").touch()
    assert userpaths.mode_of(tmp_path / "file" / "x") is None
    with pytest.raises(RefusedError, match="no file can be called"):
        userpaths.mode_of(tmp_path / "a\0b")

    def deny(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", deny)
    with pytest.raises(RefusedError, match=r"cannot read .*: Permission denied"):
        userpaths.mode_of(tmp_path)


def test_no_temporary_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    assert userpaths.temporary_directory() == tempfile.gettempdir()

    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", fail)
    with pytest.raises(RefusedError, match="no temporary file can be made"):
        userpaths.temporary_directory()
