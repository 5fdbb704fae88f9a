"""Days and times of day in words; test_times.py has the forms, this has what is not one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from videodb_cli.eventlog.query.calendar_words import instant, instant_in_words

NOW = datetime(2026, 3, 4, 15, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize("words", ["", "soon", "9", "last", "last noon", "2026", "mo", "march", "2 soon", "tomorrow"])
def test_other_words_are_none(words: str) -> None:
    assert instant_in_words(words, NOW, UTC) is None


@pytest.mark.parametrize("words", ["25:00", "13am", "0pm", "today 24:00", "monday soon", "31 april", "2026-02-30 9am"])
def test_times_that_do_not_exist_are_errors(words: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has another message, which nobody sees
        instant_in_words(words, NOW, UTC)


def test_the_zone_is_the_one_that_is_given() -> None:
    east = timezone(timedelta(hours=9))
    assert instant_in_words("today", NOW, east) == datetime(2026, 3, 5, tzinfo=east).timestamp()
    assert instant(datetime(2026, 3, 5), east) == datetime(2026, 3, 5, tzinfo=east).timestamp()  # noqa: DTZ001
