"""`videodb status --all` finds listeners in any directory."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.e2e.program import VIDEODB
from tests.fakes.event_service import EventService, stay


def test_listeners_in_any_directory_are_found(tmp_path: Path) -> None:
    with EventService(stay, stay) as service:
        environment = {
            **os.environ,
            **service.environment,
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "s"),
        }

        def run(*arguments: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [VIDEODB, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
            )

        mine = [tmp_path / "one", tmp_path / "two"]
        try:
            for directory in mine:
                assert run("listen", "--detach", "--dir", str(directory)).returncode == 0
            done = run("status", "--all", "--json")
            found = {item["dir"]: item for item in json.loads(done.stdout)["directories"]}
            for directory in mine:
                assert found[str(directory)]["state"] == "listening"
                assert found[str(directory)]["pid"]
            shown = run("status", "--all").stdout
            assert all(str(directory) in shown for directory in mine)
        finally:
            for directory in mine:
                run("stop", "--dir", str(directory))
        after = {item["dir"] for item in json.loads(run("status", "--all", "--json").stdout)["directories"]}
        assert not after & {str(directory) for directory in mine}
        assert run("status", "--all", "--dir", str(mine[0])).returncode == 2
