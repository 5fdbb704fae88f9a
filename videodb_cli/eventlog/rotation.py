"""Older logs beside the log: ``….jsonl.1`` is the youngest, higher numbers are older, ``.gz`` may follow."""

from __future__ import annotations

import re
from pathlib import Path

_NUMBERED = re.compile(r"\.([1-9][0-9]*)(\.gz)?")


def rotated_files(log: Path) -> list[tuple[int, Path]]:
    """Return number and path of the rotated files of a log, youngest (1) first."""
    found: list[tuple[int, Path]] = []
    try:
        entries = list(log.parent.iterdir())
    except FileNotFoundError:
        return []
    for entry in entries:
        if entry.name.startswith(log.name):
            match = _NUMBERED.fullmatch(entry.name[len(log.name) :])
            if match and not entry.is_symlink() and entry.is_file():
                found.append((int(match.group(1)), entry))
    return sorted(found)


def shift(log: Path, keep: int | None = None) -> None:
    """Move the log to ``.1`` and every older one a number up; with ``keep``, remove those beyond it. Raises OSError.

    A log that somebody has taken away leaves nothing to move.
    """
    if not log.exists():
        return
    for number, path in reversed(rotated_files(log)):
        suffix = ".gz" if path.name.endswith(".gz") else ""
        if keep is not None and number >= keep:
            path.unlink()
        else:
            path.replace(log.with_name(f"{log.name}.{number + 1}{suffix}"))
    log.replace(log.with_name(f"{log.name}.1"))


def derived_files(log: Path) -> list[Path]:
    """Return everything that `--clear` removes with the log: rotated and torn files, and the search index."""
    try:
        entries = list(log.parent.iterdir())
    except FileNotFoundError:
        return []
    rotated = [path for _, path in rotated_files(log)]
    prefixes = (f"{log.name}.torn-", f"{log.name}.index")
    return rotated + [entry for entry in entries if entry.name.startswith(prefixes) and not entry.is_symlink()]
