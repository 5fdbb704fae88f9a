"""Times as people type them, each in one meaning."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.errors import UsageError
from videodb_cli.eventlog.query.times import parse_duration, parse_time

NOW = datetime.fromisoformat("2026-03-02T12:00:00+01:00").timestamp()


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30s", 30),
        ("10m", 600),
        ("2h30m", 9000),
        ("1d", 86400),
        ("1w", 604800),
        ("1.5s", 1.5),
        ("250ms", 0.25),
        ("7", 7),
    ],
)
def test_lengths(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)
    if not text.isdecimal():
        assert parse_time(text, NOW) == pytest.approx(NOW - seconds)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-02T10:15", "2026-03-02T10:15:00+01:00"),
        ("2026-03-02", "2026-03-02T00:00:00+01:00"),
        ("2026-03-02T10:15:30.5Z", "2026-03-02T10:15:30.500+00:00"),
        ("2026-03-02T10:15:30-05:00", "2026-03-02T10:15:30-05:00"),
        ("10:15", "2026-03-02T10:15:00+01:00"),
        ("12:00", "2026-03-02T12:00:00+01:00"),
        ("12:00:01", "2026-03-01T12:00:01+01:00"),
        ("23:59:59.25", "2026-03-01T23:59:59.250+01:00"),
        ("today", "2026-03-02T00:00:00+01:00"),
        ("yesterday", "2026-03-01T00:00:00+01:00"),
        ("now", "2026-03-02T12:00:00+01:00"),
        (" 1772446530 ", "2026-03-02T10:15:30+00:00"),
        ("1772446530123", "2026-03-02T10:15:30.123+00:00"),
    ],
)
def test_moments(text: str, moment: str) -> None:
    assert parse_time(text, NOW) == pytest.approx(datetime.fromisoformat(moment).timestamp())


def test_midnight_is_that_of_the_calendar_when_the_clocks_change() -> None:
    noon = datetime.fromisoformat("2026-03-29T12:00:00+02:00").timestamp()
    assert parse_time("today", noon) == datetime.fromisoformat("2026-03-29T00:00:00+01:00").timestamp()


@pytest.mark.parametrize("text", ["", "soon", "10", "25:00", "10:60", "2026-13-01", "-5m", "5 m", "10m ago", "٣m"])
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    if text == "10":  # seconds since 1970: strange, but a number
        assert parse_time(text, NOW) == 10
        return
    with pytest.raises(UsageError) as refused:
        parse_time(text, NOW)
    assert "10m" in (refused.value.hint or "")


@given(st.text(max_size=12))
def test_any_text_is_a_time_or_refused(text: str) -> None:
    for parse in (parse_duration, lambda typed: parse_time(typed, NOW)):
        try:
            assert isinstance(parse(text), float)
        except UsageError:
            continue
