"""`videodb local` as a process: what it prints, what it leaves behind, and how it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from videodb_cli.process.start_token import start_token

VIDEODB = [sys.executable, "-m", "videodb_cli"]


def until(condition: Callable[[], Any], what: str, timeout_s: float = 20) -> Any:
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, f"{what} within {timeout_s} s"
        time.sleep(0.02)
    return found


class Shell:
    """Runs `videodb` in one directory; ends what it left running."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("VIDEO")},
            "VIDEODB_EVENTS_DIR": str(directory),
        }
        self.children: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str, status: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*VIDEODB, *arguments], env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == status, done.stderr
        return done

    def answer(self, *arguments: str, status: int = 0) -> dict[str, Any]:
        found = json.loads(self.run(*arguments, "--json", status=status).stdout)
        assert isinstance(found, dict)
        return found

    def spawn(self, *arguments: str) -> "subprocess.Popen[str]":
        child = subprocess.Popen(
            [*VIDEODB, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.children.append(child)
        return child

    @property
    def state_file(self) -> Path:
        return self.directory / "local" / "local.json"

    def close(self) -> None:
        self.run("stop")
        self.run("local", "stop")
        for child in self.children:
            child.kill()
            child.communicate()


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    found = Shell(tmp_path / "events")
    yield found
    found.close()


def test_in_the_foreground_it_prints_an_env_file_and_ends_on_a_signal(shell: Shell) -> None:
    child = shell.spawn("local", "start")
    assert child.stdout is not None
    values = dict(child.stdout.readline().rstrip("\n").split("=", 1) for _ in range(2))
    assert set(values) == {"VIDEO_DB_API", "VIDEO_DB_API_KEY"}
    headers = {"x-access-token": values["VIDEO_DB_API_KEY"]}
    assert httpx.get(values["VIDEO_DB_API"] + "/collection", headers=headers).status_code == 200
    assert shell.state_file.stat().st_mode & 0o777 == 0o600
    assert shell.answer("local", "status")["pid"] == child.pid
    assert "already runs" in shell.run("local", "start", status=9).stderr
    child.send_signal(signal.SIGTERM)
    out, err = child.communicate(timeout=20)
    assert (child.returncode, out) == (0, "")
    assert "not the VideoDB service" in err
    assert "Traceback" not in err
    assert not shell.state_file.exists()
    assert not (shell.directory / "local" / "media").exists()


def test_detached_it_is_found_again_and_stopped(shell: Shell) -> None:
    first = shell.answer("local", "start", "--detach")
    again = shell.answer("local", "start", "--detach")
    assert first == again
    assert set(first) == {"url", "key", "pid", "schema"}
    assert shell.answer("local", "stop") == {"stopped": True, "pid": first["pid"], "kept": None, "schema": 1}
    shell.run("local", "status", status=4)
    with pytest.raises(httpx.TransportError):
        httpx.get(first["url"])
    assert shell.answer("local", "start", "--detach")["key"] != first["key"]


def test_a_killed_one_is_not_believed_and_is_replaced(shell: Shell) -> None:
    first = shell.answer("local", "start", "--detach")
    alive = start_token(first["pid"])
    os.kill(first["pid"], signal.SIGKILL)
    until(lambda: start_token(first["pid"]) != alive, "the end of the process")
    assert shell.answer("local", "status", status=4) == {"running": False, "schema": 1}
    second = shell.answer("local", "start", "--detach")
    assert second["pid"] != first["pid"]
    assert shell.answer("local", "status")["running"] is True


def test_the_users_key_does_not_reach_it(shell: Shell) -> None:
    shell.environment["VIDEO_DB_API_KEY"] = "sk-of-the-user"
    pid = shell.answer("local", "start", "--detach")["pid"]
    environment = Path(f"/proc/{pid}/environ")
    if environment.exists():
        assert b"sk-of-the-user" not in environment.read_bytes()
    assert b"sk-of-the-user" not in shell.state_file.read_bytes()


def test_a_taken_port_is_told_by_the_background_process(shell: Shell, tmp_path: Path) -> None:
    port = shell.answer("local", "start", "--detach")["url"].rsplit(":", 1)[1]
    other = Shell(tmp_path / "other")
    try:
        assert other.answer("local", "start", "--detach", "--port", port, status=9)["error"]["code"] == "port_in_use"
    finally:
        other.close()


def test_two_who_need_one_at_once_get_the_same(shell: Shell) -> None:
    children = [shell.spawn("local", "start", "--detach", "--json") for _ in range(3)]
    answers = [json.loads(child.communicate(timeout=60)[0]) for child in children]
    assert answers[0] == answers[1] == answers[2]


def test_a_listener_hears_what_is_triggered(shell: Shell) -> None:
    started = shell.run("listen", "--local", "--detach")
    assert started.stdout.startswith("WS_ID=ws-")
    assert "embedded service started" in started.stderr
    status = shell.answer("local", "status")
    assert (status["sockets"], status["idle_exit_s"], status["started_by"]) == (1, 60.0, "--local")
    shell.run("local", "trigger", "transcript", "--text", "heard", "--count", "500", "--rate", "2000")
    log = shell.directory / "videodb_events.jsonl"
    until(lambda: log.read_text().count('"text":"heard"') == 500, "500 events in the log")
    numbers = [json.loads(line)["data"].get("sequence") for line in log.read_text().splitlines()]
    assert [number for number in numbers if number] == list(range(1, 501))


def test_a_listener_is_back_as_soon_as_the_service_is(shell: Shell) -> None:
    shell.run("local", "start", "--detach")
    listener = shell.spawn("listen", "--local")
    log = shell.directory / "videodb_events.jsonl"

    def connections() -> int:
        return log.read_text().count('"event":"listener.connected"') if log.exists() else 0

    until(lambda: connections() == 1, "the first connection")

    def restart(number: int) -> None:
        os.kill(json.loads(shell.state_file.read_text())["pid"], signal.SIGKILL)
        # Let an attempt fail, so that the next one is far away.
        until(lambda: shell.answer("status", status=5)["retry_at"] is not None, "a failed attempt")
        shell.run("local", "start", "--detach")
        began = time.monotonic()
        until(lambda: connections() == number, "another connection")
        assert time.monotonic() - began < 5, "it waited for its backoff"

    restart(2)
    restart(3)
    listener.send_signal(signal.SIGTERM)
    assert listener.wait(timeout=20) == 0


def test_one_that_was_started_for_a_command_ends_when_idle_and_stays_when_asked(shell: Shell) -> None:
    child = shell.spawn("local", "start", "--idle-exit", "1")
    assert child.wait(timeout=20) == 0
    # Long enough for a busy machine to start another program meanwhile.
    other = shell.spawn("local", "start", "--idle-exit", "4")
    until(shell.state_file.exists, "the state file")
    assert shell.answer("local", "start", "--detach")["pid"] == other.pid
    with pytest.raises(subprocess.TimeoutExpired):
        other.wait(timeout=5)
