"""Removes what is too old, or too much, from a log: whole rotated files, and old lines where no listener runs.

Beside a running listener nothing is rewritten, and the log itself is not touched, because only the listener writes it.
A file is first moved to a name of its own and looked at again: the listener may have renamed the files in between.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from videodb_cli.eventlog.read.block import iter_lines
from videodb_cli.eventlog.read.blocks import iter_blocks, iter_blocks_backwards
from videodb_cli.eventlog.read.broken import BrokenLines
from videodb_cli.eventlog.read.decode import decode
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.read.time_range import stamp_of
from videodb_cli.eventlog.write.rotation import derived_files, parse_name, rotated_files
from videodb_cli.rundir import private

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from videodb_cli.model.event import Event

    Keeps = Callable[[Event], bool]


@dataclass(frozen=True, slots=True)
class PrunePlan:
    """What is to go.

    Attributes:
        before: Lines received before this time (Unix seconds) go; None: none for their age.
        max_size: Whole files go, the oldest first, until all files together are no larger; None: no bound.
        keeps: Tells whether an event stays in any case.
        may_rewrite: No listener runs: files may be rewritten, the log itself included.
        dry_run: Change nothing; show what would be removed.
    """

    before: float | None = None
    max_size: int | None = None
    keeps: Keeps | None = None
    may_rewrite: bool = False
    dry_run: bool = False


@dataclass(slots=True)
class Pruned:
    """What has gone, and what stays although it is old: files by name.

    Attributes:
        lines: How many lines were removed from rewritten files.
        size: The bytes that were freed.
        left: Files that hold old lines and stay, with the reason.
    """

    removed: list[str] = field(default_factory=list)
    rewritten: list[str] = field(default_factory=list)
    lines: int = 0
    size: int = 0
    left: dict[str, str] = field(default_factory=dict)


def prune(log: Path, plan: PrunePlan) -> Pruned:
    """Remove what the plan says. Raises OSError, and RefusedError for a file that must not be trusted."""
    done = Pruned()
    ours = {path for path in derived_files(log) if parse_name(log.name, path.name) is not None}
    rotated = [path for path in rotated_files(log) if path in ours]
    if plan.before is not None:
        for path in [*rotated, *([log] if log.exists() else [])]:
            _prune_by_age(path, plan.before, plan, done, is_log=path == log)
        for path in derived_files(log):
            if ".torn-" in path.name and path.stat().st_mtime < plan.before:
                _remove(path, plan, done)
    if plan.max_size is not None:
        here = [path for path in rotated if path.name not in done.removed and path.exists()]
        _prune_by_size(log, here, plan.max_size, plan, done)
    if (done.removed or done.rewritten) and not plan.dry_run:
        # It holds the texts of what has gone; the next search builds it anew.
        for path in derived_files(log):
            if path.name.startswith(f"{log.name}.index"):
                private.remove(path)
    return done


def _prune_by_age(path: Path, before: float, plan: PrunePlan, done: Pruned, *, is_log: bool) -> None:
    source = LogSource(path, private=True, is_rotated=not is_log)
    first = _first_stamp(source)
    if first is not None and first >= before:
        return
    last = _last_stamp(source, path)
    if last < before and not is_log and not _holds_kept(source, plan.keeps):
        _remove(path, plan, done)
        return
    if first is None:
        return
    if source.is_compressed:
        done.left[path.name] = "it is compressed, and holds lines that stay"
    elif not plan.may_rewrite:
        done.left[path.name] = "a listener runs, and it holds lines that stay" if not is_log else "a listener writes it"
    else:
        _rewrite(path, source, before, plan, done)


def _prune_by_size(log: Path, rotated: Sequence[Path], limit: int, plan: PrunePlan, done: Pruned) -> None:
    sizes = {path: path.stat().st_size for path in rotated}
    total = sum(sizes.values()) + (log.stat().st_size if log.exists() else 0)
    for path in rotated:
        if total <= limit:
            return
        if _holds_kept(LogSource(path, private=True, is_rotated=True), plan.keeps):
            done.left[path.name] = "it holds a session that is kept"
        elif _remove(path, plan, done):
            total -= sizes[path]
    if total > limit:
        done.left[log.name] = "the log itself is not cut for its size: videodb listen --max-size"


def _remove(path: Path, plan: PrunePlan, done: Pruned) -> bool:
    """Remove a file, unless another one has come to stand at its place meanwhile."""
    status = path.lstat()
    if not plan.dry_run and not _removed_as_seen(path, status):
        done.left[path.name] = "the listener has just renamed it"
        return False
    done.removed.append(path.name)
    done.size += status.st_size
    return True


def _removed_as_seen(path: Path, seen: os.stat_result) -> bool:
    aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return False
    now = aside.lstat()
    if (now.st_dev, now.st_ino, now.st_size) == (seen.st_dev, seen.st_ino, seen.st_size):
        aside.unlink()
        return True
    # A link fails where a rename would overwrite.
    with contextlib.suppress(FileExistsError):
        os.link(aside, path)
        aside.unlink()
    return False


def _rewrite(path: Path, source: LogSource, before: float, plan: PrunePlan, done: Pruned) -> None:
    """Replace a file by its lines that stay, in one step. Nobody may be writing it."""
    private.check_place(path)
    lost = lines = 0
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}")
    try:
        # A dry run counts, and writes nothing.
        flags = os.O_WRONLY if plan.dry_run else os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(os.devnull if plan.dry_run else temporary, flags, 0o600), "wb") as file:
            for block in iter_blocks(source, broken=BrokenLines()):
                for _, line in iter_lines(block):
                    if _stays(line, before, plan.keeps):
                        file.write(line + b"\n")
                    else:
                        lost, lines = lost + len(line) + 1, lines + 1
            file.flush()
            if not plan.dry_run:
                os.fsync(file.fileno())
        if not lines:
            return
        if not plan.dry_run:
            temporary.chmod(path.stat().st_mode & 0o777)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    done.rewritten.append(path.name)
    done.lines += lines
    done.size += lost


def _stays(line: bytes, before: float, keeps: Keeps | None) -> bool:
    """Tell whether a line stays: it is young enough, has no time, or is kept in any case."""
    at = stamp_of(line)
    if at is None or at >= before:
        return True
    return keeps is not None and _is_kept(line, keeps)


def _is_kept(line: bytes, keeps: Keeps) -> bool:
    try:
        event = decode(line)
    except ValueError:
        return False
    return isinstance(event, dict) and keeps(event)


def _holds_kept(source: LogSource, keeps: Keeps | None) -> bool:
    if keeps is None:
        return False
    blocks = iter_blocks(source, broken=BrokenLines())
    return any(_is_kept(line, keeps) for block in blocks for _, line in iter_lines(block))


def _first_stamp(source: LogSource) -> float | None:
    for block in iter_blocks(source, broken=BrokenLines()):
        for _, line in iter_lines(block):
            if (at := stamp_of(line)) is not None:
                return at
    return None


def _last_stamp(source: LogSource, path: Path) -> float:
    """Return when the last line was received; of a file that is read forwards only, when it was written last."""
    if source.is_seekable:
        for block in iter_blocks_backwards(source, None, broken=BrokenLines()):
            for _, line in reversed(list(iter_lines(block))):
                if (at := stamp_of(line)) is not None:
                    return at
    return path.stat().st_mtime
