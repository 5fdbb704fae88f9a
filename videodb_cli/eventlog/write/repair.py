"""Repairs the end of a log after a crash or a power cut: a last line without its newline, whole or torn."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path

import orjson

from videodb_cli.rundir import private

_BLOCK = 1 << 16


def last_line_start(fd: int, end: int) -> int:
    """Return the offset after the last newline before ``end``; 0 if there is none."""
    position = end
    while position > 0:
        start = max(0, position - _BLOCK)
        found = os.pread(fd, position - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def last_stamp_ms(fd: int, end: int) -> int:
    """Return ``unix_ts`` of the last whole line before ``end`` in milliseconds; 0 if it has none."""
    if end == 0:
        return 0
    start = last_line_start(fd, end - 1)
    try:
        record = orjson.loads(os.pread(fd, end - start, start))
        # Rounded up, because older scripts wrote microseconds. The hundredth covers the rounding error of the float.
        return math.ceil(float(record["unix_ts"]) * 1000 - 0.01)
    except (ValueError, TypeError, KeyError, OverflowError):
        return 0


def _is_record(tail: bytes) -> bool:
    try:
        return isinstance(orjson.loads(tail), dict)
    except orjson.JSONDecodeError:
        return False


def repair_tail(path: Path, fd: int) -> tuple[int, Path] | None:
    """Make the log end with a newline: finish a whole last line, set a torn one aside.

    ``fd`` is open for reading and appending. Returns the number of torn bytes and the file that now holds them, or None
    if nothing was torn. Nothing is deleted: the torn bytes are on the disk before they leave the log.
    """
    end = os.fstat(fd).st_size
    start = last_line_start(fd, end)
    if start == end:
        return None
    tail = os.pread(fd, end - start, start)
    if _is_record(tail):
        os.write(fd, b"\n")
        return None
    aside = _write_aside(path, tail)
    os.ftruncate(fd, start)
    return len(tail), aside


def _write_aside(path: Path, tail: bytes) -> Path:
    stem = f"{path.name}.torn-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    number = 0
    while True:
        aside = path.with_name(f"{stem}-{number}" if number else stem)
        try:
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            number += 1
            continue
        break
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(tail)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        # On a full disk this is tried again and again: do not leave a file for each try.
        private.remove(aside)
        raise
    return aside
