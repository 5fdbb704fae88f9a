"""What SQLite's errors mean: an index that is made anew, or a machine that keeps none."""

from __future__ import annotations

import errno
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from videodb_cli import console
from videodb_cli.commands.events import search
from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.views import search_db, search_index
from videodb_cli.eventlog.views.search_db import IndexUnusableError
from videodb_cli.rundir import private


def failure(code: int, message: str, kind: type[sqlite3.Error] = sqlite3.OperationalError) -> sqlite3.Error:
    error = kind(message)
    error.sqlite_errorcode = code
    return error


FULL = failure(sqlite3.SQLITE_FULL, "database or disk is full")


@pytest.mark.parametrize(
    ("error", "damaged"),
    [
        (FULL, False),
        (failure(sqlite3.SQLITE_READONLY, "attempt to write a readonly database"), False),
        (failure(sqlite3.SQLITE_CANTOPEN, "unable to open database file"), False),
        (failure(sqlite3.SQLITE_BUSY, "database is locked"), False),
        (failure(sqlite3.SQLITE_IOERR_WRITE, "disk I/O error"), False),
        (failure(sqlite3.SQLITE_CORRUPT, "database disk image is malformed", sqlite3.DatabaseError), True),
        (failure(sqlite3.SQLITE_CORRUPT_VTAB, "database disk image is malformed", sqlite3.DatabaseError), True),
        (failure(sqlite3.SQLITE_NOTADB, "file is not a database", sqlite3.DatabaseError), True),
        (failure(sqlite3.SQLITE_ERROR, "no such table: files"), True),
    ],
    ids=str,
)
def test_what_an_error_means(error: sqlite3.Error, damaged: bool) -> None:
    assert search_db.is_damaged(error) is damaged


class Failing(sqlite3.Connection):
    """Fails at the first statement of a kind; ``statement`` and ``error`` are set by a test."""

    statement = ""
    error: sqlite3.Error = FULL

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._fail_at(sql)
        return super().execute(sql, *arguments)

    def executemany(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        self._fail_at(sql)
        return super().executemany(sql, *arguments)

    def _fail_at(self, sql: str) -> None:
        if self.statement and sql.lstrip().startswith(self.statement):
            raise self.error


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    lines = [{"unix_ts": n, "channel": "transcript", "data": {"text": f"access word{n}"}} for n in range(50)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.fixture
def sqlite(monkeypatch: pytest.MonkeyPatch) -> type[Failing]:
    """Connections that fail as the test says, but for those in memory."""
    connect = sqlite3.connect

    def failing(name: Any, *arguments: Any, **settings: Any) -> sqlite3.Connection:
        factory = sqlite3.Connection if name == ":memory:" else Failing
        return connect(name, *arguments, factory=factory, **settings)

    monkeypatch.setattr(sqlite3, "connect", failing)
    monkeypatch.setattr(Failing, "statement", "")
    return Failing


def found(log: Path, talk: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(console, "talk", talk.append)
    index, hits = search._searched([LogSource(log, private=True)], '("access")', no_index=False)
    try:
        return len(list(hits))
    finally:
        index.close()


@pytest.mark.parametrize(
    "statement", ["BEGIN", "INSERT INTO words(rowid", "INSERT INTO files", "COMMIT", "SELECT rowid"]
)
def test_a_search_answers_without_an_index_and_says_why(
    log: Path, sqlite: type[Failing], monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """Whichever step fails; and where no temporary file can be had either, in memory."""
    monkeypatch.setattr(sqlite, "statement", statement)
    talk: list[str] = []
    assert found(log, talk, monkeypatch) == 50
    assert talk == [f"no index can be kept at {log}.index (database or disk is full); reading everything"]


def test_a_big_log_is_not_held_in_memory(log: Path, sqlite: type[Failing], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite, "statement", "BEGIN")
    monkeypatch.setattr(search, "_IN_MEMORY_BYTES", 100)
    with pytest.raises(RefusedError, match=r"no room for the search .*: database or disk is full") as refused:
        found(log, [], monkeypatch)
    assert refused.value.hint is not None
    assert "TMPDIR" in refused.value.hint


def test_a_file_that_cannot_be_made(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(*_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(private, "open_fd", deny)
    with pytest.raises(IndexUnusableError, match=r"^Read-only file system$"):
        search_db.open_file(log.with_name("index"))


def test_what_is_wrong_with_the_log_is_not_blamed_on_the_index(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk: list[str] = []

    def deny(*_: object, **__: object) -> None:
        raise RefusedError(f"cannot open {log}: Permission denied")

    monkeypatch.setattr(search_index, "iter_blocks", deny)
    with pytest.raises(RefusedError, match="cannot open"):
        found(log, talk, monkeypatch)
    assert talk == []


def test_an_index_of_another_version_is_made_anew(log: Path) -> None:
    path = log.with_name("index")
    search_db.open_file(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 1")
    db.close()
    made = search_db.open_file(path)
    assert made.execute("PRAGMA user_version").fetchone() == (search_db._VERSION,)
    made.close()
