"""A name that the log does not have is told; the beginning of a name is taken for it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.commands.events import selectors
from videodb_cli.main import main

Run = Callable[..., tuple[int, int, str]]
EVENTS = [
    {"channel": "transcript", "rtstream_id": "rts-1", "rtstream_name": "mic:default", "data": {"text": "hello"}},
    {"channel": "alert", "rtstream_id": "rts-2", "rtstream_name": "display:1", "data": {"label": "slack"}},
    {"channel": "audio_index", "rtstream_id": "rts-1", "rtstream_name": "mic:default", "data": {"text": "noise"}},
    {"event": "capture_session.exported", "capture_session_id": "cap-1", "data": {}},
]
COMMANDS = {"tail": [], "filter": [], "transcript": [], "stats": [], "search": ["hello"]}


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text("".join(json.dumps({"unix_ts": 5.0, **event}) + "\n" for event in EVENTS))
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, *arguments: str) -> tuple[int, int, str]:
        status = main(["events", command, *COMMANDS.get(command, []), *arguments, "--dir", str(log.parent)])
        out, err = capfd.readouterr()
        return status, len(out.splitlines()), err

    return call


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("flag", "typed", "said"),
    [
        ("--channel", "alrt", "no channel 'alrt' in this log; did you mean 'alert'?\n"),
        ("--stream", "display:2", "no stream 'display:2' in this log; did you mean 'display:1'?\n"),
        ("--event", "exportd", "no event 'exportd' in this log; did you mean 'exported'?\n"),
        ("--channel", "visual_index", "no channel 'visual_index' in this log\n"),
        ("--not-channel", "zzz", "no channel 'zzz' in this log\n"),
        ("--channel", "a\x1b[31m", "no channel 'a\\x1b[31m' in this log\n"),
    ],
)
def test_a_name_that_is_not_there_is_told(run: Run, command: str, flag: str, typed: str, said: str) -> None:
    status, _, err = run(command, flag, typed)
    assert said in err
    assert status == (1 if command == "search" and flag != "--not-channel" else 0)


@pytest.mark.parametrize("command", ["tail", "transcript"])
def test_the_exit_status_when_nothing_matched(run: Run, command: str) -> None:
    assert run(command, "--channel", "alrt")[0] == 0
    assert run(command, "-e", "--channel", "alrt")[0] == 1
    assert run("tail", "-e", "--channel", "alert")[0] == 0
    assert run("filter", "-e", "--channel", "alrt")[0] == 4
    assert run("search", "--channel", "alrt")[0] == 1


@pytest.mark.parametrize(
    ("flag", "typed", "meant", "lines"),
    [
        ("--channel", "trans", "transcript", 1),
        ("--stream", "mi", "mic:default", 2),
        ("--stream", "rts-2", None, 1),
        ("--stream", "mic", None, 2),
        ("--channel", "spoken_index", None, 1),
        ("--not-channel", "cap", "capture_session", 3),
    ],
)
def test_the_beginning_of_a_name(run: Run, flag: str, typed: str, meant: str | None, lines: int) -> None:
    status, count, err = run("filter", flag, typed)
    assert (status, count) == (0, lines)
    assert err == ("" if meant is None else f"{flag.removeprefix('--not-').removeprefix('--')} {typed} means {meant}\n")


def test_the_beginning_of_several_names(run: Run) -> None:
    status, lines, err = run("filter", "--stream", "rts")
    assert (status, lines) == (2, 0)
    assert "several streams begin with 'rts': rts-1, rts-2" in err
    assert "hint: --stream rts-1" in err


def test_following_says_nothing_of_what_may_come(run: Run) -> None:
    wait = ("wait", "--timeout", "0.05")
    assert "no channel" not in run(*wait, "--channel", "visual_index")[2]
    assert "no event '" not in run(*wait, "--event", "stopped", "--fail-on", "failed")[2]
    assert "no stream" not in run(*wait, "--stream", "system_audio")[2]
    assert "no channel 'alrt' in this log yet; did you mean 'alert'?" in run(*wait, "--channel", "alrt")[2]
    assert "no event 'faild' in this log yet; did you mean 'failed'?" in run(*wait, "--fail-on", "faild")[2]
    status, _, err = run("tail", "-f", "--timeout", "0.05", "--stream", "nobody")
    assert (status, "no stream 'nobody' in this log yet" in err) == (124, True)


def test_a_log_without_events_tells_nothing(run: Run, log: Path) -> None:
    log.write_text('{"unix_ts":5.0,"channel":"videodb_cli","event":"listener.connected"}\n')
    assert run("filter", "--channel", "alrt") == (0, 0, "")
    assert "no channel" not in run("wait", "--timeout", "0.05", "--channel", "alrt")[2]


def test_a_large_log_is_not_read_twice(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no time for all names, only a selection that matched nothing tells what was not seen."""
    monkeypatch.setattr(selectors, "_BUDGET_S", 0.0)
    with log.open("a") as file:
        file.writelines(
            json.dumps({"unix_ts": 6.0, "channel": "visual_index", "data": {"text": "x" * 900}}) + "\n"
            for _ in range(2000)
        )
    assert run("filter", "--channel", "alert") == (0, 1, "")
    said = "no channel 'zzz' in the part of this log that was looked at for names\n"
    assert run("filter", "--channel", "zzz") == (0, 0, said)
    assert not log.with_name(log.name + ".names").exists()


def test_standard_input_is_not_looked_into(log: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "videodb_cli", "events", "filter", "--channel", "zzz", ".", "-"],
        input=log.read_bytes(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
