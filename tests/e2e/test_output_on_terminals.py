"""On a terminal: columns for `filter`, links, and the pager."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import VIDEODB
from tests.fakes.terminal import Terminal


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.mkdir(mode=0o700)
    lines = []
    for number in range(200):
        shape = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530 + number, "channel": "transcript"}
        data = {"text": f"word{number} see http://127.0.0.1/play/{number}", "is_final": True}
        lines.append(json.dumps({**shape, "rtstream_name": "mic:default", "data": data}) + "\n")
    (path / "videodb_events.jsonl").write_text("".join(lines))
    return path


def environment(directory: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "VIDEODB_EVENTS_DIR": str(directory), **more}


def shown(directory: Path, *command: str, columns: int = 80, **more: str) -> tuple[int, Terminal]:
    with Terminal(columns) as terminal:
        terminal.run([VIDEODB, *command], environment(directory, **more), directory)
        return terminal.status(), terminal


def test_filter_shows_columns_and_json_if_asked(directory: Path) -> None:
    status, terminal = shown(directory, "events", "filter", "--limit", "1")
    assert status == 0
    assert "transcript  mic  word0 see" in terminal.rows()[-1]
    for flags in (["--format", "json"], ["-c"]):
        status, terminal = shown(directory, "events", "filter", ".", "--limit", "1", *flags)
        assert '"word0 see http' in "".join(terminal.rows())


def test_links_only_where_they_are_known(directory: Path) -> None:
    link = b"\x1b]8;;http://127.0.0.1/play/0\x1b\\"
    command = ("events", "filter", "--limit", "1")
    assert link in shown(directory, *command, VTE_VERSION="7200")[1].output
    others: list[dict[str, Any]] = [{}, {"TERM": "dumb", "VTE_VERSION": "7200"}, {"TMUX": "x", "VTE_VERSION": "7200"}]
    for more in others:
        assert b"\x1b]8" not in shown(directory, *command, **more)[1].output
    assert b"\x1b" not in shown(directory, *command, TERM="dumb", VTE_VERSION="7200")[1].output


@pytest.mark.parametrize("command", [("filter",), ("search", "word0", "see"), ("stats",), ("transcript",)])
def test_long_output_is_for_the_pager(command: tuple[str, ...], directory: Path) -> None:
    pager = directory / "pager"
    pager.write_text('#!/bin/sh\ncat > "$HOME/paged"\nprintf "%s" "$LESS" > "$HOME/less"\n')
    pager.chmod(0o700)
    status, terminal = shown(directory, "events", *command, VIDEODB_PAGER=str(pager), PAGER="false")
    assert status == 0
    content = (directory / "paged").read_text()
    assert "word0" in content or command == ("stats",)
    assert (directory / "less").read_text() == "FRX"
    assert "\x1b[" in content or command in {("stats",), ("transcript",)}, "the pager gets the colours of the terminal"
    assert "word0" not in "".join(terminal.rows())
    (directory / "paged").unlink()
    for flags in (["--no-pager", "events", *command], ["events", *command, "--no-pager"]):
        assert shown(directory, *flags, VIDEODB_PAGER=str(pager))[0] == 0
        assert not (directory / "paged").exists()


def test_a_pager_that_is_left_early_or_broken(directory: Path) -> None:
    assert shown(directory, "events", "filter", PAGER="head -n 1")[0] == 0
    status, terminal = shown(directory, "events", "filter", PAGER="true")
    assert (status, terminal.rows()) == (0, [])
    status, terminal = shown(directory, "events", "filter", "--limit", "1", PAGER="no-such-pager")
    assert status == 0
    assert "there is no pager 'no-such-pager'" in terminal.rows()[0]
    assert "word0" in "".join(terminal.rows())
    status, terminal = shown(directory, "events", "filter", PAGER="FOO=1 no-such-pager")
    assert status == 0
    assert "could not be started" in " ".join(terminal.rows())
    status, terminal = shown(directory, "events", "search", "nothing", PAGER="cat -u")
    assert status == 1
    assert "nothing matched" in "".join(terminal.rows())


def test_ctrl_c_is_for_the_pager_once_all_is_written(directory: Path) -> None:
    pager = directory / "pager"
    pager.write_text(
        '#!/bin/sh\ncat > /dev/null\ntrap "echo caught; exit 0" INT\necho ready\nwhile :; do sleep 0.1; done\n'
    )
    pager.chmod(0o700)
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "events", "filter"], environment(directory, PAGER=str(pager)), directory)
        terminal.wait(lambda rows: "ready" in rows, "the pager")
        assert terminal.process is not None
        os.killpg(terminal.process.pid, signal.SIGINT)
        assert terminal.status() == 0
        assert "caught" in terminal.rows()


def test_no_pager_for_what_is_followed(directory: Path) -> None:
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "events", "filter", "-F"], environment(directory, PAGER="false"), directory)
        terminal.wait(lambda rows: "word199" in "".join(rows), "the last event")
        assert terminal.end() == 130
