"""One thing to read, a file or standard input, and how it is opened.

The first bytes of a file tell what it is, never its name: compressed, text with a byte
order mark, or plain.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

from videodb_cli.errors import NotFoundError, RefusedError, VideodbError
from videodb_cli.eventlog.read import compression
from videodb_cli.eventlog.read.damage import DamagedError
from videodb_cli.rundir import private
from videodb_cli.rundir.paths import LOG_NAME, RunDir

if TYPE_CHECKING:
    import io
    from typing import BinaryIO

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
BOM = b"\xef\xbb\xbf"
# Longer marks first: that of UTF-32 begins with that of UTF-16.
_FOREIGN_MARKS = (
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


class LogSource(NamedTuple):
    """One thing to read: a file, or standard input when ``path`` is None.

    ``private`` means that the file is in our directory, where a symbolic link is refused. ``fd`` is an open descriptor
    of it, so that the same file is read after it was renamed. If a file that ``is_rotated`` cannot be read, this is
    reported, and the others are still read.
    """

    path: Path | None
    private: bool = False
    fd: int | None = None
    is_rotated: bool = False

    @property
    def name(self) -> str:
        """Its name in messages."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def is_compressed(self) -> bool:
        """Whether it is compressed, by its first bytes."""
        head = self._head()
        return head is not None and compression.kind_of(head) is not None

    @property
    def is_stream(self) -> bool:
        """Whether it can be read once only: standard input, a FIFO, ``<(command)``."""
        return self.path is None or (self.fd is None and not self.is_rotated and not _is_file(self.path))

    @property
    def is_seekable(self) -> bool:
        """Whether offsets in it can be read at will."""
        if self.is_stream:
            return False
        head = self._head()
        return head is not None and compression.kind_of(head) is None and _foreign_encoding(head) is None

    def _head(self) -> bytes | None:
        """The first bytes of a file; None for a stream, and for what cannot be opened."""
        if self.fd is not None:
            return b""  # a file that is followed grows, so it is not compressed
        if self.is_stream:
            return None
        try:
            fd = _open_fd(self)
        except VideodbError:
            return None
        try:
            return os.read(fd, compression.HEAD)
        except OSError:
            return None
        finally:
            os.close(fd)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False  # opening it tells why


def is_being_written(source: LogSource) -> bool:
    """Tell whether a listener is writing this log: then it completes the last line itself."""
    from videodb_cli.rundir.lock import is_held

    if source.path is None:
        return False
    path = Path(os.path.realpath(source.path))
    try:
        return path.name == LOG_NAME and is_held(RunDir(path.parent).lock)
    except (VideodbError, OSError):
        return False


def _open_fd(source: LogSource) -> int:
    assert source.path is not None  # noqa: S101 - for the type checker; streams are handled before
    try:
        fd = private.open_fd(source.path, os.O_RDONLY) if source.private else os.open(source.path, _OPEN)
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {source.path}", code="no_file") from None
    except OSError as error:
        raise RefusedError(f"cannot read {source.path}: {error.strerror}", code="file") from None
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise RefusedError(f"cannot read {source.path}: it is a directory")
    return fd


def open_source(source: LogSource) -> BinaryIO:
    """Open for reading, unbuffered; what is compressed is read as what it holds. The caller closes it.

    Raises ``RefusedError`` for what cannot be trusted in a place of ours, for missing permission, and for text that is
    not UTF-8, ``NotFoundError`` when it is gone; all of these as ``DamagedError`` for a rotated file.
    """
    if not source.is_rotated:
        return _open(source)
    try:
        return _open(source)
    except (RefusedError, NotFoundError) as error:
        raise as_damage(source, error) from None


def as_damage(source: LogSource, error: VideodbError) -> DamagedError:
    """Return the error for a rotated file that cannot be read; the other files are still read."""
    if isinstance(error, DamagedError):
        return error
    return DamagedError(f"left out {source.name}: {error.message}", hint=error.hint)


def _open(source: LogSource) -> BinaryIO:
    if source.path is None:
        return _opened_stream(source, os.dup(0))
    if source.fd is not None:
        held = os.fdopen(os.dup(source.fd), "rb", buffering=0)
        held.seek(0)
        return held
    if source.is_stream:
        return _opened_stream(source, _open_fd(source))
    file = os.fdopen(_open_fd(source), "rb", buffering=0)
    try:
        head = file.read(compression.HEAD) or b""
        file.seek(0)
        return _by_kind(source, file, head)
    except BaseException:
        file.close()
        raise


def _opened_stream(source: LogSource, fd: int) -> BinaryIO:
    file = os.fdopen(fd, "rb", buffering=0)
    try:
        head = b""
        while len(head) < compression.HEAD and _may_be_special(head):
            more = file.read(compression.HEAD - len(head))
            if not more:
                break
            head += more
        return _by_kind(source, _Prefixed(head, file), head)  # type: ignore[arg-type]
    except BaseException:
        file.close()
        raise


def _may_be_special(head: bytes) -> bool:
    """Whether the next bytes of a stream may tell that it does not begin with a line of text."""
    marks = (BOM, *(mark for mark, _ in _FOREIGN_MARKS))
    return compression.may_become_kind(head) or any(mark.startswith(head) for mark in marks)


def _by_kind(source: LogSource, file: BinaryIO, head: bytes) -> BinaryIO:
    if kind := compression.kind_of(head):
        return compression.Decompressed(file, kind, source.name)  # type: ignore[return-value]
    check_encoding(source, head)
    return file


def check_encoding(source: LogSource, head: bytes) -> None:
    """Raise ``RefusedError`` for text whose first bytes say that it is not UTF-8."""
    encoding = _foreign_encoding(head)
    if encoding is not None:
        import shlex

        name = "-" if source.path is None else shlex.quote(str(source.path))
        raise RefusedError(
            f"{source.name} is {encoding}, and events are UTF-8; it was not read",
            code="encoding",
            hint=f"iconv -f {encoding} -t UTF-8 {name} | videodb events filter . -",
        )


def _foreign_encoding(head: bytes) -> str | None:
    return next((encoding for mark, encoding in _FOREIGN_MARKS if head.startswith(mark)), None)


class _Prefixed:
    """A stream of which the first bytes were read already."""

    def __init__(self, head: bytes, file: io.FileIO) -> None:
        self._head = head
        self._file = file

    def read(self, size: int = -1) -> bytes | None:
        """As many bytes as are there, at most ``size``."""
        if not self._head:
            return self._file.read(size)
        piece = self._head if size < 0 else self._head[:size]
        self._head = self._head[len(piece) :]
        return piece

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
