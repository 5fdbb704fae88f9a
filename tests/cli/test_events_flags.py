"""Every selection flag works with every command, or is refused with a sentence and what to do instead."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]
NOW = int(time.time())


def line(text: str, at: float, channel: str = "transcript") -> str:
    data = {"text": text, "is_final": True, "start": NOW + at, "end": NOW + at + 1}
    return json.dumps({"unix_ts": NOW + at, "channel": channel, "rtstream_name": "mic:default", "data": data}) + "\n"


LINES = [line("one", -300), line("two pager", -290), line("screen", -289, "visual_index"), line("three", -100)]
OWN = json.dumps({"unix_ts": NOW - 95, "channel": "videodb_cli", "event": "listener.gap", "data": {}}) + "\n"
COMMANDS = {
    "tail": (), "filter": (".",), "stats": (), "search": ("pager",), "transcript": (), "summary": (),
    "wait": ("--since", "1h", "--timeout", "0.1"),
    "forward": ("--exec", "true", "--since", "1h", "--limit", "1"),
}  # fmt: skip
FLAGS = [
    ("--channel", "transcript"), ("--not-channel", "alert"), ("--event", "x"), ("--stream", "mic"), ("--session", "s"),
    ("--since", "1h"), ("--until", "1s"), ("--grep", "pager"), ("--not-grep", "x"), ("--final",), ("--interim",),
    ("--live",), ("--limit", "1"), ("--around", "30s"), ("--cursor-file", "cursor"),
]  # fmt: skip
REFUSED = {
    ("wait", "--around"), ("stats", "--around"), ("stats", "--cursor-file"), ("summary", "--around"),
    ("summary", "--cursor-file"), ("search", "--cursor-file"),
    ("transcript", "--cursor-file"), ("transcript", "--interim"), ("forward", "--around"),
}  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text("".join(LINES) + OWN)
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(log.parent)

    def call(command: str, *arguments: str) -> tuple[int, str, str]:
        status = main(["events", command, "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, captured.out, captured.err

    return call


@pytest.mark.parametrize("flag", FLAGS, ids=lambda flag: flag[0])
@pytest.mark.parametrize("command", COMMANDS)
def test_taken_or_refused_in_words(command: str, flag: tuple[str, ...], run: Run) -> None:
    if command == "forward" and flag[0] in {"--event", "--session", "--interim"}:
        pytest.skip("nothing is selected, and forward waits for more")
    status, _, err = run(command, *COMMANDS[command], *flag)
    if (command, flag[0]) in REFUSED:
        assert status == 2
        assert "hint: " in err
        assert "No such option" not in err
    else:
        found_nothing = {1, 124} if flag[0] != "--session" else {4, 124}  # an unknown session is an error
        assert status in {0, *found_nothing}


@pytest.mark.parametrize(("command", "flag"), sorted(REFUSED))
def test_what_is_refused_names_another_way(command: str, flag: str, run: Run) -> None:
    status, out, err = run(command, *COMMANDS[command], *([flag] if flag == "--interim" else [f"{flag}=30s"]))
    assert (status, out) == (2, "")
    assert "hint: " in err
    assert "--help" not in err


def test_wait_goes_on_from_a_cursor(run: Run, log: Path) -> None:
    wait = ("--cursor-file", "cursor", "--timeout", "0.1", "--channel", "transcript")
    assert run("wait", *wait)[:2] == (124, "")
    with log.open("a") as file:
        file.write(line("between", 0) + line("two commands", 0) + line("of a script", 0))
    assert json.loads(run("wait", *wait)[1])["data"]["text"] == "between"
    assert run("wait", *wait, "--limit", "2")[1].count("\n") == 2
    assert run("wait", *wait)[0] == 124


def test_what_was_said_around_a_word(run: Run) -> None:
    status, out, _ = run("transcript", "--grep", "pager", "--around", "30s")
    assert status == 0
    assert "one" in out
    assert "pager" in out
    assert "three" not in out
    assert "screen" not in out
    assert "screen" in run("transcript", "--grep", "pager", "--around", "30s", "--visuals")[1]
    assert "three" not in run("transcript", "--grep", "one", "--around", "5s")[1]
