"""One directory, and `videodb` run in it as a process, as a user does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


class Place:
    """One directory, and `videodb` run in it."""

    def __init__(self, path: Path, **environment: str) -> None:
        self.path = path
        hidden = {"VIDEO_DB_API_KEY", "VIDEODB_API_KEY", "VIDEO_DB_API", "VIDEODB_CLIENT_TOKEN"}
        hidden |= {"DISPLAY", "PULSE_SERVER", "XDG_RUNTIME_DIR", "WAYLAND_DISPLAY"}
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}
        self.environment |= {"VIDEODB_EVENTS_DIR": str(path), "HOME": str(path), **environment}

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "videodb_cli", *arguments],
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**self.environment, **environment},
        )

    def json(self, *arguments: str, expect: int = 0) -> dict[str, Any]:
        return self.json_with({}, *arguments, expect=expect)

    def json_with(self, environment: dict[str, str], *arguments: str, expect: int = 0) -> dict[str, Any]:
        done = self.run(*arguments, "--json", **environment)
        assert done.returncode == expect, (done.stdout, done.stderr)
        return dict(json.loads(done.stdout))

    def clean_up(self) -> None:
        """End what runs here: capture, listener, embedded service."""
        if (self.path / "videodb_capture_pid").exists():
            self.run("capture", "stop", "--timeout", "20")
        if (self.path / "videodb_ws_pid").exists():
            self.run("stop")
        if (self.path / "local").exists():
            self.run("local", "stop")

    @property
    def info(self) -> dict[str, Any]:
        return dict(json.loads((self.path / "videodb_capture_info.json").read_text()))

    def events(self) -> list[dict[str, Any]]:
        log = self.path / "videodb_events.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def named(self, event: str) -> list[dict[str, Any]]:
        return [found for found in self.events() if found.get("event") == event]

    def publishers(self) -> list[int]:
        """Pids of every ffmpeg that publishes for this directory's captures, found in /proc by the state's pids."""
        found = []
        for directory in Path("/proc").iterdir():
            if directory.name.isdigit():
                try:
                    words = (directory / "cmdline").read_bytes().split(b"\0")
                    environ = (directory / "environ").read_bytes()
                except OSError:
                    continue
                if any(word.startswith(b"rtsp") for word in words) and str(self.path).encode() in environ:
                    found.append(int(directory.name))
        return found
