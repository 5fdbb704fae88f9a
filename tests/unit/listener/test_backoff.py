"""When to try again: growing, drawn in full, capped, with the server's wish as a floor."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.backoff import CAP_S, FIRST_S, Backoff


def test_ceilings_double_up_to_the_cap_and_forgiveness_begins_anew() -> None:
    drawn: list[tuple[float, float]] = []

    def highest(low: float, high: float) -> float:
        drawn.append((low, high))
        return high

    backoff = Backoff(uniform=highest)
    assert [backoff.next_delay_s() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert {low for low, _ in drawn} == {0.0}
    assert backoff.failures == 8
    backoff.forgive()
    assert backoff.next_delay_s() == 1


@given(st.integers(0, 5000), st.one_of(st.none(), st.floats(0, 3600)))
def test_bounds(failures: int, asked: float | None) -> None:
    backoff = Backoff()
    backoff.failures = failures
    delay = backoff.next_delay_s(asked)
    assert (asked or 0) <= delay <= max(CAP_S, (asked or 0) + 1)
    if asked is None:
        assert delay <= min(CAP_S, FIRST_S * 2 ** min(failures, 10))


def test_what_the_server_asks_for_is_spread_a_little() -> None:
    delays = {Backoff().next_delay_s(100) for _ in range(50)}
    assert len(delays) > 1
    assert all(100 <= delay <= 101 for delay in delays)
    assert Backoff(uniform=lambda _, high: high).next_delay_s(0.2) == pytest.approx(1)
