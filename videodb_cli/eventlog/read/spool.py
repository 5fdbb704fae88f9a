"""Copies standard input or a pipe into an unnamed file, for readers that need more than one pass."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.read.blocks import iter_blocks
from videodb_cli.eventlog.read.sources import LogSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import BinaryIO

    from videodb_cli.eventlog.read.broken import BrokenLines


class Spool:
    """Seekable copies of streams, which exist until it is closed. A context manager."""

    def __init__(self) -> None:
        self._files: list[BinaryIO] = []

    def seekable(self, sources: Sequence[LogSource], broken: BrokenLines) -> list[LogSource]:
        """Returns the sources with each stream read to its end and replaced by a copy of what it held.

        Args:
            sources: Files and streams.
            broken: Notes a stream that could not be read to its end, for example damaged compressed data.

        Raises:
            RefusedError: The directory of temporary files has no room.
        """
        return [self._copy(source, broken) if source.is_stream else source for source in sources]

    def _copy(self, source: LogSource, broken: BrokenLines) -> LogSource:
        try:
            file: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
            self._files.append(file)
        except OSError as error:
            raise _no_room(source, error) from error
        for block in iter_blocks(source, broken=broken):
            try:
                file.write(block.data)
                file.flush()
            except OSError as error:
                raise _no_room(source, error) from error
        # The path is only its name in messages; the descriptor is what is read.
        return LogSource(Path(source.name), fd=file.fileno())

    def close(self) -> None:
        """Removes the copies. Idempotent."""
        for file in self._files:
            file.close()
        self._files.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _no_room(source: LogSource, error: OSError) -> RefusedError:
    return RefusedError(
        f"{source.name} has no room in the directory of temporary files: {error.strerror}",
        code="no_room",
        hint="export TMPDIR=DIR, one with room, or write it to a file and name that",
    )
