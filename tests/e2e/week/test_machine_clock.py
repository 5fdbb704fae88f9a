"""The clock of the machine is set while a listener runs: after boot from 1970, by NTP forward and back.

A step is one line of a table. The wall clock of each process is read from a file (`sitecustomize` takes the place
of `time.time`); the uptime is the machine's own, which nobody sets.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import VIDEODB
from tests.fakes.listener_process import ListenerProcess, read_log, wait_for
from tests.fakes.stage import Stage
from videodb_cli.local.http.server import Running

HOOK = """
import pathlib, time
_file, _true = pathlib.Path({name!r}), time.time
def _read():
    try:
        return _true() + float(_file.read_text())
    except ValueError:  # it is just being written
        return _read()
time.time = _read
"""
SINCE_1970 = 1.7e9
STEPS = [
    pytest.param(-SINCE_1970, 0.0, id="1970 to now"),
    pytest.param(0.0, 3600.0, id="forward by an hour"),
    pytest.param(0.0, 20.0, id="forward by seconds"),
    pytest.param(0.0, -20.0, id="back by seconds"),
    pytest.param(0.0, -3600.0, id="back by an hour"),
]
# Nothing here takes so long, however busy the machine is.
A_WHILE_S = 60.0


class Board:
    """A directory on a machine whose wall clock is wrong by ``ahead_s``, and what is said about it."""

    def __init__(self, root: Path, stage: Stage) -> None:
        self.directory = root / "events"
        self._ahead = root / "ahead"
        (root / "hook").mkdir()
        (root / "hook" / "sitecustomize.py").write_text(HOOK.format(name=str(self._ahead)))
        self.environment = {**stage.environment, "PYTHONPATH": str(root / "hook"), "HOME": str(root)}

    def set_clock(self, ahead_s: float) -> None:
        self._ahead.write_text(str(ahead_s))

    def listen(self) -> ListenerProcess:
        return ListenerProcess(self.directory, self.environment)

    def status(self) -> dict[str, Any]:
        """What another process makes of the state file."""
        done = subprocess.run(
            [VIDEODB, "status", "--json", "--dir", str(self.directory)],
            capture_output=True,
            env={**os.environ, **self.environment},
            check=False,
        )
        return dict(json.loads(done.stdout))


@pytest.fixture
def stage(service: Running) -> Stage:
    return Stage(service)


@pytest.fixture
def board(tmp_path: Path, stage: Stage) -> Board:
    return Board(tmp_path, stage)


def named(lines: list[dict[str, Any]], name: str) -> list[dict[str, Any]]:
    return [line["data"] for line in lines if line.get("event") == name]


def said(lines: list[dict[str, Any]]) -> list[tuple[str, bool]]:
    found = [line for line in lines if line.get("channel") == "transcript"]
    return [(line["data"]["text"], line.get("recovered", False)) for line in found]


def is_listening(board: Board) -> dict[str, Any]:
    """The state of a healthy listener: no age in it is older than this test."""
    found = board.status()
    assert (found["state"], found["why"]) == ("listening", None), found
    ages = {name: found[name] for name in found if name.endswith("_age_s") and found[name] is not None}
    assert all(0 <= age < A_WHILE_S for age in ages.values()), ages
    return found


@pytest.mark.parametrize(("before", "after"), STEPS)
def test_the_clock_is_set_while_it_listens(board: Board, stage: Stage, before: float, after: float) -> None:
    now = time.time()
    board.set_clock(before)
    with board.listen() as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        stage.transcribe(stream, first)
        stage.speak(stream, "heard live", now - 10)
        listener.wait_for_line(lambda line: line.get("channel") == "transcript")
        wait_for(lambda: board.status()["events"] == 1, "the state file does not come up to date")
        is_listening(board)
        board.set_clock(after)
        is_listening(board)
        stage.close_sockets()
        stage.speak(stream, "said in the gap", now - 2)
        listener.wait_for_id(other_than=first)
        gap = listener.wait_for_event("listener.gap")["data"]
        assert 0 < gap["seconds"] < A_WHILE_S
        assert "at_least" not in gap
        listener.wait_for_line(lambda line: line.get("recovered") is True)
        wait_for(lambda: board.status()["gaps"] == 1, "the state file does not come up to date")
        assert is_listening(board)["gap_s"] == gap["seconds"]
    lines = read_log(board.directory)
    assert said(lines) == [("heard live", False), ("said in the gap", True)]
    (step,) = named(lines, "listener.clock")
    assert step["step_s"] == pytest.approx(after - before, abs=2)
    assert step["text"].startswith(f"the clock was set {'forward' if after > before else 'back'} by ")
    (statement,) = named(lines, "listener.stopped")
    assert statement["connected_s"] < A_WHILE_S
    assert statement["gap_s"] < A_WHILE_S
    assert (statement["live"], statement["recovered"]) == (1, 1)
    reasons = [data["reason"] for data in named(lines, "log.rotated")]
    assert reasons == (["clock"] if after - before < -60 else [])
    assert "the clock was set" in listener.output.decode()


@pytest.mark.parametrize(("before", "after"), [STEPS[0], STEPS[1], STEPS[4]])
def test_the_clock_is_set_between_two_runs(board: Board, stage: Stage, before: float, after: float) -> None:
    """Nothing that the first run heard is written again, and nothing that was said since is missing."""
    now = time.time()
    board.set_clock(before)
    with board.listen() as listener:
        stream = stage.stream()
        stage.transcribe(stream, listener.wait_for_id())
        stage.speak(stream, "heard live", now - 10)
        listener.wait_for_line(lambda line: line.get("channel") == "transcript")
        listener.stop(9)
    board.set_clock(after)
    stage.speak(stream, "said in the gap", now - 2)
    with board.listen() as listener:
        gap = listener.wait_for_event("listener.gap")["data"]
        assert 0 < gap["seconds"] < A_WHILE_S
        listener.wait_for_line(lambda line: line.get("recovered") is True)
        listener.wait_for_event("listener.recovered")
    lines = read_log(board.directory)
    assert said(lines) == [("heard live", False), ("said in the gap", True)]
    (step,) = named(lines, "listener.clock")
    assert step["step_s"] == pytest.approx(after - before, abs=2)
