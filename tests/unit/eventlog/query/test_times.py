"""Times as people and programs write them, in any time zone, up to the ends of the calendar and beyond."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.times import parse_duration, parse_time

NOW = 1772446530.0
ZONES = [None, "", "UTC", "Pacific/Kiritimati", "America/Adak", "Asia/Kathmandu", "garbage", ":/no/file", "X-25Y+30"]


@pytest.fixture(params=ZONES, ids=str)
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if request.param is None:
        monkeypatch.delenv("TZ", raising=False)
    else:
        monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1772446530", 1772446530.0),
        ("1772446530.25", 1772446530.25),
        ("1772446530123", 1772446530.123),
        ("1772446530123456", 1772446530.123456),
        ("1772446530123456789", pytest.approx(1772446530.123456789, abs=1e-6)),
        ("0", 0.0),
        ("-5", -5.0),
        ("-62135596800", -62135596800.0),
        ("-1772446530123", -1772446530.123),
        ("9" * 25, 1e16),
        ("9" * 400, inf),
        ("-" + "9" * 400, -inf),
        ("10m", NOW - 600),
        ("9" * 400 + "d", -inf),
        ("now", NOW),
        ("2026-03-02T10:15:30.5Z", 1772446530.5),
        ("0001-01-01T00:00+14:00", -62135596800.0 - 14 * 3600),
        ("9999-12-31T23:59:59-14:00", 253402300799.0 + 14 * 3600),
        ("10000-01-01", inf),
        ("+12026-11-28T10:00", inf),
        ("0000-12-31", -inf),
        ("-0044-03-15", -inf),
        ("9" * 3000 + "-01-01", inf),
    ],
)
def test_moments(zone: None, text: str, expected: float) -> None:
    assert parse_time(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["0001-01-01", "0001-01-01T00:00", "9999-12-31", "9999-12-31T23:59:59", "1900-01-01", "1969-12-31T23:59"]
)
def test_the_ends_of_the_calendar_are_local_within_a_day_or_so(zone: None, text: str) -> None:
    utc = (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
    assert abs(parse_time(text, NOW) - utc) <= 31 * 3600


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "1e400",
        "1e9",
        "NaN",
        "nan",
        "inf",
        "-inf",
        "Infinity",
        "0x10",
        "1_000",
        "25:00",
        "10:99",
        "--5",
        "-",
        "+5",
        "10000-13-01",
        "10000-02-30",
        "99999-01-01T99:00",
        "2026-13-01",
        "2026-02-30",
        "3 moons ago",
        "ago",
        "last",
        "last soon",
        "yesterday 25:00",
        "yesterday soon",
        "today 9",
        "13pm",
        "0am",
        "30 february",
        "march",
        "32 march",
        "2 march 0000",
        "mo",
        "1h and",
        "\ud800",
        "١٢٣",
    ],
)
def test_what_is_no_time_is_said(zone: None, text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        parse_time(text, NOW)


PARTS = [
    "3",
    "min",
    "ago",
    "an",
    "hour",
    "yesterday",
    "today",
    "last",
    "monday",
    "tue",
    "9am",
    "noon",
    "at",
    "2",
    "march",
    "mar",
    "29",
    "february",
    "2026",
    "14:00",
    "25:61",
    "utc",
    "and",
    ",",
    "2026-03-02",
    "midnight",
    "12pm",
]


@given(
    st.text(alphabet="0123456789-+:.TZ eEmshdw", max_size=30)
    | st.lists(st.sampled_from(PARTS), max_size=5).map(" ".join)
)
def test_anything_typed_is_a_time_or_an_error(text: str) -> None:
    try:
        assert isinstance(parse_time(text, NOW), float)
    except UsageError:
        pass


@given(st.integers(100_000_000_000, 95_000_000_000_000).map(lambda ms: ms / 1000))
def test_every_unit_means_the_same_moment(seconds: float) -> None:
    for scale in (1000, 1_000_000, 1_000_000_000):
        assert parse_time(str(round(seconds * scale)), NOW) == pytest.approx(seconds, abs=0.001)


def table() -> list[tuple[str, str]]:
    """Forms and moments of the table in docs/reading.md."""
    page = (Path(__file__).parents[4] / "docs" / "reading.md").read_text()
    section = page.partition("## Moments")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([^`]+)` \| (\d{4}-[^|]+?) +\|", section, re.MULTILINE)


BERLIN = ZoneInfo("Europe/Berlin")


def test_the_table_of_the_documents_is_true(monkeypatch: pytest.MonkeyPatch) -> None:
    forms = table()
    assert len(forms) >= 35
    now = datetime(2026, 3, 4, 15, 30, tzinfo=BERLIN).timestamp()
    for form, expected in forms:
        moment = datetime.fromisoformat(expected).replace(tzinfo=BERLIN).timestamp()
        for typed in (form, form.upper(), f"  {form.replace(' ', '  ')} "):
            assert parse_time(typed, now, BERLIN) == moment, typed
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    try:
        for form, expected in forms:
            assert parse_time(form, now) == datetime.fromisoformat(expected).timestamp(), form
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        # In 2026 the clocks of Berlin were set forward at 2:00 on 29 March, and back at 3:00 on 25 October.
        ("today", "2026-03-29T12:00+02:00", "2026-03-29T00:00+01:00"),
        ("yesterday 14:00", "2026-03-29T12:00+02:00", "2026-03-28T14:00+01:00"),
        ("2:30", "2026-03-29T12:00+02:00", "2026-03-29T03:30+02:00"),
        ("2:30", "2026-03-29T03:15+02:00", "2026-03-28T02:30+01:00"),
        ("yesterday 2:30", "2026-03-30T12:00+02:00", "2026-03-29T03:30+02:00"),
        ("2:30", "2026-10-25T12:00+01:00", "2026-10-25T02:30+01:00"),
        ("2:30", "2026-10-25T02:15+01:00", "2026-10-25T02:30+02:00"),
        ("midnight", "2026-10-25T12:00+01:00", "2026-10-25T00:00+02:00"),
        ("last sunday 9am", "2026-03-30T12:00+02:00", "2026-03-29T09:00+02:00"),
        ("monday", "2026-03-30T00:00+02:00", "2026-03-30T00:00+02:00"),
        ("last monday", "2026-03-30T00:00+02:00", "2026-03-23T00:00+01:00"),
        ("29 february", "2026-03-30T00:00+02:00", "2024-02-29T00:00+01:00"),
        ("29 feb 9am", "2024-02-29T08:00+01:00", "2020-02-29T09:00+01:00"),
        ("today 20:00", "2026-03-30T12:00+02:00", "2026-03-30T20:00+02:00"),
    ],
)
def test_days_on_which_the_clocks_change(text: str, now: str, expected: str) -> None:
    moment = parse_time(text, datetime.fromisoformat(now).timestamp(), BERLIN)
    assert moment == datetime.fromisoformat(expected).timestamp()


@given(
    st.integers(0, 4_000_000_000),
    st.sampled_from(
        ["14:00", "2:30", "midnight", "9:30pm", "monday", "last friday", "fri 2:30", "2 march", "29 feb 1am"]
    ),
    st.sampled_from(["Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns", "Pacific/Apia", "UTC"]),
)
def test_what_names_no_year_or_day_has_passed(now: int, text: str, zone: str) -> None:
    assert parse_time(text, now, ZoneInfo(zone)) <= now


def test_the_error_names_three_examples() -> None:
    with pytest.raises(UsageError) as told:
        parse_time("soon", NOW)
    assert told.value.hint is not None
    assert told.value.hint.count(",") == 2


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("1.5", 1.5),
        ("30s", 30),
        ("2h30m", 9000),
        ("3 min", 180),
        ("1 hour and 5 minutes", 3900),
        ("250ms", 0.25),
    ],
)
def test_lengths_of_time(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "3 moons", "ago", "3 min ago", "-5", "1h and", "\u0661s"])
def test_what_is_no_length_of_time_is_said(text: str) -> None:
    with pytest.raises(UsageError, match="length of time"):
        parse_duration(text)
