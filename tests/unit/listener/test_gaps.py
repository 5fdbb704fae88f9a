"""What a loss is written down as, whatever the clock does meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from videodb_cli.listener import gaps
from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.gaps import GapTracker

NOW = 1772446530.0


@dataclass
class Clock:
    wall: float = NOW
    running: float = 500.0

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.running


@dataclass
class FakeJournal:
    gaps: list[tuple[float, float]] = field(default_factory=list)

    def connected(self, *_: Any, **__: Any) -> None:
        pass

    def disconnected(self, *_: Any, **__: Any) -> None:
        pass

    def gap(self, started: float, ended: float, *_: Any) -> float:
        self.gaps.append((started, ended))
        return ended - started


@dataclass
class FakeConnection:
    connection_id: str = "ws-1"


@pytest.mark.parametrize(
    ("wall_s", "running_s", "expected_s"),
    [
        pytest.param(20.0, 20.0, 25.0, id="a clock that goes"),
        pytest.param(-3600.0, 20.0, 25.0, id="set back by an hour"),
        pytest.param(7200.0, 20.0, 7205.0, id="a laptop that slept"),
    ],
)
def test_a_gap_is_not_shorter_than_it_was(
    monkeypatch: pytest.MonkeyPatch, wall_s: float, running_s: float, expected_s: float
) -> None:
    clock, journal = Clock(), FakeJournal()
    monkeypatch.setattr(gaps, "time", clock)
    noted = GapTracker(
        store=cast(Any, None),
        journal=cast(Any, journal),
        counters=Counters(NOW),
        recoverer=None,
        on_update=lambda _: None,
    )
    connection = cast(Connection, FakeConnection())
    assert noted.note_connection(connection) is None
    noted.note_loss(connection, Ended("cut", "connection cut", None, NOW - 5), for_log=False)
    clock.wall += wall_s
    clock.running += running_s
    assert noted.note_connection(connection) == pytest.approx(expected_s)
    ((started, ended),) = journal.gaps
    assert ended == clock.wall
    assert ended - started == pytest.approx(expected_s)
