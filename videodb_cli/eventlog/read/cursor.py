"""Remembers in a small file where a reader stopped, so that the next run continues there.

The file is replaced after output was flushed. A position is an offset in a log file. The log file is recognised by its
first line and by the bytes before the offset, so a rotated file is found again, and a cleared log is noticed.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from videodb_cli.errors import NotFoundError, RefusedError, VideodbError
from videodb_cli.eventlog.views.lookup import first_and_last_bytes
from videodb_cli.rundir import state
from videodb_cli.userpaths import mode_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from videodb_cli.eventlog.read.sources import LogSource

_HEAD = 4096
_RECENT = 64


class Position(NamedTuple):
    """An offset in one of the sources, given by its number."""

    number: int
    offset: int


class Cursor:
    """A cursor file. `find` returns the position of the last run, `save` stores a new one."""

    def __init__(self, path: Path) -> None:
        """Raises NotFoundError or RefusedError if no file can be made there: before any output, not after it."""
        hint = "name another file: --cursor-file F"
        if not stat.S_ISDIR(mode_of(path.parent) or 0):
            raise NotFoundError(f"no directory {path.parent} for the cursor", hint=f"mkdir -p {path.parent}")
        if not os.access(path.parent, os.W_OK | os.X_OK):
            raise RefusedError(f"cannot write in {path.parent}: the cursor would be lost", code="cursor", hint=hint)
        mode_of(path)  # refuses a name that no file can have
        self._path = path

    @property
    def path(self) -> Path:
        """The path of the cursor file."""
        return self._path

    @property
    def is_new(self) -> bool:
        """Whether no position was ever saved in this file."""
        return not self._path.exists() or not self._path.stat().st_size

    def find(self, sources: Sequence[LogSource]) -> Position | None:
        """Return where the last run ended; None on the first run. Offset -1 means that this log no longer exists.

        Raises ``RefusedError`` for a cursor file that is damaged or that may not be read.
        """
        saved = state.read(self._path)
        if saved is None:
            if self._path.exists() and self._path.stat().st_size:
                raise RefusedError(
                    f"{self._path} is not a cursor file; it is not touched", code="cursor", hint="name another file"
                )
            return None
        offset = saved.get("offset")
        if not isinstance(offset, int) or offset <= 0:
            return None
        for number, source in enumerate(sources):
            if not source.is_stream and _marks(source, offset) == (saved.get("head"), saved.get("recent")):
                return Position(number, offset)
        return Position(0, -1)

    def save(self, source: LogSource, offset: int) -> None:
        """Save that everything before ``offset`` of this source was written out and flushed.

        Raises RefusedError if it cannot be written.
        """
        if source.is_stream:
            return
        found = marked_end(source, offset)
        if found is None:
            return  # it is gone already; the next run finds that out by itself
        offset, marks = found
        try:
            state.write(self._path, {"file": source.name, "offset": offset, "head": marks[0], "recent": marks[1]})
        except OSError as error:
            raise RefusedError(
                f"cannot write the cursor {self._path}: {error.strerror}; the next run begins before what came last",
                code="cursor",
            ) from error


def marked_end(source: LogSource, offset: int) -> tuple[int, tuple[str, str]] | None:
    """Where a reader stands that came to ``offset``, and the fingerprints of that place; None when it is not there.

    Readers add the newline that a last line lacks, so they may stand one byte behind the end of the file.
    """
    for at in (offset, offset - 1):
        if at >= 0 and (marks := _marks(source, at)) is not None:
            return at, marks
    return None


def _marks(source: LogSource, offset: int) -> tuple[str, str] | None:
    """Fingerprints; None as well for a file that is gone, or cannot be read that far."""
    try:
        return marks_of(source, offset)
    except VideodbError:
        return None


def marks_of(source: LogSource, offset: int) -> tuple[str, str] | None:
    """Fingerprints of the first line and of the bytes before an offset; None when the file ends before it."""
    from hashlib import sha256

    found = first_and_last_bytes(source, offset, _HEAD, _RECENT)
    if found is None:
        return None
    head, recent = found
    first = head[: head.find(b"\n") + 1] or head
    return sha256(first).hexdigest()[:32], sha256(recent).hexdigest()[:32]
