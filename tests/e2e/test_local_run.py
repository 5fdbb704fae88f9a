"""`videodb local run` and `local env`: programs that know nothing of the embedded service use it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# As the quickstart of the SDK has it: no address is passed.
PROGRAM = """
import asyncio, json, videodb
conn = videodb.connect()
async def main():
    async with await asyncio.to_thread(conn.connect_websocket) as socket:
        session = await asyncio.to_thread(
            conn.create_capture_session, end_user_id="user-1", ws_connection_id=socket.connection_id
        )
        async for event in socket.receive():
            print(json.dumps([conn.base_url, session.id == event["capture_session_id"], event["event"]]))
            break
asyncio.run(main())
"""


class Shell:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        names = ("PATH", "LANG")
        self.environment = {name: os.environ[name] for name in names if name in os.environ}
        self.environment |= {"HOME": str(directory), "VIDEODB_EVENTS_DIR": str(directory / "events")}

    def spawn(self, *arguments: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "videodb_cli", "local", *arguments]
        return subprocess.Popen(
            command,
            env=self.environment,
            cwd=self.directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        child = self.spawn(*arguments)
        out, err = child.communicate(timeout=60)
        return child.returncode, out, err


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    found = Shell(tmp_path)
    yield found
    found.run("stop")


def test_a_program_of_the_sdk_needs_no_change(shell: Shell) -> None:
    status, out, err = shell.run("run", "--", sys.executable, "-c", PROGRAM)
    assert (status, json.loads(out)) == (0, ["https://api.videodb.io", True, "capture_session.created"]), err
    assert "this is not the VideoDB service" in err


def test_the_status_is_that_of_the_command(shell: Shell) -> None:
    assert shell.run("run", "sh", "-c", "exit 5")[0] == 5
    assert shell.run("run", "--", "sh", "-c", "kill -9 $$")[0] == 128 + 9
    status, _, err = shell.run("run", "no-such-command-here")
    assert status == 7
    assert "error: no such command: no-such-command-here" in err


def test_a_signal_reaches_the_command(shell: Shell) -> None:
    child = shell.spawn(
        "run", "--", "sh", "-c", 'trap "echo told; exit 3" TERM; echo ready; while :; do sleep 0.1; done'
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    child.send_signal(signal.SIGTERM)
    out, _ = child.communicate(timeout=20)
    assert (child.returncode, out) == (3, "told\n")


def test_the_command_leaves_nothing_but_the_service(shell: Shell) -> None:
    status, out, _ = shell.run("run", "--", "sh", "-c", "echo $REQUESTS_CA_BUNDLE")
    assert status == 0
    assert not Path(out.strip()).exists()


def test_the_environment_is_printed_for_each_shell(shell: Shell) -> None:
    status, _, err = shell.run("env")
    assert status == 4
    assert "videodb local start --detach" in err
    assert shell.run("start", "--detach")[0] == 0
    plain = dict(line.split("=", 1) for line in shell.run("env")[1].splitlines())
    assert set(plain) == {"VIDEO_DB_API", "VIDEO_DB_API_KEY"}
    answer = json.loads(shell.run("env", "--json")[1])
    assert plain.items() <= answer.items()
    assert shell.run("env", "--shell", "bash")[1].splitlines()[0] == f"export VIDEO_DB_API={plain['VIDEO_DB_API']}"
    assert shell.run("env", "--shell", "fish")[1].startswith("set -gx VIDEO_DB_API ")
    assert shell.run("env", "--shell", "cmd")[0] == 2


def test_two_at_once_share_one_service(shell: Shell) -> None:
    children = [shell.spawn("run", "--", "sh", "-c", "echo $VIDEO_DB_API") for _ in range(2)]
    deadline = time.monotonic() + 60
    printed = [child.communicate(timeout=deadline - time.monotonic())[0] for child in children]
    assert printed[0] == printed[1] != ""
