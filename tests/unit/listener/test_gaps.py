"""What a loss is written down as, whatever is done to the clock meanwhile."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from tests.fakes.clock import JUST_BOOTED, NOW, TO_NOW, Time
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.clock_watch import ClockWatch
from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.gaps import GapTracker
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.log import ListenerLog
from videodb_cli.listener.recovery.pipeline import Gap
from videodb_cli.listener.updates import ListenerUpdate, Resumed
from videodb_cli.process.clock import boot_id


@dataclass
class FakeConnection:
    connection_id: str = "ws-1"
    extra: dict[str, object] = field(default_factory=dict)
    last_message_at: float | None = None


@dataclass
class FakeRecoverer:
    gaps: list[Gap] = field(default_factory=list)
    steps: list[float] = field(default_factory=list)

    def begin(self, gap: Gap) -> None:
        self.gaps.append(gap)

    def adopt(self, _: str) -> None:
        pass

    def lost(self, _: str) -> None:
        pass

    def on_clock_set(self, step_s: float) -> None:
        self.steps.append(step_s)


class Run:
    """One run of a listener, as far as gaps go, on a machine with these clocks."""

    def __init__(self, directory: Path, time: Time) -> None:
        self.time = time
        self.updates: list[ListenerUpdate] = []
        self.store = LogStore(directory / "videodb_events.jsonl", clock=lambda: time.wall)
        self.store.open()
        self.clock = time.clock()
        self.journal = Journal(self.store, "host", None, self.clock)
        self.counters = Counters(time.uptime)
        self.recoverer = FakeRecoverer()
        log = ListenerLog(self.store, clear=False)
        log.is_open = True
        told: list[ListenerUpdate] = []
        watch = ClockWatch(self.clock, log, self.journal, cast(Any, self.recoverer), told.append)
        self.gaps = GapTracker(
            self.store, self.journal, self.counters, cast(Any, self.recoverer), self.updates.append, watch
        )

    def connects(self) -> float | None:
        return self.gaps.note_connection(cast(Connection, FakeConnection()))

    def hears(self) -> None:
        self.store.append(b'"channel":"alert"}\n')

    def loses(self) -> None:
        ended = Ended("cut", "connection cut", None, self.time.uptime)
        self.gaps.note_loss(cast(Connection, FakeConnection()), ended, for_log=False)

    def ends(self) -> None:
        self.store.close()

    def lines(self, name: str) -> list[dict[str, Any]]:
        self.store.flush(5)
        logs = sorted(self.store.path.parent.iterdir(), key=lambda path: path.name, reverse=True)
        found = [json.loads(line) for log in logs for line in log.read_bytes().splitlines()]
        return [line["data"] for line in found if line.get("event") == name]


STEPS = [
    pytest.param(0.0, id="a clock that goes"),
    pytest.param(TO_NOW, id="from 1970 to now"),
    pytest.param(40.0, id="forward a little"),
    pytest.param(-40.0, id="back a little"),
    pytest.param(-7200.0, id="back by two hours"),
    pytest.param(-TO_NOW, id="back to 1970"),
]


@pytest.mark.parametrize("step_s", STEPS)
def test_a_gap_is_as_long_as_it_was(tmp_path: Path, step_s: float) -> None:
    time = Time(JUST_BOOTED if step_s == TO_NOW else NOW)
    run = Run(tmp_path, time)
    assert run.connects() is None
    time.passes(60.0)
    run.loses()
    time.passes(10.0)
    time.is_set(step_s)
    time.passes(15.0)
    assert run.connects() == pytest.approx(25.0)
    (gap,) = run.lines("listener.gap")
    assert gap["seconds"] == 25.0
    assert "at_least" not in gap
    assert "nothing could be heard for 25 s" in gap["text"]
    (begun,) = run.recoverer.gaps
    assert (begun.started, begun.ended) == (pytest.approx(time.wall - 25.0), pytest.approx(time.wall))
    assert [round(line["step_s"]) for line in run.lines("listener.clock")] == ([round(step_s)] if step_s else [])
    statement = run.counters.statement(time.uptime)
    assert (statement.connected_s, statement.gap_s) == (60.0, 25.0)
    run.ends()


@pytest.mark.parametrize("step_s", STEPS)
async def test_a_gap_between_two_runs_of_one_boot_is_as_long_as_it_was(tmp_path: Path, step_s: float) -> None:
    time = Time(JUST_BOOTED if step_s == TO_NOW else NOW)
    run = Run(tmp_path, time)
    run.connects()
    time.passes(60.0)
    run.hears()
    run.ends()
    time.passes(10.0)
    time.is_set(step_s)
    time.passes(15.0)
    again = Run(tmp_path, time)
    await again.gaps.look_at_last_run()
    time.passes(5.0)
    assert again.connects() is None
    (gap,) = again.lines("listener.gap")
    assert gap["seconds"] == pytest.approx(30.0, abs=0.01)
    assert [type(update) for update in again.updates] == [Resumed]
    (begun,) = again.recoverer.gaps
    assert begun.started == pytest.approx(time.wall - 30.0, abs=0.01)
    assert [round(line["step_s"]) for line in again.lines("listener.clock")] == ([round(step_s)] if step_s else [])
    again.ends()


@pytest.mark.parametrize(
    ("last", "booted", "seconds", "at_least"),
    [
        pytest.param(NOW - 3600.0, NOW, 3620.0, False, id="both clocks are right"),
        pytest.param(NOW, NOW - 5.0, 15.0, False, id="a little behind"),
        pytest.param(JUST_BOOTED, NOW, 520.0, True, id="the first boot never heard of the time"),
        pytest.param(NOW - 3600.0, JUST_BOOTED, 520.0, True, id="this boot has not heard of the time"),
        pytest.param(5000.0, 6000.0, 520.0, True, id="neither of them has"),
        pytest.param(NOW + 1e9, NOW, 520.0, True, id="the first clock was years ahead"),
    ],
)
async def test_a_gap_over_a_reboot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, last: float, booted: float, seconds: float, at_least: bool
) -> None:
    """Where one of the clocks was wrong, what is certain is said as such: decades never are."""
    monkeypatch.setattr("videodb_cli.process.clock.boot_id", lambda: "the boot before")
    run = Run(tmp_path, Time(last - 20.0, 100.0))
    run.connects()
    run.time.passes(20.0)
    run.hears()
    run.ends()
    monkeypatch.setattr("videodb_cli.process.clock.boot_id", boot_id)
    time = Time(booted, 500.0)
    again = Run(tmp_path, time)
    await again.gaps.look_at_last_run()
    time.passes(20.0)
    again.connects()
    (gap,) = again.lines("listener.gap")
    assert gap["seconds"] == pytest.approx(seconds)
    assert gap.get("at_least", False) is at_least
    assert ("for at least" in gap["text"]) is at_least
    (update,) = again.updates
    assert isinstance(update, Resumed)
    assert (update.gap_s, update.at_least) == (pytest.approx(seconds), at_least)
    (begun,) = again.recoverer.gaps
    # What the clock does not tell is asked for as far back as may be.
    assert begun.started == (0.0 if at_least else pytest.approx(min(last, time.wall)))
    again.ends()


async def test_a_log_of_an_older_version_knows_no_uptime(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    log.write_text('{"ts":"1970-01-01T00:05:00.000Z","unix_ts":300.000,"channel":"alert"}\n')
    time = Time()
    run = Run(tmp_path, time)
    await run.gaps.look_at_last_run()
    time.passes(3.0)
    run.connects()
    (gap,) = run.lines("listener.gap")
    assert (gap["seconds"], gap["at_least"]) == (3.0, True)
    run.ends()


async def test_a_run_that_died_before_it_noticed_that_the_clock_was_set_forward(tmp_path: Path) -> None:
    time = Time(JUST_BOOTED)
    run = Run(tmp_path, time)
    run.connects()
    time.passes(60.0)
    time.is_set(TO_NOW)
    run.hears()
    run.ends()
    time.passes(10.0)
    again = Run(tmp_path, time)
    await again.gaps.look_at_last_run()
    again.connects()
    (gap,) = again.lines("listener.gap")
    assert gap["seconds"] == pytest.approx(10.0, abs=0.01)
    again.ends()


@pytest.mark.parametrize("step_s", [-61.0, -600.0, -7200.0, -TO_NOW])
async def test_a_run_that_died_before_it_noticed_that_the_clock_was_set_back(tmp_path: Path, step_s: float) -> None:
    """It had stood for so long that the step alone does not lead to before it."""
    time = Time(NOW)
    run = Run(tmp_path, time)
    run.connects()
    time.passes(3600.0)
    run.hears()
    time.is_set(step_s)
    run.hears()
    time.passes(2.0)
    run.hears()
    run.ends()
    time.passes(10.0)
    again = Run(tmp_path, time)
    await again.gaps.look_at_last_run()
    again.connects()
    (gap,) = again.lines("listener.gap")
    assert gap["seconds"] == pytest.approx(10.0, abs=0.01)
    again.ends()


async def test_if_no_clock_explains_the_last_stamp_the_last_certain_line_counts(tmp_path: Path) -> None:
    """The clock was set far forward, the run died, and the clock was set again before the next run."""
    time = Time(NOW)
    run = Run(tmp_path, time)
    run.connects()
    time.passes(60.0)
    time.is_set(1e6)
    run.hears()
    run.ends()
    time.is_set(-1e6 - 7200.0)
    time.passes(10.0)
    again = Run(tmp_path, time)
    await again.gaps.look_at_last_run()
    again.connects()
    (gap,) = again.lines("listener.gap")
    assert gap["seconds"] == pytest.approx(70.0, abs=0.01), "longer than it was, rather than shorter"
    again.ends()
