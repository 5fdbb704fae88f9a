"""The index finds what a scan finds, whatever happened to the log since it was built."""

from __future__ import annotations

import gzip
import json
import os
import sqlite3
import stat
from pathlib import Path

import pytest

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.read.sources import LogSource, log_sources
from videodb_cli.eventlog.views.lookup import lines_at
from videodb_cli.eventlog.views.search_index import SearchIndex
from videodb_cli.eventlog.views.search_words import Term, found_spans, fts5_query, parse_terms, snippet
from videodb_cli.rundir.paths import RunDir


def line(text: str, channel: str = "transcript") -> str:
    return json.dumps({"unix_ts": 1, "channel": channel, "data": {"text": text}}, separators=(",", ":")) + "\n"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text(line("rotate the access keys") + line("draft: access the keys") + line("Café régulier"))
    return path


def texts(log: Path, typed: str, *, path: Path | None = None) -> list[str]:
    sources = log_sources(RunDir(log.parent))
    index = SearchIndex(path or log.with_name(log.name + ".index"))
    try:
        index.update(sources, lambda _done, _total: None)
        found = list(index.search(fts5_query(parse_terms(typed))))
    finally:
        index.close()
    raw = [lines_at(one.source, [one.offset])[one.offset] for one in found]
    return sorted(json.loads(each)["data"]["text"] for each in raw)


def test_words_phrases_prefixes_and_unwanted_words(log: Path) -> None:
    assert texts(log, "access keys") == ["draft: access the keys", "rotate the access keys"]
    assert texts(log, '"access keys"') == ["rotate the access keys"]
    assert texts(log, "access -draft") == ["rotate the access keys"]
    assert texts(log, "rot*") == ["rotate the access keys"]
    assert texts(log, "CAFE regulier") == ["Café régulier"]
    assert texts(log, 'OR "NOT" near(') == []


def test_the_index_is_private_and_grows_with_the_log(log: Path) -> None:
    texts(log, "access")
    index = log.with_name(log.name + ".index")
    assert stat.S_IMODE(index.stat().st_mode) == 0o600
    with log.open("a") as file:
        file.write(line("more access") + '{"channel":"transcript","data":{"text":"access torn')
    assert len(texts(log, "access")) == 3
    assert len(texts(log, "access")) == 3


def test_own_lines_and_broken_ones_are_not_found(log: Path) -> None:
    with log.open("a") as file:
        file.write(line("access", "videodb_cli") + "access\n" + '{"data":{"text":"access 2","error":"x"}}\n[1]\n{}{}\n')
    assert texts(log, "access") == ["access 2", "draft: access the keys", "rotate the access keys"]


def test_after_rotation_everything_is_found_once(log: Path) -> None:
    texts(log, "access")
    log.rename(log.with_name(log.name + ".1"))
    log.write_text(line("new access"))
    assert texts(log, "access") == ["draft: access the keys", "new access", "rotate the access keys"]
    old = log.with_name(log.name + ".1")
    old.with_name(old.name + ".gz").write_bytes(gzip.compress(old.read_bytes()))
    old.unlink()
    assert texts(log, "access") == ["draft: access the keys", "new access", "rotate the access keys"]


def test_after_truncation_nothing_old_is_found(log: Path) -> None:
    texts(log, "access")
    log.write_text(line("completely other") * 50)
    assert texts(log, "access") == []
    os.truncate(log, 0)
    assert texts(log, "other") == []


def test_an_index_that_is_none_is_made_anew(log: Path) -> None:
    index = log.with_name(log.name + ".index")
    index.write_bytes(b"this is no database, and long enough to be looked at as one" * 20)
    assert texts(log, "access")


@pytest.mark.parametrize(("begin", "end"), [(0.0, 0.1), (0.0, 1.0), (0.1, 1.0)])
def test_an_index_that_is_damaged_is_made_anew(log: Path, begin: float, end: float) -> None:
    with log.open("a") as file:
        file.writelines(line(f"word{n} of many access{n % 7}") for n in range(3000))
    index = log.with_name(log.name + ".index")
    assert len(texts(log, "many")) == 3000
    size = index.stat().st_size
    with index.open("r+b") as file:
        file.seek(max(int(size * begin), 4096 if begin else 0))  # all but the page that says it is a database
        file.write(b"\x5a" * int(size * (end - begin)))
    assert len(texts(log, "many")) == 3000
    os.truncate(index, size // 3)
    assert len(texts(log, "many")) == 3000


def test_an_index_without_its_tables_is_made_anew(log: Path) -> None:
    texts(log, "access")
    with sqlite3.connect(log.with_name(log.name + ".index")) as db:
        db.execute("DROP TABLE files")
    db.close()
    assert len(texts(log, "access")) == 2


def test_a_log_that_was_edited_in_its_middle_is_read_anew(log: Path) -> None:
    log.write_text(line("first") + line("rotate the access keys") + line("last"))
    assert texts(log, "rotate")
    changed = log.read_text().replace("rotate", "mutate")
    with log.open("r+") as file:  # the same file, of the same size
        file.write(changed)
    os.utime(log, ns=(1, 1))
    assert texts(log, "rotate") == []
    assert texts(log, "mutate")
    other = log.with_name("other")  # what editors do: a new file under the old name
    other.write_text(changed.replace("mutate the", "mutilate their") + line("more"))
    other.replace(log)
    assert texts(log, "mutate") == []
    assert texts(log, "mutilate")


def test_entries_of_logs_that_are_gone_do_not_stay_for_ever(log: Path) -> None:
    index = log.with_name(log.name + ".index")
    for round_ in range(6):
        log.write_text("".join(line(f"round{round_} word{n}") for n in range(500)))
        assert len(texts(log, f"round{round_}")) == 500
    with sqlite3.connect(index) as db:
        assert db.execute("SELECT count(*) FROM files").fetchone()[0] <= 2
    db.close()


def test_two_readers_at_once(log: Path) -> None:
    sources = log_sources(RunDir(log.parent))
    path = log.with_name(log.name + ".index")
    one, two = SearchIndex(path), SearchIndex(path)
    for index in (one, two):
        index.update(sources, lambda _done, _total: None)
    query = fts5_query(parse_terms("access"))
    assert len(list(one.search(query))) == len(list(two.search(query))) == 2
    one.close()
    two.close()


def test_lines_at_leaves_out_what_is_no_line(log: Path) -> None:
    size = log.stat().st_size
    assert set(lines_at(LogSource(log), [0, 5, size, size + 99])) == {0}


def test_terms() -> None:
    assert parse_terms('one "two three" -four five* -"six 7"') == [
        Term("one"), Term("two three"), Term("four", is_unwanted=True), Term("five", is_prefix=True),
        Term("six 7", is_unwanted=True),
    ]  # fmt: skip
    for nothing in ("", "-only", "!!"):
        with pytest.raises(UsageError):
            parse_terms(nothing)


def test_snippets_show_what_was_found() -> None:
    text = "word " * 100 + "the Access Keys here " + "word " * 100
    spans = found_spans(text, parse_terms('"access keys"'))
    shown, moved = snippet(text, spans, 60)
    assert [shown[a:b] for a, b in moved] == ["Access Keys"]
    assert len(shown) < 64
    assert found_spans("Régulier", parse_terms("regul*")) == [(0, 8)]


def count_of(log: Path, typed: str) -> int:
    index = SearchIndex(log.with_name(log.name + ".index"))
    try:
        index.update(log_sources(RunDir(log.parent)), lambda _done, _total: None)
        return sum(1 for _ in index.search(fts5_query(parse_terms(typed))))
    finally:
        index.close()


def test_a_compressed_file_is_taken_up_as_a_whole(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is known by what it is as a whole, so one that is taken up in parts would be begun for ever."""
    monkeypatch.setattr("videodb_cli.eventlog.views.search_index._COMMIT_BYTES", 1)
    packed = log.with_name(log.name + ".1.gz")
    packed.write_bytes(gzip.compress("".join(line(f"packed {n}") for n in range(9000)).encode()))
    for _ in range(2):
        assert count_of(log, "packed") == 9000


def test_a_log_is_taken_up_in_parts(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("videodb_cli.eventlog.views.search_index._COMMIT_BYTES", 1)
    with log.open("a") as file:
        file.writelines(line(f"many {n}") + ("broken\n" if n % 1000 == 0 else "") for n in range(9000))
    assert count_of(log, "many") == 9000
    index = SearchIndex(log.with_name(log.name + ".index"))
    index.update(log_sources(RunDir(log.parent)), lambda _done, _total: None)
    assert [number for _, number in index.faults().take()] == [5 + 1001 * n for n in range(9)]
    index.close()
