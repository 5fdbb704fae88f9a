"""Lengths of time, ages and sizes are said in one way everywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.quantities import ago, count_of, size, span


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "?"), (float("inf"), "?"), (float("nan"), "?"),
        (-3, "0 s"), (0, "0 s"), (0.04, "0 s"), (0.4, "0.4 s"), (0.96, "1 s"), (1.4, "1 s"), (12.6, "13 s"),
        (59.4, "59 s"), (59.7, "1 min"), (180, "3 min"), (3599.7, "1 h 00 min"), (7440, "2 h 04 min"),
        (86399.9, "1 d 0 h"), (86400 * 3 + 4 * 3600, "3 d 4 h"),
    ],
)  # fmt: skip
def test_spans(seconds: float | None, said: str) -> None:
    assert span(seconds) == said
    assert ago(seconds) == ("never" if seconds is None else f"{said} ago")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 B"), (999, "999 B"), (1000, "1 kB"), (9_400, "9 kB"), (999_499, "999 kB"), (999_500, "1.0 MB"),
        (14_930_000, "14.9 MB"), (99_940_000, "99.9 MB"), (99_960_000, "100 MB"), (366_000_000, "366 MB"),
        (999_700_000, "1.0 GB"), (1_177_000_000, "1.2 GB"), (5 * 10**12, "5.0 TB"), (10**16, "10000 TB"),
        (10**400, "1000000 TB"),
    ],
)  # fmt: skip
def test_sizes(count: int, said: str) -> None:
    assert size(count) == said


@given(st.integers(0, 10**15))
def test_a_size_is_short_and_near_the_truth(count: int) -> None:
    number, unit = size(count).split()
    scale = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12}[unit]
    assert len(number) <= 4
    assert float(number) * scale == pytest.approx(count, rel=0.4 if unit == "kB" else 0.06)


def test_counts() -> None:
    assert [count_of(n, "event") for n in (0, 1, 41_208)] == ["0 events", "1 event", "41,208 events"]
