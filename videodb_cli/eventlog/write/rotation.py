"""Finds and orders the rotated files of a log by their names.

Two families of names count. The listener and ``logrotate`` number: ``….jsonl.1`` is the youngest, or ``….jsonl.0``,
with which ``newsyslog`` and ``savelog`` begin. ``logrotate`` with ``dateext`` dates: ``….jsonl-20261128``, also with a
time of day behind it. Either may be compressed (``.gz`` …). Any other file beside the log is not read, renamed or
removed: backups, notes, and the unfinished output of a compression (``.1.gz-partial``, or a ``.1.gz`` beside a ``.1``).
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import NamedTuple

_COMPRESSED = r"(?P<compressed>\.(?:gz|bz2|xz|zst))?"
_NUMBERED = re.compile(rf"\.(?P<number>0|[1-9][0-9]*){_COMPRESSED}")
_DATED = re.compile(
    r"[-.](?P<date>(?:19|20)\d\d-?(?:0[1-9]|1[0-2])-?(?:0[1-9]|[12]\d|3[01]))(?P<time>(?:[-_T.:]?\d{2,10}){0,3})"
    + _COMPRESSED,
    re.ASCII,
)
_TORN = re.compile(r"\.torn-\d[-0-9TZ]*")
# What is derived from the log: the search index, and the names that occur in it.
_INDEX = re.compile(r"\.index(?:-(?:journal|wal|shm))?|\.names")


class RotatedName(NamedTuple):
    """The parsed name of a rotated file.

    Within one ``family`` the file with the least ``order`` is the oldest. ``stem`` is the name without the ending of a
    compression.
    """

    family: str
    order: tuple[int | str, ...]
    stem: str
    number: int | None


def parse_name(log_name: str, name: str) -> RotatedName | None:
    """Parse the name of a rotated file of this log; None for any other name."""
    if not name.startswith(log_name):
        return None
    rest = name[len(log_name) :]
    if dated := _DATED.fullmatch(rest):
        stem = name.removesuffix(dated["compressed"] or "")
        digits = re.sub(r"\D", "", dated["time"])
        return RotatedName(f"date and {len(digits)}", (re.sub(r"\D", "", dated["date"]), digits), stem, None)
    if numbered := _NUMBERED.fullmatch(rest):
        number = int(numbered["number"])
        return RotatedName("number", (-number,), name.removesuffix(numbered["compressed"] or ""), number)
    return None


def log_name_of(name: str) -> str:
    """Return the name of the log that a rotated file belongs to; for any other file, its own name."""
    for match in re.finditer(r"[-.]", name):
        if parse_name(name[: match.start()], name) is not None:
            return name[: match.start()]
    return name


def rotated_files(log: Path) -> list[Path]:
    """Return the rotated files of a log, oldest first, without the log itself.

    While a file is being compressed it exists twice. Then the plain one counts, which is complete.
    """
    found = _listed(log)
    chosen: dict[str, str] = {}
    for name, parsed in sorted(found.items()):
        chosen.setdefault(parsed.stem, name)  # ".1" sorts before ".1.gz"
    names = sorted(chosen.values(), key=lambda name: (found[name].family, found[name].order))
    paths = [log.parent / name for name in names]
    if len({found[name].family for name in names}) > 1:
        # Both families occur, because the way of naming was changed: only the content says which files are older.
        paths.sort(key=_begun_at)
    return paths


def _listed(log: Path) -> dict[str, RotatedName]:
    try:
        names = os.listdir(log.parent)  # noqa: PTH208 - names are all that is wanted
    except OSError:
        return {}
    found = ((name, parse_name(log.name, name)) for name in names)
    return {name: parsed for name, parsed in found if parsed is not None and _is_file_or_link(log.with_name(name))}


def _is_file_or_link(path: Path) -> bool:
    """Tell whether it is a file or a link. Readers refuse links, and name them."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _begun_at(path: Path) -> float:
    """Return when the first line of a file was received, else when the file was last written to, in Unix seconds."""
    from videodb_cli.eventlog.read.time_range import first_stamp

    found = first_stamp(path)
    if found is not None:
        return found
    try:
        return path.lstat().st_mtime
    except OSError:
        return 0.0


def shift(log: Path, keep: int | None = None) -> None:
    """Rename the log to ``.1``, and every numbered file to the next number; with ``keep``, remove those beyond it.

    Beside a ``.0`` of another program they go two numbers up: it becomes ``.2``, and nothing is overwritten. Does
    nothing if somebody has removed the log. Raises OSError.
    """
    if not log.exists():
        return
    numbered = [(parsed.number, name) for name, parsed in _listed(log).items() if parsed.number is not None]
    step = 2 if any(number == 0 for number, _ in numbered) else 1
    for number, name in sorted(numbered, reverse=True):
        path = log.with_name(name)
        if not _is_plain(path):
            continue
        if keep is not None and number + step > keep:
            path.unlink()
        else:
            ending = name[len(f"{log.name}.{number}") :]
            path.replace(log.with_name(f"{log.name}.{number + step}{ending}"))
    log.replace(log.with_name(f"{log.name}.1"))


def derived_files(log: Path) -> list[Path]:
    """Return everything that ``--clear`` removes with the log: rotated and torn files, and the search index.

    Only plain files of ours are among them. People date their own copies too, so a file with a date in its name, or a
    ``.0``, is among them only if it holds events, and does not begin as the log itself does.
    """
    try:
        entries = sorted(log.parent.iterdir())
    except FileNotFoundError:
        return []
    found: list[Path] = []
    for entry in entries:
        if not entry.name.startswith(log.name) or not _is_plain(entry):
            continue
        rest = entry.name[len(log.name) :]
        parsed = parse_name(log.name, entry.name)
        if parsed is None:
            is_ours = bool(_TORN.fullmatch(rest) or _INDEX.fullmatch(rest))
        else:
            is_ours = bool(parsed.number) or _holds_older_events(entry, log)
        if is_ours:
            found.append(entry)
    return found


def _holds_older_events(path: Path, log: Path) -> bool:
    from videodb_cli.eventlog.read.time_range import first_stamped_line

    line = first_stamped_line(path)
    return line is not None and line != first_stamped_line(log)


def _is_plain(path: Path) -> bool:
    """Tell whether it is a plain file of ours, and no link."""
    try:
        status = path.lstat()
    except OSError:
        return False
    return stat.S_ISREG(status.st_mode) and (not hasattr(os, "geteuid") or status.st_uid == os.geteuid())
