"""Opens the SQLite database of the search index, and classifies its errors.

An error means one of two things. Either the file is damaged or not our index: then it is removed and built again,
because everything in it is derived from the log. Or the machine does not let us use it (a full disk, a read-only
directory, another process): this raises `IndexUnusableError`, and the search goes on without the index.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import private

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

_VERSION = 4
_PATIENCE_S = 120.0
_CACHE_KIB = 16_000
_SCHEMA = """
CREATE TABLE files (id INTEGER PRIMARY KEY, head TEXT, recent TEXT, offset INTEGER, stamp TEXT, faults TEXT);
CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize="ascii");
INSERT INTO words(words, rank) VALUES ('hashsize', 16777216);
"""
# SQLITE_ERROR (no such table), SQLITE_CORRUPT, SQLITE_FORMAT and SQLITE_NOTADB (https://sqlite.org/rescode.html).
_DAMAGED = frozenset((1, 11, 24, 26))


class IndexUnusableError(RefusedError):
    """The index cannot be created, written or read. The log itself may be readable."""

    default_code = "index"


def is_damaged(error: sqlite3.Error) -> bool:
    """Tell whether an SQLite error means that the file is damaged or not our index."""
    # The low byte is the primary error code; the rest is detail.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in _DAMAGED


def unusable(error: sqlite3.Error) -> IndexUnusableError:
    """Return the error for a database that the machine does not let us use."""
    return IndexUnusableError(str(error), hint="videodb events search --no-index")


def open_file(path: Path) -> sqlite3.Connection:
    """Open or create the index file (0600). Raises IndexUnusableError."""
    import sqlite3

    _touch(path)
    try:
        return _connected(path) or open_anew(path)
    except sqlite3.Error as error:
        if not is_damaged(error):
            raise unusable(error) from error
        return open_anew(path)


def open_anew(path: Path) -> sqlite3.Connection:
    """Replace the index file by an empty index. Raises IndexUnusableError."""
    import sqlite3

    private.remove(path)
    _touch(path)
    try:
        made = _connected(path)
    except sqlite3.Error as error:
        raise unusable(error) from error
    if made is None:
        raise IndexUnusableError("another version of videodb makes it at the same time")
    return made


def open_for_this_run(*, in_memory: bool) -> sqlite3.Connection:
    """Create an index for this process only, in an unnamed temporary file or in memory.

    Raises IndexUnusableError.
    """
    import sqlite3

    try:
        # SQLite unlinks the temporary file right after it has created it.
        db = sqlite3.connect(":memory:" if in_memory else "", isolation_level=None)
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        if in_memory:
            db.execute("PRAGMA temp_store = MEMORY")
        db.executescript(_SCHEMA)
    except sqlite3.Error as error:
        raise unusable(error) from error
    return db


def _touch(path: Path) -> None:
    try:
        os.close(private.open_fd(path, os.O_RDWR | os.O_CREAT))
    except (OSError, RefusedError) as error:
        why = error.strerror if isinstance(error, OSError) else error.message
        raise IndexUnusableError(str(why), hint="videodb events search --no-index") from error


def _connected(path: Path) -> sqlite3.Connection | None:
    """Return the database, with its tables; None if another version of this program has made it."""
    import sqlite3

    db = sqlite3.connect(path, timeout=_PATIENCE_S, isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 0:
            db.execute("BEGIN IMMEDIATE")
            if db.execute("PRAGMA user_version").fetchone()[0] == 0:
                for statement in _SCHEMA.split(";\n"):
                    db.execute(statement)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            db.execute("COMMIT")
    except BaseException:
        db.close()
        raise
    if version in {0, _VERSION}:
        return db
    db.close()
    return None
