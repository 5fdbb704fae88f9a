"""Counts of a run: connected time, gaps, rate."""

from __future__ import annotations

from videodb_cli.listener.ledger import Ledger


def test_connected_time_and_reconnects() -> None:
    ledger = Ledger(100.0)
    ledger.connected(100.0)
    ledger.disconnected(110.0)
    ledger.disconnected(111.0)
    ledger.gap(5.0)
    ledger.connected(115.0)
    ledger.live, ledger.unparsable = 3, 1
    statement = ledger.statement(120.5)
    assert (statement.connected_s, statement.gaps, statement.gap_s, ledger.reconnects) == (15.5, 1, 5.0, 1)
    assert (statement.live, statement.unparsable, statement.recovered, statement.dropped) == (3, 1, 0, 0)


def test_a_clock_that_falls_makes_no_negative_time() -> None:
    ledger = Ledger(100.0)
    ledger.connected(100.0)
    assert ledger.statement(50.0).connected_s == 0
    ledger.disconnected(50.0)
    assert ledger.statement(50.0).connected_s >= 0


def test_the_rate_looks_back_a_minute() -> None:
    ledger = Ledger(0.0)
    assert ledger.rate(0.0) == 0
    for second in range(0, 300, 5):
        ledger.live += 50
        ledger.rate(float(second))
    assert 9 < ledger.rate(300.0) < 12
    assert ledger.rate(10_000.0) == 0, "nothing came in the last minute"
