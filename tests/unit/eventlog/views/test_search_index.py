"""The index finds what a scan finds, whatever happened to the log since it was built."""

from __future__ import annotations

import gzip
import json
import os
import random
import sqlite3
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.read.blocks import line_numbers
from videodb_cli.eventlog.read.log_files import log_sources
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.views.lookup import lines_at
from videodb_cli.eventlog.views.search_index import SearchIndex
from videodb_cli.eventlog.views.search_words import Term, found_spans, fts5_query, matches, parse_terms, snippet
from videodb_cli.rundir.paths import RunDir

QUERY_PARTS = [
    "OR",
    "AND",
    "NOT",
    "-a",
    '"the keys"',
    '"',
    "*",
    "(",
    "a*",
    "-",
    "--x",
    "NEAR(",
    "text:",
    "^a",
    "+",
    "\0",
    "'",
]
WORDS = ["access", "Keys", "the", "a", "foo_bar", "cafe\u0301", "Café", "拒否", "接続を", "否", "서버", "กิน", "ปฏิเสธ",
         "👍🏽", "✅", "हिन्दी", "me@b.example", "--since", "E1234", "straße", "ｶﾞ", "“x”", "Łódź", "かが"]  # fmt: skip


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


@given(st.text(max_size=40) | st.lists(st.sampled_from(QUERY_PARTS), max_size=8).map(" ".join))
def test_nothing_that_is_typed_is_an_error_of_sqlite(typed: str) -> None:
    try:
        terms = parse_terms(typed)
    except UsageError:
        return
    db = sqlite3.connect(":memory:")
    db.execute("CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize='ascii')")
    db.execute("SELECT rowid FROM words WHERE words MATCH ?", (fts5_query(terms),)).fetchall()
    db.close()


LONG_QUERIES = [
    *("a " * 5000, "b -c " * 5000, "a OR " * 5000 + "b", "x" * 100_000, "拒" * 10_000, '"' + "w " * 10_000),
    " ".join(f"w{n} OR v{n} -u{n}" for n in range(2000)),
]


@pytest.mark.parametrize("typed", LONG_QUERIES)
def test_a_long_query_is_no_error(log: Path, typed: str) -> None:
    assert texts(log, typed) == []


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A log of texts in many languages, and the texts."""
    draw = random.Random(12)
    held = [" ".join(draw.choices(WORDS, k=draw.randint(1, 7))) for _ in range(400)]
    held += ["".join(draw.choices(WORDS, k=draw.randint(1, 4))) for _ in range(100)]
    path = tmp_path_factory.mktemp("many") / "videodb_events.jsonl"
    path.write_text("".join(line(text) for text in held))
    return path, held


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(typed=st.lists(st.sampled_from([*WORDS, *QUERY_PARTS]), min_size=1, max_size=4).map(" ".join))
def test_kept_index_index_of_one_run_and_plain_reading_agree(many: tuple[Path, list[str]], typed: str) -> None:
    log, held = many
    try:
        terms = parse_terms(typed)
    except UsageError:
        return
    wanted = sorted(text for text in held if matches(text, terms))
    assert texts(log, typed) == wanted
    ranked = []
    for index in (SearchIndex(log.with_name("index")), SearchIndex(None), SearchIndex(None, in_memory=True)):
        index.update(log_sources(RunDir(log.parent)), lambda _done, _total: None)
        ranked.append([(found.offset, found.rank) for found in index.search(fts5_query(terms))])
        index.close()
    assert ranked[0] == ranked[1] == ranked[2]
    assert len(ranked[0]) == len(wanted)
    for text in wanted:
        assert found_spans(text, terms)


def test_an_index_of_an_older_version_is_built_again(log: Path) -> None:
    index = log.with_name(log.name + ".index")
    with sqlite3.connect(index) as db:  # as the release before made it
        db.executescript(
            "CREATE TABLE files (id INTEGER PRIMARY KEY, head TEXT, recent TEXT, offset INTEGER, stamp TEXT,"
            " faults TEXT);"
            "CREATE VIRTUAL TABLE words USING fts5(text, content='', tokenize=\"unicode61 remove_diacritics 2\");"
            "PRAGMA user_version = 3;"
        )
    db.close()
    with log.open("a") as file:
        file.write(line("接続を拒否しました"))
    assert texts(log, "拒否") == ["接続を拒否しました"]
    with sqlite3.connect(index) as db:
        assert db.execute("PRAGMA user_version").fetchone()[0] > 3
    db.close()


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("接続を拒否しました", "拒否 拒 否 接続 拒否* ました"),
        ("无法连接到服务器", "服务器 连接 器"),
        ("서버가 연결을 거부했습니다", "거부 서버 했습니다"),
        ("ระบบปฏิเสธการเชื่อมต่อ", "ปฏิเสธ เชื่อม"),
        ("deploy done ✅ 👍🏽", "✅ 👍 done✅ 👍🏽"),
        ("called getUserId(foo_bar) with --since, E1234", 'getUserId getuser* foo_bar "--since" --since E1234'),
        (
            "see https://a.example/x?y=1 or mail me@b.example",
            "https://a.example/x?y=1 me@b.example a.example b.example",
        ),
        ("Cafe\u0301 Łódź naïve", "cafe café LODZ naive CAFE\u0301"),
        ("हिन्दी में", "हिन्दी हिन*"),
    ],
)
def test_any_language_is_found(log: Path, text: str, typed: str) -> None:
    log.write_text(line("other") + line(text))
    for word in typed.split():
        assert texts(log, word) == [text], word
        assert found_spans(text, parse_terms(word)), word


def test_part_of_a_sign_is_not_found(log: Path) -> None:
    with log.open("a") as file:
        file.write(line("接続を拒否しました") + line("กิน") + line("が"))
    assert texts(log, "否拒") == texts(log, "กัน") == texts(log, "か") == []


def test_terms() -> None:
    assert parse_terms('one "two three" -four five* -"six 7"') == [
        Term("one"), Term("two three"), Term("four", is_unwanted=True), Term("five", is_prefix=True),
        Term("six 7", is_unwanted=True),
    ]  # fmt: skip
    assert parse_terms("--since") == [Term("--since")]
    assert parse_terms("a AND b OR c NOT d") == [
        Term("a"), Term("b"), Term("c", is_alternative=True), Term("d", is_unwanted=True),
    ]  # fmt: skip
    assert parse_terms('OR "AND" and NOT') == [Term("OR"), Term("AND"), Term("and"), Term("NOT")]
    assert parse_terms("✅") == [Term("✅")]
    for nothing in ("", "-only", "!!", "NOT only", "- --", "a OR -b", "-a OR b"):
        with pytest.raises(UsageError):
            parse_terms(nothing)


def test_alternatives_bind_closer_than_the_words_beside_them(log: Path) -> None:
    assert texts(log, "rotate OR draft keys -regulier") == ["draft: access the keys", "rotate the access keys"]
    assert texts(log, "keys rotate OR régulier") == ["rotate the access keys"]
    assert texts(log, "régulier OR rotate OR draft NOT draft") == ["Café régulier", "rotate the access keys"]


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
    assert [number for _, number in line_numbers(index.faults().take_places())] == [5 + 1001 * n for n in range(9)]
    index.close()
