"""Private files: opened without following links, owned by us, replaced atomically.

The directory may be a shared one such as ``/tmp``: whatever stands in the place of a file of ours is looked at before
it is used, and refused by name if it is a link, a stranger's, or not a plain file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path

from videodb_cli.errors import RefusedError

# Absent on Windows, where neither is promised.
_SAFE_OPEN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def _refuse(path: Path, what: str) -> RefusedError:
    return RefusedError(
        f"{path} is {what}; it is not touched",
        code="unsafe_file",
        hint=f"look at it (ls -l {path}) and move it away, or name another directory: --dir DIR",
    )


def _check(path: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise _refuse(path, "a symbolic link")
    if not stat.S_ISREG(status.st_mode):
        raise _refuse(path, "not a plain file")
    if hasattr(os, "geteuid") and status.st_uid != os.geteuid():
        raise _refuse(path, "owned by somebody else")
    if status.st_nlink > 1 and path.parent.stat().st_mode & stat.S_IWOTH:
        # In a shared directory a hard link can make us write into another file of ours.
        raise _refuse(path, "a hard link to another file")


def check_place(path: Path) -> None:
    """Raise RefusedError if something that is not a plain file of ours stands at this path. An empty place is fine."""
    with contextlib.suppress(FileNotFoundError):
        _check(path, path.lstat())


def open_fd(path: Path, flags: int, mode: int = 0o600) -> int:
    """Open a private file and return its descriptor; 0600 if it is created here.

    Raises FileNotFoundError if it is not there and ``O_CREAT`` is not given, RefusedError if it is a link, not a plain
    file, or a stranger's, and for any other reason that the system gives.
    """
    try:
        fd = os.open(path, flags | _SAFE_OPEN, mode)
    except FileNotFoundError:
        raise
    except OSError as error:
        # In a directory that is closed to us nothing can be said of the place either.
        with contextlib.suppress(OSError):
            check_place(path)
        raise RefusedError(f"cannot open {path}: {error.strerror}", code="file") from error
    try:
        _check(path, os.fstat(fd))
    except BaseException:
        os.close(fd)
        raise
    if hasattr(os, "set_blocking"):
        os.set_blocking(fd, True)
    return fd


def make_directories(path: Path) -> list[Path]:
    """Make a directory and those above it that are missing, all of them 0700; return those made, the upper ones first.

    `Path.mkdir` gives the upper ones the mode that the umask allows: with a umask of 0 everybody could write to them.
    Raises OSError.
    """
    missing = []
    probe = path
    while not probe.exists() and not probe.is_symlink():
        missing.append(probe)
        probe = probe.parent
    made = []
    for directory in reversed(missing):
        # Somebody else may make it at the same moment.
        with contextlib.suppress(FileExistsError):
            directory.mkdir(mode=0o700)
            made.append(directory)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))
    return made


def read_bytes(path: Path, limit: int = 1 << 20) -> bytes | None:
    """Return up to ``limit`` bytes of a private file, or None if it is not there. Raises RefusedError."""
    try:
        fd = open_fd(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(fd, "rb") as file:
        return file.read(limit)


def write_atomic(path: Path, content: bytes) -> None:
    """Replace a private file in one step: a reader sees the old content or the new, never half of it.

    Raises RefusedError for what stands in its place, and OSError (a full disk, a read-only file system) as it comes.
    """
    import secrets  # hashlib and hmac behind it cost a reader of the log 4 ms

    check_place(path)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _SAFE_OPEN, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(content)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def remove_unfinished(path: Path) -> None:
    """Remove what `write_atomic` leaves when its process is killed in the middle. Nobody may be writing the file."""
    for temporary in path.parent.glob(f".{path.name}.{'[0-9a-f]' * 12}"):
        remove(temporary)


def overwrite(path: Path, content: bytes) -> None:
    """Write over a private file without taking more room than it has, which needs no space on a full disk.

    Spaces before the last newline fill the rest. A reader may see a mixture. Raises RefusedError as `open_fd` does, and
    OSError, also for what does not fit.
    """
    fd = open_fd(path, os.O_WRONLY)
    try:
        size = os.fstat(fd).st_size
        if len(content) > size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.pwrite(fd, padded(content, size), 0)
    finally:
        os.close(fd)


def padded(content: bytes, size: int) -> bytes:
    """Return a text of one line with spaces before its newline, so that it is that long."""
    return content[:-1].ljust(size - 1) + b"\n"


def remove(path: Path) -> None:
    """Remove a file of ours; no error if it is not there or may not be removed."""
    with contextlib.suppress(OSError):
        path.unlink()
