"""The installed ``videodb`` as a process: started in a clean environment, watched line by line, always ended."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.fakes.event_service import KEY, EventService
from videodb_cli.process.start_token import start_token

VIDEODB = str(Path(sys.executable).with_name("videodb"))


def eventually(
    condition: Callable[[], Any], timeout_s: float = 20.0, what: str | Callable[[], str] = "it never came to pass"
) -> Any:
    """Wait until the condition holds and return what it returned; AssertionError after the deadline."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.01)
    return found


class Program:
    """One running process whose stdout and stderr are read by threads."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, **settings: Any) -> None:
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **settings}
        self.process = subprocess.Popen(command, env=dict(environment), cwd=cwd, **settings)
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in ((self.process.stdout, self.out), (self.process.stderr, self.err))
            if stream is not None
        ]
        for reader in self._readers:
            reader.start()

    @staticmethod
    def _read(stream: Any, lines: list[str]) -> None:
        with stream:
            lines.extend(line.decode("utf-8").rstrip("\n") for line in stream)

    @property
    def pid(self) -> int:
        return self.process.pid

    def wait_for(self, pattern: str, *, err: bool = False, timeout_s: float = 20.0) -> str:
        """Wait for a line that has the pattern and return it."""
        lines = self.err if err else self.out
        found = eventually(
            lambda: next((line for line in lines if re.search(pattern, line)), None),
            timeout_s,
            lambda: f"no line with {pattern!r} in {lines}, other stream: {self.out if err else self.err}",
        )
        assert isinstance(found, str)
        return found

    def end(self, number: int = signal.SIGTERM, timeout_s: float = 30.0) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(number)
        return self.status(timeout_s)

    def status(self, timeout_s: float = 30.0) -> int:
        """Wait for the end and return the exit status."""
        status = self.process.wait(timeout_s)
        for reader in self._readers:
            reader.join(5)
        return status

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None and not self._readers:
                stream.close()


class Box:
    """A home, a directory, and what runs in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "home"
        self.home.mkdir()
        self.dir = root / "events"
        self.programs: list[Program] = []

    @property
    def log(self) -> Path:
        return self.dir / "videodb_events.jsonl"

    @property
    def ws_id(self) -> Path:
        return self.dir / "videodb_ws_id"

    @property
    def pid_file(self) -> Path:
        return self.dir / "videodb_ws_pid"

    def environment(self, service: EventService | None = None, **more: str) -> dict[str, str]:
        base = {"PATH": f"{Path(VIDEODB).parent}:{os.environ['PATH']}", "HOME": str(self.home)}
        # `make coverage` measures these processes too.
        base |= {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
        return {**base, "VIDEODB_EVENTS_DIR": str(self.dir), **(service.environment if service else {}), **more}

    def start(self, service: EventService | None, *arguments: str, **settings: Any) -> Program:
        """Start ``videodb ARGUMENTS``."""
        environment = settings.pop("environment", {})
        program = Program(
            settings.pop("command", [VIDEODB, *arguments]),
            self.environment(service, **environment),
            self.root,
            **settings,
        )
        self.programs.append(program)
        return program

    def listen(self, service: EventService, *arguments: str, **settings: Any) -> Program:
        """Start a listener and wait until it stands."""
        program = self.start(service, "listen", *arguments, **settings)
        eventually(self.ws_id.exists, what=f"no connection: {program.err}")
        return program

    def run(self, service: EventService | None, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run ``videodb ARGUMENTS`` to its end."""
        return subprocess.run(
            [VIDEODB, *arguments],
            env=self.environment(service, **more),
            cwd=self.root,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=30,
            check=False,
        )

    def lines(self) -> list[dict[str, Any]]:
        content = self.log.read_bytes()
        assert content.endswith(b"\n") or not content
        found = [json.loads(line) for line in content.splitlines()]
        assert all(list(line)[:2] == ["ts", "unix_ts"] for line in found)
        return found

    def heard(self) -> list[Any]:
        """The number ``n`` of every received event."""
        return [line["n"] for line in self.lines() if "n" in line]

    def own(self) -> list[str]:
        return [line["event"] for line in self.lines() if line.get("channel") == "videodb_cli"]

    def holder(self) -> int:
        """The pid in the lock file."""
        pid = json.loads((self.dir / "videodb.lock").read_text())["pid"]
        assert isinstance(pid, int)
        return pid

    def names(self) -> set[str]:
        return {path.name for path in self.dir.iterdir()}

    def close(self) -> None:
        """End everything, and look for secrets in whatever was said and written."""
        for program in self.programs:
            program.kill()
        lock = self.dir / "videodb.lock"
        if lock.exists() and lock.read_text().strip():
            note = json.loads(lock.read_text())
            if start_token(note["pid"]) == note["start_token"]:
                os.kill(note["pid"], signal.SIGKILL)
        said = [line for program in self.programs for line in program.out + program.err]
        written = [path for path in self.root.rglob("*") if path.is_file() and not path.is_symlink()]
        for secret in (KEY, "secret-ticket"):
            assert not any(secret in line for line in said)
            for path in written:
                if path.name != ".env":
                    assert secret.encode() not in path.read_bytes(), path
