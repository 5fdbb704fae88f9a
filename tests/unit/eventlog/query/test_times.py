"""Times as people and programs write them, in any time zone, up to the ends of the calendar and beyond."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.times import parse_time

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
    ["", "soon", "1e400", "1e9", "NaN", "nan", "inf", "-inf", "Infinity", "0x10", "1_000", "25:00", "10:99", "--5", "-",
     "+5", "10000-13-01", "10000-02-30", "99999-01-01T99:00", "2026-13-01", "2026-02-30", "10m ago", "\ud800", "١٢٣"],
)  # fmt: skip
def test_what_is_no_time_is_said(zone: None, text: str) -> None:
    with pytest.raises(UsageError, match="not a time"):
        parse_time(text, NOW)


@given(st.text(alphabet="0123456789-+:.TZ eEmshdw", max_size=30))
def test_anything_typed_is_a_time_or_an_error(text: str) -> None:
    try:
        assert isinstance(parse_time(text, NOW), float)
    except UsageError:
        pass


@given(st.integers(100_000_000_000, 95_000_000_000_000).map(lambda ms: ms / 1000))
def test_every_unit_means_the_same_moment(seconds: float) -> None:
    for scale in (1000, 1_000_000, 1_000_000_000):
        assert parse_time(str(round(seconds * scale)), NOW) == pytest.approx(seconds, abs=0.001)
