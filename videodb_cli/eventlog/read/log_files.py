"""Which files make up a log, in their order: rotated ones first, named files, directories, and standard input (``-``).

See docs/contract.md §2 and §6.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli.errors import NotFoundError, UsageError
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.write.rotation import rotated_files
from videodb_cli.rundir.paths import RunDir, no_log_error
from videodb_cli.userpaths import mode_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def rotated_sources(log: Path, *, is_private: bool = True) -> list[LogSource]:
    """The rotated files of a log, oldest first, without the log itself."""
    return [LogSource(path, private=is_private, is_rotated=True) for path in rotated_files(log)]


def log_sources(run_dir: RunDir) -> list[LogSource]:
    """The log of a directory with its rotated files, oldest first; empty when there is none."""
    sources = rotated_sources(run_dir.log)
    if os.path.lexists(run_dir.log):
        sources.append(LogSource(run_dir.log, private=True))
    return sources


def resolve_sources(names: Sequence[str], run_dir: RunDir) -> list[LogSource]:
    """Turn the arguments of a command into sources; without any, the log of ``run_dir``.

    Raises ``NotFoundError`` (exit 4) for what is not there, ``RefusedError`` for what cannot be looked at, and
    ``UsageError`` for ``-`` given twice.
    """
    if not names:
        return _required_log(run_dir)
    sources: list[LogSource] = []
    for name in names:
        if name == "-":
            if any(source.path is None for source in sources):
                raise UsageError("standard input (-) can be read only once")
            sources.append(LogSource(None))
            continue
        path = Path(name)
        if (mode := mode_of(path)) is None:
            raise NotFoundError(f"no such file: {name}", code="no_file")
        if stat.S_ISDIR(mode):
            sources.extend(_required_log(RunDir(path)))
        else:
            sources.append(LogSource(path))
    return sources


def _required_log(run_dir: RunDir) -> list[LogSource]:
    sources = log_sources(run_dir)
    if not sources:
        raise no_log_error(run_dir)
    return sources
