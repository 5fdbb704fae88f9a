"""Writes the output of a command to the file of ``-o``: whole or not at all, or line by line as it comes.

A finite output goes to a new file beside the old one, and replaces it at the end: a failure, Ctrl-C or a full disk
loses nothing. What is followed is added to the file. Pipes and devices are written to as they are.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from videodb_cli.errors import NoMatchError, OutputError, ReaderGoneError, RefusedError
from videodb_cli.userpaths import absolute

if TYPE_CHECKING:
    from collections.abc import Iterator
_MODE = 0o600
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


@contextlib.contextmanager
def written_to(name: str, *, is_appended: bool) -> Iterator[bool]:
    """Let stdout be a file within the block; yields whether something is in the file already, to which this is added.

    Args:
        name: The file as the user named it.
        is_appended: Add to the file instead of replacing it.

    Raises:
        RefusedError: The file cannot be written, is a directory or belongs to somebody else, or the disk is full.
    """
    path = _target(name)
    found = _looked_at(path, name)
    if found is not None and not stat.S_ISREG(found.st_mode):
        with _open_as_stdout(path, name, os.O_WRONLY):
            yield False
    elif is_appended:
        with _open_as_stdout(path, name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_FOLLOW):
            yield found is not None and found.st_size > 0
    else:
        with _replaced(path, name, None if found is None else stat.S_IMODE(found.st_mode)):
            yield False


def _target(name: str) -> Path:
    """Return the file that is meant; a link of our own, or of root's, is followed."""
    path = absolute(Path(name))
    with contextlib.suppress(OSError):
        status = path.lstat()
        if not stat.S_ISLNK(status.st_mode):
            return path
        if status.st_uid not in {0, os.geteuid()}:
            _refuse(name, "it is a symbolic link of somebody else")
        return path.resolve()
    return path


def _looked_at(path: Path, name: str) -> os.stat_result | None:
    """Return what is in the place of the file; None if nothing is. Raises RefusedError for what must not be written."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        if not path.parent.is_dir():
            _refuse(name, f"there is no directory {path.parent}", hint=f"mkdir -p {path.parent}")
        return None
    except OSError as error:
        _refuse(name, error.strerror or str(error))
    if stat.S_ISDIR(found.st_mode):
        _refuse(name, "it is a directory", hint=f"name a file in it: -o {path / 'events.txt'}")
    if stat.S_ISREG(found.st_mode) and found.st_uid != os.geteuid():
        _refuse(name, "it belongs to somebody else")
    return found


def _refuse(name: str, why: str, *, hint: str = "name another file: -o FILE") -> NoReturn:
    raise RefusedError(f"cannot write {name}: {why}", code="file", hint=hint)


@contextlib.contextmanager
def _open_as_stdout(path: Path, name: str, flags: int) -> Iterator[None]:
    try:
        fd = os.open(path, flags, _MODE)
    except OSError as error:
        _refuse(name, error.strerror or str(error))
    with _as_stdout(fd, name):
        yield


@contextlib.contextmanager
def _as_stdout(fd: int, name: str) -> Iterator[None]:
    from videodb_cli.commands.stdout import led_to

    try:
        with led_to(fd):
            yield
    except ReaderGoneError:
        raise
    except OutputError as error:
        _refuse(name, str(error), hint="make room, or name another file: -o FILE")
    finally:
        os.close(fd)


@contextlib.contextmanager
def _replaced(path: Path, name: str, mode: int | None) -> Iterator[None]:
    import tempfile

    try:
        fd, new = tempfile.mkstemp(prefix=f".{path.name[:100]}.", suffix=".new", dir=path.parent)
    except OSError as error:
        _refuse(name, error.strerror or str(error))
    try:
        nothing_matched = None
        with _as_stdout(os.dup(fd), name):
            try:
                yield
            except NoMatchError as error:
                nothing_matched = error  # the output is complete: it is empty
        _put_in_place(fd, new, path, name, mode)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(new).unlink()
        raise
    finally:
        os.close(fd)
    if nothing_matched is not None:
        raise nothing_matched


def _put_in_place(fd: int, new: str, path: Path, name: str, mode: int | None) -> None:
    try:
        if mode is not None:
            os.fchmod(fd, mode)
        os.fsync(fd)
        _looked_at(path, name)  # something else may have come into its place meanwhile
        Path(new).replace(path)
    except OSError as error:
        _refuse(name, error.strerror or str(error))
