"""`--session`: the session's own events and those of its rtstreams, from the log and from the capture's state file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, list[Any], str]]


def line(number: int, **members: Any) -> str:
    event = {"ts": "2026-03-02T10:15:30.000Z", "unix_ts": 1772446530 + number, **members}
    return json.dumps({**event, "n": number}) + "\n"


def life(number: int, session: str, status: str, *streams: str) -> str:
    data = {"rtstreams": [{"rtstream_id": stream} for stream in streams]} if streams else {}
    return line(number, event=f"capture_session.{status}", capture_session_id=session, data=data)


def said(number: int, stream: str) -> str:
    return line(number, channel="transcript", rtstream_id=stream, data={"text": "x", "is_final": True})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.with_name(path.name + ".1").write_text(
        life(0, "cap-1", "active", "rts-1") + said(1, "rts-1") + "not JSON capture_session_id\n"
    )
    path.write_text(life(2, "cap-2", "active", "rts-2a", "rts-2b") + said(3, "rts-2a") + said(4, "rts-1"))
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(command: str, *arguments: str) -> tuple[int, list[Any], str]:
        status = main(["events", command, "--dir", str(log.parent), *arguments])
        captured = capfd.readouterr()
        return status, [json.loads(text).get("n") for text in captured.out.splitlines()], captured.err

    return call


def test_a_session_by_its_id_and_the_last_one(run: Run) -> None:
    assert run("filter", "--session", "cap-1")[:2] == (0, [0, 1, 4])
    assert run("filter", "--session", "cap-2")[:2] == (0, [2, 3])
    assert run("filter", "--session", "last")[:2] == (0, [2, 3])
    assert run("tail", "--session", "last", "-n", "1")[:2] == (0, [3])
    assert run("filter", "--session", "-1")[:2] == (0, [2, 3])
    assert run("filter", "--session", "-2")[:2] == (0, [0, 1, 4])
    assert run("filter", "--session=-2")[:2] == (0, [0, 1, 4])


def test_a_session_by_the_beginning_of_its_id(run: Run, log: Path) -> None:
    with log.open("a") as file:
        file.write(life(5, "other-7", "active"))
    assert run("filter", "--session", "oth")[:2] == (0, [5])
    status, lines, talk = run("filter", "--session", "cap")
    assert (status, lines) == (2, [])
    assert "several sessions begin with 'cap': cap-2, cap-1" in talk
    assert run("filter", "--session", "cap-1")[:2] == (0, [0, 1, 4])


@pytest.mark.parametrize("wanted", ["cap-9", "-3", "-0", "x"])
@pytest.mark.parametrize("command", ["filter", "tail", "transcript", "stats", "search"])
def test_a_session_that_is_not_there_is_not_found(run: Run, command: str, wanted: str) -> None:
    words = ["word"] if command == "search" else []
    status, lines, talk = run(command, *words, "--session", wanted)
    assert (status, lines) == (4, [])
    assert "hint: videodb sessions" in talk


def test_a_later_event_of_an_earlier_session_does_not_make_that_the_last(run: Run, log: Path) -> None:
    with log.open("a") as file:
        file.write(life(9, "cap-1", "exported"))
    assert run("filter", "--session", "last")[:2] == (0, [2, 3])


def test_following_waits_for_a_session_that_is_not_there_yet(run: Run) -> None:
    status, lines, talk = run("wait", "--session", "cap-9", "--timeout", "0.1")
    assert (status, lines) == (124, [])
    assert "no session 'cap-9' in this log yet; did you mean 'cap-" in talk


def test_the_capture_of_the_directory_names_streams_before_the_log_does(run: Run, log: Path) -> None:
    state = log.with_name("videodb_capture_info.json")
    content = {
        "v": 1,
        "session_id": "cap-2",
        "channels": [{"channel_id": "mic:default", "rtstream_id": "rts-1"}, "nonsense"],
        "pipelines": [{"rtstream_id": "rts-3"}, {"rtstream_id": None}],
    }
    state.write_text(json.dumps(content))
    state.chmod(0o600)
    with log.open("a") as file:
        file.write(said(5, "rts-3"))
    assert run("filter", "--session", "last")[:2] == (0, [1, 2, 3, 4, 5])
    state.write_text(json.dumps({**content, "session_id": "cap-7"}))
    assert run("filter", "--session", "last")[:2] == (0, [2, 3]), "the log's own last session comes first"


def test_no_session_yet(run: Run, log: Path) -> None:
    log.with_name(log.name + ".1").unlink()
    log.write_text(said(1, "rts-1"))
    status, lines, talk = run("filter", "--session", "last")
    assert (status, lines) == (4, [])
    assert "no capture session" in talk


def test_what_came_around_a_match_comes_once_and_in_order(run: Run) -> None:
    assert run("filter", "--session", "cap-2", "--around", "1s")[:2] == (0, [1, 2, 3, 4])
    assert run("filter", "--event", "active", "--around", "1s")[:2] == (0, [0, 1, 2, 3])
    assert run("filter", "--event", "active", "--limit", "1", "--around", "1s")[:2] == (0, [0, 1])
    assert run("tail", "--event", "active", "-n", "1", "--around", "0.5s")[:2] == (0, [2])


def test_times_select_in_a_log_that_is_out_of_order_too(run: Run, log: Path) -> None:
    assert run("filter", "--since", "1772446532", "--until", "1772446533")[:2] == (0, [2, 3])
    with log.open("a") as file:
        file.write(said(2, "rts-9") + said(9, "rts-9"))
    assert run("filter", "--since", "1772446532", "--until", "1772446533")[:2] == (0, [2, 3, 2])
