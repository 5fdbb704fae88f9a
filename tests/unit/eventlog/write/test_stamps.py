"""Stamps of receipt: one instant written twice, milliseconds, never decreasing."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.eventlog.write.stamps import CLOCK_TOLERANCE_MS, ClockFellError, Stamper, iso_from_ms


def read(stamp: bytes) -> tuple[str, float]:
    fields = json.loads(stamp + b"}")
    assert list(fields) == ["ts", "unix_ts"]
    return fields["ts"], fields["unix_ts"]


def test_form() -> None:
    assert (
        Stamper(clock=lambda: 1772446530.1239).stamp() == b'{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123'
    )
    assert iso_from_ms(1772446530007) == "2026-03-02T10:15:30.007Z"


@given(st.lists(st.integers(min_value=1_600_000_000_000, max_value=2_000_000_000_000), min_size=1))
def test_same_instant_never_decreasing_and_falls_are_told(times: list[int]) -> None:
    clock = iter(times)
    stamper = Stamper(clock=lambda: next(clock) / 1000)
    last = 0
    for now in times:
        if now < last - CLOCK_TOLERANCE_MS:
            with pytest.raises(ClockFellError):
                stamper.stamp()
            continue
        ts, unix_ts = read(stamper.stamp())
        assert datetime.fromisoformat(ts).timestamp() == pytest.approx(unix_ts, abs=1e-6)
        assert round(unix_ts * 1000) >= last
        assert abs(round(unix_ts * 1000) - max(now, last)) <= 1
        last = round(unix_ts * 1000)


def test_a_small_step_back_repeats_and_a_restart_goes_on_from_the_file() -> None:
    now = [1000.0]
    stamper = Stamper(clock=lambda: now[0])
    stamper.restart(1_000_500)
    first = stamper.stamp()
    assert read(first)[1] == 1000.5
    now[0] = 1000.2
    assert stamper.stamp() == first
    now[0] = 1000.501
    assert read(stamper.stamp())[1] == 1000.501
    now[0] = 1000.501 - 60.1
    with pytest.raises(ClockFellError):
        stamper.stamp()
    stamper.restart()
    assert read(stamper.stamp())[1] == pytest.approx(940.4, abs=0.0011)
