"""`videodb sessions`: list, show and open the sessions of a log."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.main import main

Run = Callable[..., tuple[int, str, str]]
T0 = 1772446530.0


def line(at: float, **members: Any) -> str:
    return json.dumps({"unix_ts": T0 + at, **members}) + "\n"


def life(at: float, session: str, status: str, **data: Any) -> str:
    return line(at, event=f"capture_session.{status}", capture_session_id=session, data=data)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "videodb_events.jsonl"
    path.write_text(
        life(0, "cap-1", "active", rtstreams=[{"rtstream_id": "r1", "name": "mic:default"}])
        + line(1, channel="transcript", rtstream_id="r1", data={"text": "x"})
        + life(60, "cap-1", "stopped")
        + life(70, "cap-2", "active")
        + life(80, "cap-1", "exported", exported_video_id="m-1", player_url="https://example.com/play/m-1")
        + life(90, "cap-2", "failed", error={"message": "the \x1b[31mdisk is full"})
    )
    return path


@pytest.fixture
def run(log: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)

    def call(*arguments: str, directory: Path | None = log.parent) -> tuple[int, str, str]:
        status = main(["sessions", *arguments, *(["--dir", str(directory)] if directory else [])])
        return status, *capfd.readouterr()

    return call


def test_rows_in_a_pipe(run: Run) -> None:
    status, out, err = run()
    assert (status, err) == (0, "")
    assert [row.split("\t") for row in out.splitlines()] == [
        ["cap-2", "2026-03-02T10:16:40.000Z", "20", "failed", "2", "", ""],
        ["cap-1", "2026-03-02T10:15:30.000Z", "60", "exported", "4", "mic:default", "https://example.com/play/m-1"],
    ]


def test_one_object(run: Run) -> None:
    status, out, _ = run("--json", "--limit", "1")
    answer = json.loads(out)
    assert (status, answer["count"], answer["schema"]) == (0, 1, 1)
    assert answer["sessions"][0]["session_id"] == "cap-2"
    assert list(answer)[-1] == "schema"


def test_times_select(run: Run) -> None:
    assert [row.split("\t")[0] for row in run("--until", str(T0 + 30))[1].splitlines()] == ["cap-1"]
    assert run("--since", "1h") == (0, "", "no capture session in that time\n")


def test_files_as_arguments(run: Run, log: Path) -> None:
    assert run(str(log), directory=None)[:2] == run()[:2]
    assert run("list", str(log.parent), directory=None)[:2] == run()[:2]
    status, _, err = run("nothing-here")
    assert status == 4
    assert "no such file: nothing-here" in err


@pytest.mark.parametrize("wanted", ["cap-1", "-2"])
def test_show(run: Run, wanted: str) -> None:
    status, out, _ = run("show", wanted)
    assert status == 0
    assert "player_url         https://example.com/play/m-1" in out
    assert "stream             mic:default · r1 · transcript 1" in out
    assert json.loads(run("show", wanted, "--json")[1])["session_id"] == "cap-1"


def test_what_a_log_says_reaches_the_terminal_escaped(run: Run) -> None:
    out = run("show", "last")[1]
    assert "\x1b" not in out
    assert r"the \x1b[31mdisk is full" in out


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("show", "cap"), 2, "several sessions begin with 'cap': cap-2, cap-1"),
        (("show", "cap-9"), 4, "no session 'cap-9' in this log; did you mean"),
        (("show", "-9"), 4, "the log has 2 sessions: there is no -9"),
        (("open", "last"), 4, "session cap-2 has no player page: it failed"),
        (("open", "--nonsense"), 2, "--nonsense"),
        (("show", "last", "-x"), 2, "No such option: -x"),
        (("--nonsense",), 2, "--nonsense"),
    ],
)
def test_errors(run: Run, arguments: tuple[str, ...], status: int, said: str) -> None:
    found, out, err = run(*arguments)
    assert (found, out) == (status, "")
    assert said in err
    assert "hint: " in err


def test_open_prints_the_address_without_a_display(run: Run) -> None:
    status, out, err = run("open", "cap-1")
    assert (status, out) == (0, "https://example.com/play/m-1\n")
    assert "no browser can be opened here" in err


def test_open_starts_the_browser(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$*" > {tmp_path}/told\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(browser))
    status, out, err = run("open", "-2")
    assert (status, out) == (0, "")
    assert "opened in the browser" in err
    assert (tmp_path / "told").read_text() == "https://example.com/play/m-1"


def test_an_address_that_is_none_is_not_opened(run: Run, log: Path) -> None:
    with log.open("a") as file:
        file.write(life(100, "cap-3", "exported", player_url="file:///etc/passwd"))
    status, out, err = run("open", "last")
    assert (status, out) == (6, "")
    assert "no web address" in err


def test_a_log_that_must_not_be_read_is_refused_by_name(run: Run, log: Path) -> None:
    log.rename(log.with_name("elsewhere"))
    log.symlink_to(log.with_name("elsewhere"))
    status, out, err = run()
    assert (status, out) == (6, "")
    assert "is a symbolic link" in err


def test_standard_input(run: Run, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    saved = os.dup(0)
    with log.open("rb") as file:
        os.dup2(file.fileno(), 0)
    try:
        assert [row.split("\t")[0] for row in run("-", directory=None)[1].splitlines()] == ["cap-2", "cap-1"]
    finally:
        os.dup2(saved, 0)
        os.close(saved)


def test_no_sessions_and_no_log(run: Run, log: Path, tmp_path: Path) -> None:
    log.write_text(line(1, channel="transcript"))
    assert run() == (0, "", "no capture session in this log\n")
    assert json.loads(run("--json")[1]) == {"count": 0, "sessions": [], "schema": 1}
    assert run("open")[0] == 4
    log.unlink()
    status, _, err = run()
    assert status == 4
    assert "no log in" in err


def test_an_export_without_an_address_is_not_waited_for_again(run: Run, log: Path) -> None:
    with log.open("a") as file:
        file.write(life(100, "cap-3", "exported"))
    status, out, err = run("open", "last")
    assert (status, out) == (4, "")
    assert "its export names no address" in err
    assert "events wait" not in err
