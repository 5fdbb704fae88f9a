"""`videodb watch` as a process: on a terminal, and where there is none."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tests.e2e.program import VIDEODB
from tests.fakes.terminal import Terminal


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.mkdir(mode=0o700)
    event = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.1, "channel": "transcript"}
    data = {"text": "said \x1b]0;title\x07 \x1b[2J", "is_final": True}
    (path / "videodb_events.jsonl").write_text(json.dumps({**event, "data": data}) + "\n")
    return path


def environment(directory: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(directory), "VIDEODB_EVENTS_DIR": str(directory), **more}


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 0), (signal.SIGHUP, 0)])
def test_a_signal_ends_it_and_the_terminal_is_as_before(directory: Path, number: int, status: int) -> None:
    with Terminal(80) as terminal:
        before = termios.tcgetattr(terminal._slave)
        terminal.run([VIDEODB, "watch"], environment(directory), directory)
        terminal.wait(lambda _: b"following" in terminal.output and b"said" in terminal.output, "it never followed")
        assert termios.tcgetattr(terminal._slave) != before
        assert terminal.process is not None
        terminal.process.send_signal(number)
        assert terminal.process.wait(20) == status
        assert termios.tcgetattr(terminal._slave) == before
        terminal.wait(lambda _: b"\x1b[?1049l" in terminal.output, "the screen was not given back")
        assert terminal.output.rfind(b"\x1b[?25h") > terminal.output.rfind(b"\x1b[?25l"), "the cursor is shown again"
        assert b"\x1b]0;" not in terminal.output
        assert b"\\x1b[2J" in terminal.output


@pytest.mark.parametrize(("keys", "status"), [(b"q", 0), (b"\x03", 130)])
def test_a_key_ends_it(directory: Path, keys: bytes, status: int) -> None:
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "watch"], environment(directory), directory)
        terminal.wait(lambda _: b"following" in terminal.output, "it never followed")
        os.write(terminal._master, keys)
        assert terminal.status() == status


def test_a_pipe_and_a_dumb_terminal_are_refused_with_what_works_there(directory: Path) -> None:
    done = subprocess.run(
        [VIDEODB, "watch"], env=environment(directory, TERM="xterm"), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert b"videodb events tail -f" in done.stderr
    assert done.stdout == b""
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "watch"], environment(directory, TERM="dumb"), directory)
        assert terminal.status() == 2
        assert "videodbeventstail-f" in terminal.text()


def test_a_directory_that_is_not_there(directory: Path) -> None:
    with Terminal(80) as terminal:
        terminal.run([VIDEODB, "watch", "nowhere"], environment(directory), directory)
        assert terminal.status() == 4


def test_without_textual_it_names_the_extra(directory: Path) -> None:
    program = (
        "import sys; sys.modules['textual'] = None\nfrom videodb_cli.main import main\nsys.exit(main(['watch']))\n"
    )
    with Terminal(80) as terminal:
        terminal.run([sys.executable, "-c", program], environment(directory), directory)
        assert terminal.status() == 7
        assert "pipinstall'videodb-cli[watch]'" in terminal.text()


def test_a_bug_leaves_the_terminal_as_it_was(directory: Path) -> None:
    program = (
        "import sys\nfrom videodb_cli.main import main\nfrom videodb_cli.watch.view import DirectoryView\n"
        "DirectoryView.take = lambda *_: 1 / 0\nsys.exit(main(['watch']))\n"
    )
    with Terminal(80) as terminal:
        before = termios.tcgetattr(terminal._slave)
        terminal.run([sys.executable, "-c", program], environment(directory), directory)
        assert terminal.process is not None
        assert terminal.process.wait(20) == 70
        assert termios.tcgetattr(terminal._slave) == before
        assert terminal.status() == 70
        given_back = terminal.output.rfind(b"\x1b[?1049l")
        assert 0 <= given_back < terminal.output.rfind(b"ZeroDivisionError")
