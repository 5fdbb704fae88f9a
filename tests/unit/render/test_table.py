"""CSV, TSV and Markdown: what readers of them give back is what was written."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import UsageError
from videodb_cli.render.table import EVENT_COLUMNS, ResultTable, Table, event_row

printable = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\n\t,\"'|\\"), max_size=20)


@given(st.lists(st.tuples(printable, printable), max_size=5))
def test_csv_is_read_back(rows: list[tuple[str, str]]) -> None:
    table = Table("csv", ("a", "b"))
    text = table.header() + "".join(table.row(row) for row in rows)
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == [["a", "b"], *map(list, rows)]


@given(st.lists(st.tuples(printable, printable), max_size=5))
def test_tsv_has_one_line_for_each_row(rows: list[tuple[str, str]]) -> None:
    table = Table("tsv", ("a", "b"))
    lines = "".join(table.row(row) for row in rows).split("\n")[:-1]
    escapes = {"\\t": "\t", "\\n": "\n", "\\\\": "\\"}
    read = [[_unescaped(field, escapes) for field in line.split("\t")] for line in lines]
    assert read == [list(row) for row in rows]


def _unescaped(field: str, escapes: dict[str, str]) -> str:
    done, at = "", 0
    while at < len(field):
        step = 2 if field[at : at + 2] in escapes else 1
        done += escapes.get(field[at : at + step], field[at : at + step])
        at += step
    return done


FIELDS = [
    ("csv", '=1+1,"a"', '"=1+1,""a"""'),
    ("csv", "=cmd|x", "=cmd|x"),
    ("csv", "a\x1b[2Jb", "a\\x1b[2Jb"),
    ("csv", "a\r\nb", '"a\nb"'),
    ("csv", True, "true"),
    ("csv", {"a": [1]}, '"{""a"":[1]}"'),
    ("tsv", "a\tb\nc\\", "a\\tb\\nc\\\\"),
    ("md", "a|b\nc *d*", "| a\\|b<br>c \\*d\\* |"),
]


@pytest.mark.parametrize(("form", "value", "field"), FIELDS)
def test_fields(form: str, value: object, field: str) -> None:
    assert Table(form, ("a",)).row([value]) == field + "\n"


def test_what_reorders_a_line_is_escaped_on_a_terminal() -> None:
    assert Table("csv", ("a",), is_safe=True).row(["\u202ea"]) == "\\u202ea\n"
    assert Table("csv", ("a",)).row(["\u202ea"]) == "\u202ea\n"


def test_a_markdown_table_has_a_line_below_its_header() -> None:
    assert Table("md", ("a", "b")).header() == "| a | b |\n| --- | --- |\n"


def test_events() -> None:
    event = {"ts": "T", "channel": "transcript", "rtstream_name": "mic", "data": {"text": "a", "is_final": False}}
    assert dict(zip(EVENT_COLUMNS, event_row(event), strict=True)) == {
        "ts": "T", "channel": "transcript", "event": None, "stream": "mic", "session": None, "final": False,
        "recovered": None, "text": "a",
    }  # fmt: skip
    assert event_row(3)[-1] == 3


def test_results_of_programs() -> None:
    table = ResultTable("csv")
    assert table.row({"a": 1, "b": None}) == "a,b\n1,\n"
    assert table.row({"b": 2}) == ",2\n"
    with pytest.raises(UsageError, match="result 3 has the member 'c'"):
        table.row({"c": 1})
    with pytest.raises(UsageError, match="is no object"):
        table.row([1])
    table = ResultTable("csv")
    assert table.row([1, "x"]) == "1,x\n"
    assert table.row("one") == "one\n"
    with pytest.raises(UsageError, match="is an object"):
        table.row({})
