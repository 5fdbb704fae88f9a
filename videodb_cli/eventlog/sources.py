"""Which files make up a log: rotated ones first, several files and directories, and ``-`` for standard input.

docs/contract.md §2 and §6. Nothing here reads a log; it only finds, orders and opens.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from videodb_cli.errors import NotFoundError, RefusedError, UsageError
from videodb_cli.rundir import private
from videodb_cli.rundir.paths import RunDir, no_log_error

if TYPE_CHECKING:
    from collections.abc import Sequence

_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)
_ROTATED = r"\.(\d+)(\.gz)?"


class Source(NamedTuple):
    """One thing to read: a file, or standard input when ``path`` is None.

    ``private`` says that the file stands in a place of ours, where a symbolic link is refused. ``fd`` is a descriptor
    that somebody holds open on it, so that a file which was just renamed is still the one that is read.
    """

    path: Path | None
    private: bool = False
    fd: int | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return "standard input" if self.path is None else str(self.path)

    @property
    def is_compressed(self) -> bool:
        """Whether its name says gzip."""
        return self.path is not None and self.path.suffix == ".gz"

    @property
    def is_stream(self) -> bool:
        """Whether it can be read once only: standard input, a FIFO, ``<(command)``."""
        return self.path is None or (self.fd is None and not self.path.is_file())

    @property
    def is_seekable(self) -> bool:
        """Whether offsets in it can be read at will."""
        return not self.is_stream and not self.is_compressed


def rotated_files(log: Path) -> list[Path]:
    """The rotated files beside a log, oldest first (``.3.gz``, ``.2``, ``.1``), without the log itself."""
    try:
        names = os.listdir(log.parent)  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return []
    found = [
        (int(match[1]), name)
        for name in names
        if name.startswith(log.name) and (match := re.fullmatch(_ROTATED, name[len(log.name) :], re.ASCII))
    ]
    # The same number twice (a rotation that was compressing when it was cut off): the plain file is the whole one.
    ordered: dict[int, str] = {}
    for number, name in sorted(found, reverse=True):
        if number not in ordered or ordered[number].endswith(".gz"):
            ordered[number] = name
    return [log.parent / name for name in ordered.values()]


def log_sources(run_dir: RunDir) -> list[Source]:
    """The log of a directory with its rotated files, oldest first; empty when there is none."""
    log = run_dir.log
    paths = rotated_files(log)
    if os.path.lexists(log):
        paths.append(log)
    return [Source(path, private=True) for path in paths]


def resolve_sources(names: Sequence[str], run_dir: RunDir) -> list[Source]:
    """Turn what was typed into sources; nothing typed means the log of ``run_dir``.

    Raises ``NotFoundError`` (exit 4) for what is not there, and ``UsageError`` for ``-`` given twice.
    """
    if not names:
        return _required_log(run_dir)
    sources: list[Source] = []
    for name in names:
        path = Path(name)
        if name == "-":
            if any(source.path is None for source in sources):
                raise UsageError("standard input (-) can be read only once")
            sources.append(Source(None))
        elif path.is_dir():
            sources.extend(_required_log(RunDir(path)))
        elif path.exists():
            sources.append(Source(path))
        else:
            raise NotFoundError(f"no such file: {name}", code="no_file")
    return sources


def _required_log(run_dir: RunDir) -> list[Source]:
    sources = log_sources(run_dir)
    if not sources:
        raise no_log_error(run_dir)
    return sources


def open_source(source: Source) -> BinaryIO:
    """Open for reading, unbuffered when it is a plain file. The caller closes it.

    Raises ``RefusedError`` for what cannot be trusted in a place of ours and for missing permission, ``NotFoundError``
    when it is gone.
    """
    if source.path is None:
        return os.fdopen(os.dup(0), "rb", buffering=0)
    if source.fd is not None:
        held = os.fdopen(os.dup(source.fd), "rb", buffering=0)
        held.seek(0)
        return held
    try:
        fd = private.open_fd(source.path, os.O_RDONLY) if source.private else os.open(source.path, _OPEN)
    except FileNotFoundError:
        raise NotFoundError(f"no such file: {source.path}", code="no_file") from None
    except OSError as error:
        raise RefusedError(f"cannot read {source.path}: {error.strerror}", code="file") from None
    if stat.S_ISDIR(os.fstat(fd).st_mode):
        os.close(fd)
        raise RefusedError(f"cannot read {source.path}: it is a directory")
    if source.is_compressed:
        import gzip

        raw = os.fdopen(fd, "rb", buffering=0)
        unzipped = gzip.GzipFile(fileobj=raw, mode="rb")
        unzipped.myfileobj = raw  # so that closing the one closes the other
        return unzipped  # type: ignore[return-value]
    return os.fdopen(fd, "rb", buffering=0)
