"""Counts of a run: connected time, gaps, rate."""

from __future__ import annotations

from videodb_cli.listener.counters import Counters


def test_connected_time_and_reconnects() -> None:
    counters = Counters(100.0)
    counters.connected(100.0)
    counters.disconnected(110.0)
    counters.disconnected(111.0)
    counters.gap(5.0)
    counters.connected(115.0)
    counters.live, counters.unparsable = 3, 1
    statement = counters.statement(120.5)
    assert (statement.connected_s, statement.gaps, statement.gap_s, counters.reconnects) == (15.5, 1, 5.0, 1)
    assert (statement.live, statement.unparsable, statement.recovered, statement.dropped) == (3, 1, 0, 0)


def test_a_clock_that_falls_makes_no_negative_time() -> None:
    counters = Counters(100.0)
    counters.connected(100.0)
    assert counters.statement(50.0).connected_s == 0
    counters.disconnected(50.0)
    assert counters.statement(50.0).connected_s >= 0


def test_the_rate_looks_back_a_minute() -> None:
    counters = Counters(0.0)
    assert counters.rate(0.0) == 0
    for second in range(0, 300, 5):
        counters.live += 50
        counters.rate(float(second))
    assert 9 < counters.rate(300.0) < 12
    assert counters.rate(10_000.0) == 0, "nothing came in the last minute"
