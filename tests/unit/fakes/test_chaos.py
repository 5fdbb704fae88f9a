"""The law that the chaos tests hold a log to: what it lets pass after a kill, and what it does not."""

from __future__ import annotations

import json
import types
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.fakes import chaos as chaos_module
from tests.fakes.chaos import Chaos

BEGAN = 1772446530.0


def iso(unix_s: float) -> str:
    return datetime.fromtimestamp(unix_s, UTC).isoformat()


def event(number: int) -> dict[str, Any]:
    return {"channel": "transcript", "data": {"text": f"transcript {number}"}}


def own(name: str, **data: Any) -> dict[str, Any]:
    return {"unix_ts": BEGAN, "channel": "videodb_cli", "event": name, "data": data}


def gap(old: str | None, start: float, end: float) -> dict[str, Any]:
    return own("listener.gap", old_connection_id=old, unrecoverable=["alert"], **{"from": iso(start), "to": iso(end)})


class Run:
    """One connection that brought five events, the third of them proven a second before the receiver's end."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        running: Any = types.SimpleNamespace(key="key", url="http://127.0.0.1:1")
        self.chaos = Chaos(running, tmp_path)
        journal = self.chaos.journal
        for number in range(5):
            journal.on_frame("ws-1", json.dumps(event(number)))
        for at, count in ((BEGAN + 1.0, 2), (BEGAN + 2.0, 3), (BEGAN + 2.95, 5)):
            monkeypatch.setattr(chaos_module.time, "time", lambda at=at: at)
            journal.on_proof("ws-1", count)

    def breaches(self, logged: list[int], *gaps: dict[str, Any], killed: bool = True) -> list[str]:
        if killed:
            self.chaos.journal.note_kill(BEGAN + 3.0)
        lines = [own("listener.connected", connection_id="ws-1")]
        lines += [{"unix_ts": BEGAN, **event(number)} for number in logged]
        return self.chaos.broken_laws([*lines, *gaps])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(tmp_path, monkeypatch)


def test_everything_delivered_is_in_the_log(run: Run) -> None:
    assert run.breaches([0, 1, 2, 3, 4], killed=False) == []


def test_a_kill_may_cost_what_the_next_run_declares(run: Run) -> None:
    assert run.breaches([0, 1, 2], gap("ws-1", BEGAN + 1.5, BEGAN + 4.0)) == []
    assert run.chaos.late_losses == []


def test_it_is_counted_if_it_was_held_for_long(run: Run) -> None:
    assert run.breaches([0, 1], gap("ws-1", BEGAN + 1.5, BEGAN + 4.0)) == []
    assert run.chaos.late_losses == [pytest.approx(1.0)]


def test_a_kill_before_the_log_knew_of_the_connection(run: Run) -> None:
    run.chaos.journal.note_kill(BEGAN + 3.0)
    assert run.chaos.broken_laws([gap("ws-0", BEGAN, BEGAN + 4.0)]) == []


@pytest.mark.parametrize(
    ("logged", "gaps", "killed"),
    [
        ([0, 1, 2], [], True),
        ([0, 1], [gap("ws-1", BEGAN + 2.1, BEGAN + 4.0)], True),
        ([0, 1, 2], [gap("ws-0", BEGAN + 1.5, BEGAN + 4.0)], True),
        ([0, 1, 2], [gap("ws-1", BEGAN + 1.5, BEGAN + 4.0)], False),
    ],
    ids=["not declared", "the gap begins too late", "another's gap", "no kill"],
)
def test_nothing_else_may_be_missing(run: Run, logged: list[int], gaps: list[dict[str, Any]], killed: bool) -> None:
    (breach,) = run.breaches(logged, *gaps, killed=killed)
    assert "delivered and not in the log" in breach


def test_a_hole_is_never_declared(run: Run) -> None:
    breaches = run.breaches([0, 2, 3], gap("ws-1", BEGAN + 0.5, BEGAN + 4.0))
    assert any("with holes" in breach for breach in breaches)
