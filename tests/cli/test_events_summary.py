"""`videodb events summary` as a user calls it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from videodb_cli.main import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    with path.open("w") as file:
        for number in range(300):
            data = {"text": f"We talk about topic {number % 17} and the database of team {number}.", "is_final": True}
            event = {"unix_ts": 1.7e9 + number, "channel": "transcript", "rtstream_name": "mic:default", "data": data}
            file.write(json.dumps(event) + "\n")
    return path


@pytest.mark.parametrize("budget", [60, 100, 400, 2000])
def test_the_answer_holds_its_budget(log: Path, budget: int, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["events", "summary", "--dir", str(log.parent), "--budget", str(budget)]
    assert main(arguments) == 0
    text = capfd.readouterr().out
    assert len(text.encode()) <= budget * 4
    assert "300 events" in text
    assert main([*arguments, "--json"]) == 0
    answer = capfd.readouterr().out
    assert len(answer.encode()) - 1 <= budget * 4
    found = json.loads(answer)
    assert (found["events"], found["said"]["count"], found["schema"]) == (300, 300, 1)


def test_the_commands_of_the_answer_run(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "summary", "--dir", str(log.parent), "--json", "--budget", "1000"]) == 0
    commands = json.loads(capfd.readouterr().out)["next"]
    assert commands
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(command, shell=True, env=environment, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, command
        assert done.stdout, command


def test_an_empty_selection_is_told(log: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["events", "summary", "--dir", str(log.parent), "--since", "1h"]) == 0
    assert capfd.readouterr().out == "no events\n"
    assert main(["events", "summary", "--dir", str(log.parent), "--budget", "59"]) == 2
