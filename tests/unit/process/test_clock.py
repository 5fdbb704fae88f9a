"""Spans are true whatever is done to the wall clock."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.clock import JUST_BOOTED, NOW, TO_NOW, Time
from videodb_cli.process import clock as module
from videodb_cli.process.clock import STEP_S, Clock, boot_id, present, uptime_s


def test_uptime_goes_on_and_is_that_of_the_machine() -> None:
    before = uptime_s()
    asked = "from videodb_cli.process.clock import boot_id, uptime_s; print(uptime_s(), boot_id(), sep='|')"
    done = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    uptime, boot = done.stdout.strip().split("|")
    assert before < float(uptime) < uptime_s()
    assert boot == str(boot_id())


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="Linux has it")
def test_sleep_counts() -> None:
    """A laptop that slept was deaf: the clock that stands still meanwhile is the wrong one."""
    assert module._CLOCK == time.CLOCK_BOOTTIME


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to make a time namespace")
def test_a_time_namespace_is_another_boot() -> None:
    asked = "from videodb_cli.process.clock import boot_id; print(boot_id())"
    command = ["unshare", "--time", "--boottime", "100000", sys.executable, "-c", asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(done.stderr)
    assert done.stdout.strip() != str(boot_id())


def test_a_clock_that_goes_is_not_set() -> None:
    time = Time()
    clock = time.clock()
    for _ in range(100):
        time.passes(5.0)
        # What NTP slews moves both clocks; what is less than a step is none.
        time.is_set(STEP_S * 0.009)
        assert clock.look() is None
    assert clock.unix() == pytest.approx(NOW + 500.0)


@pytest.mark.parametrize("step_s", [TO_NOW, 3600.0, 2.0, -2.0, -3600.0, -TO_NOW])
def test_a_step_is_told_once_and_moves_what_was_noted(step_s: float) -> None:
    time = Time()
    clock = time.clock()
    noted = clock.uptime()
    time.passes(10.0)
    time.is_set(step_s)
    step = clock.look()
    assert clock.look() is None
    assert step is not None
    assert (step.step_s, step.before, step.after) == (
        pytest.approx(step_s),
        pytest.approx(NOW + 10.0),
        pytest.approx(NOW + 10.0 + step_s),
    )
    assert clock.unix() == pytest.approx(time.wall)
    assert clock.unix() - clock.unix(noted) == pytest.approx(10.0)
    assert clock.uptime_of(clock.unix(noted)) == pytest.approx(noted)
    assert clock.unix_or_none(None) is None
    assert clock.unix_or_none(noted) == clock.unix(noted)


@pytest.mark.parametrize("step_s", [TO_NOW, 3600.0, -3600.0, -5.0])
def test_stamps_of_before_are_corrected(step_s: float) -> None:
    time = Time(JUST_BOOTED if step_s == TO_NOW else NOW)
    clock = time.clock()
    old = time.wall
    time.passes(100.0)
    time.is_set(step_s)
    clock.look()
    new = time.wall
    time.passes(20.0)
    assert clock.corrected(new) == new
    assert time.wall - clock.corrected(old) == pytest.approx(120.0)


def test_a_stamp_that_the_clock_made_twice_is_the_later_one() -> None:
    time = Time()
    clock = time.clock()
    time.passes(100.0)
    stamp = time.wall
    time.passes(10.0)
    time.is_set(-50.0)
    clock.look()
    time.passes(60.0)
    assert clock.corrected(stamp) == stamp


def test_any_number_of_steps_back() -> None:
    """The stamps of after a step are lower than all of before: they must not be taken for those."""
    time = Time()
    clock = time.clock()
    noted = []
    for _ in range(4):
        time.passes(100.0)
        noted.append((time.wall, time.uptime))
        time.passes(10.0)
        time.is_set(-7200.0)
        clock.look()
        # As the log writes it.
        noted.append((int(time.wall * 1000) / 1000, time.uptime))
    for stamp, uptime in noted:
        assert time.wall - clock.corrected(stamp) == pytest.approx(time.uptime - uptime, abs=2e-3)


def test_stamps_from_a_future_that_was_none() -> None:
    """The clock was years ahead, and was set right."""
    time = Time(NOW + 1e9)
    clock = time.clock()
    stamp = time.wall
    time.passes(100.0)
    time.is_set(-1e9)
    clock.look()
    time.passes(20.0)
    assert time.wall - clock.corrected(stamp) == pytest.approx(120.0)
    assert clock.corrected(time.wall) == time.wall


@given(st.lists(st.tuples(st.floats(0.01, 1e6), st.floats(2.0, 2e9)), max_size=5))
def test_any_number_of_steps_forward(steps: list[tuple[float, float]]) -> None:
    time = Time(JUST_BOOTED)
    clock = time.clock()
    noted = []
    for passes_s, step_s in steps:
        noted.append((time.wall, time.uptime))
        time.passes(passes_s)
        time.is_set(step_s)
        clock.look()
    for stamp, uptime in noted:
        assert time.wall - clock.corrected(stamp) == pytest.approx(time.uptime - uptime, abs=1e-3)


def test_an_earlier_run_of_this_boot() -> None:
    """Between two runs the clock was set: the stamps of the first one are told by the clock of the second."""
    time = Time(JUST_BOOTED)
    earlier = time.clock()
    ahead_s, last = earlier.unix() - earlier.uptime(), time.wall
    time.passes(60.0)
    time.is_set(TO_NOW)
    clock = time.clock()
    step = clock.continue_from(ahead_s, last)
    assert step is not None
    assert step.step_s == pytest.approx(TO_NOW)
    assert time.wall - clock.corrected(last) == pytest.approx(60.0)
    clock = time.clock()
    assert clock.continue_from(clock.unix() - clock.uptime(), time.wall) is None


# ---- what another process makes of a file ----------------------------------------------------------------------------


def test_ages_in_a_file_are_true_after_a_step(monkeypatch: pytest.MonkeyPatch) -> None:
    running = Time()
    monkeypatch.setattr(module, "uptime_s", lambda: running.uptime)
    monkeypatch.setattr("time.time", lambda: running.wall)
    clock = Clock(wall=lambda: running.wall, uptime=lambda: running.uptime)
    fields = {"written_at": clock.unix(), **clock.marks()}
    running.passes(7.0)
    running.is_set(TO_NOW)
    assert present(fields) - fields["written_at"] == pytest.approx(7.0, abs=0.01)
    for strange in ({}, {"boot_id": "another"}, {"uptime_s": "soon"}, {"written_at": None}):
        assert present({**fields, **strange} if strange else {}) == running.wall


def test_where_nobody_knows_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    boot_id.cache_clear()
    monkeypatch.setattr(module, "_PLATFORM", "freebsd")
    try:
        assert boot_id() is None
        assert present({"written_at": 1.0, **Clock().marks()}) == pytest.approx(time.time(), abs=5)
    finally:
        boot_id.cache_clear()
