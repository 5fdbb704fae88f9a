"""`videodb listen` as a process of its own, and its log, for tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

# Time scaled for tests: what takes minutes for a user takes a second here.
QUICK = (
    "--ping-interval=0.2",
    "--ping-timeout=0.5",
    "--healthy-after=0.5",
    "--id-timeout=1",
    "--poll-interval=0.2",
    "--settle=2.5",
    "--hold=2",
)


class ListenerProcess:
    """Start with ``with ListenerProcess(directory, environment, "--clear")``; it is stopped at the end."""

    def __init__(self, directory: Path, environment: dict[str, str], *options: str) -> None:
        self.directory = directory
        self._options = options
        self._environment = {**os.environ, "HOME": str(directory.parent), **environment}
        self.output = b""

    def __enter__(self) -> Self:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "videodb_cli", "listen", "--dir", str(self.directory), *QUICK, *self._options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self.directory.parent,
        )
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, signal_number: int = signal.SIGTERM) -> int:
        """Signal it, wait for its end, and return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        try:
            self.output += self.process.communicate(timeout=20)[0] or b""
        except ValueError:
            pass  # collected before
        return self.process.returncode

    def wait_for_id(self, other_than: str | None = None, timeout_s: float = 15.0) -> str:
        """Wait until an id is published, and return it."""
        return wait_for(lambda: self._id(other_than), "no connection id", timeout_s)

    def _id(self, other_than: str | None) -> str | None:
        try:
            found = (self.directory / "videodb_ws_id").read_text().strip()
        except FileNotFoundError:
            return None
        return found if found != other_than else None

    def lines(self) -> list[dict[str, Any]]:
        """Return the whole lines of the log, rotated files first."""
        return read_log(self.directory)

    def wait_for_line(self, condition: Callable[[dict[str, Any]], bool], timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait until a line of the log meets the condition, and return it."""
        return wait_for(lambda: next(filter(condition, self.lines()), None), "no such line in the log", timeout_s)

    def wait_for_event(self, name: str, timeout_s: float = 15.0) -> dict[str, Any]:
        """Wait for a line with this ``event``, and return the first one."""
        return self.wait_for_line(lambda line: line.get("event") == name, timeout_s)


def read_log(directory: Path) -> list[dict[str, Any]]:
    """Return the whole lines of a log and of its rotated files, oldest first."""
    log = directory / "videodb_events.jsonl"
    rotated = sorted(directory.glob("videodb_events.jsonl.[0-9]*"), key=lambda path: -int(path.suffix[1:]))
    content = b"".join(path.read_bytes() for path in [*rotated, log] if path.exists())
    whole = content[: content.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()]


def wait_for(look: Callable[[], Any], what: str, timeout_s: float = 15.0) -> Any:
    """Call ``look`` until it returns something; AssertionError after the deadline."""
    deadline = time.monotonic() + timeout_s
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
