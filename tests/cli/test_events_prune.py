"""`videodb events prune` removes what it says, and nothing else, also beside a running listener."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from videodb_cli.main import main
from videodb_cli.rundir.lock import DirectoryLock

DAY = 86_400.0
NOW = time.time()
LOG = "videodb_events.jsonl"
Run = Callable[..., tuple[int, dict[str, object], str]]


def write(path: Path, *days: float, session: str | None = None) -> None:
    with path.open("w") as file:
        for number, days_ago in enumerate(days):
            event = {"unix_ts": NOW - days_ago * DAY, "channel": "capture_session", "n": number}
            if session is not None and number == 0:
                event["capture_session_id"] = session
            file.write(json.dumps(event) + "\n")


def ages(path: Path) -> list[int]:
    return [round((NOW - json.loads(line)["unix_ts"]) / DAY) for line in path.read_text().splitlines()]


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    write(tmp_path / f"{LOG}.3", 90, 80)
    write(tmp_path / f"{LOG}.2", 70, 60, session="cap-1")
    write(tmp_path / f"{LOG}.1", 50, 10)
    write(tmp_path / LOG, 40, 5, 0)
    (tmp_path / f"{LOG}.bak").write_text("a copy of somebody\n")
    (tmp_path / f"{LOG}.index").write_text("an index")
    (tmp_path / f"{LOG}.torn-20200101T000000Z").write_text("torn")
    os.utime(tmp_path / f"{LOG}.torn-20200101T000000Z", (0, 0))
    return tmp_path


@pytest.fixture
def run(directory: Path, capfd: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, dict[str, object], str]:
        status = main(["events", "prune", "--dir", str(directory), "--json", *arguments])
        captured = capfd.readouterr()
        return status, json.loads(captured.out), captured.err

    return call


@pytest.fixture
def listener(directory: Path) -> Iterator[None]:
    lock = DirectoryLock(directory / "videodb.lock")
    lock.acquire("a-token")
    yield
    lock.release()


def test_old_lines_go_from_all_files_where_no_listener_runs(run: Run, directory: Path) -> None:
    status, done, _ = run("--older", "30d")
    assert status == 0
    assert done["removed"] == [f"{LOG}.3", f"{LOG}.2", f"{LOG}.torn-20200101T000000Z"]
    assert done["rewritten"] == [f"{LOG}.1", LOG]
    assert done["lines"] == 2
    assert ages(directory / f"{LOG}.1") == [10]
    assert ages(directory / LOG) == [5, 0]
    assert sorted(path.name for path in directory.iterdir()) == ["videodb.lock", LOG, f"{LOG}.1", f"{LOG}.bak"]


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run, directory: Path) -> None:
    before = {path.name: path.read_bytes() for path in directory.iterdir()}
    _, said, _ = run("--older", "30d", "--dry-run")
    assert {path.name: path.read_bytes() for path in directory.iterdir() if path.name != "videodb.lock"} == before
    _, done, _ = run("--older", "30d")
    assert {**said, "dry_run": False} == done


@pytest.mark.usefixtures("listener")
def test_beside_a_listener_only_whole_rotated_files_go(run: Run, directory: Path) -> None:
    status, done, _ = run("--older", "30d")
    assert status == 0
    assert (done["removed"], done["rewritten"]) == ([f"{LOG}.3", f"{LOG}.2", f"{LOG}.torn-20200101T000000Z"], [])
    assert set(done["left"]) == {f"{LOG}.1", LOG}  # type: ignore[call-overload]
    assert ages(directory / LOG) == [40, 5, 0]


def test_a_session_is_kept(run: Run, directory: Path) -> None:
    _, done, _ = run("--older", "30d", "--keep-session", "cap-1")
    assert done["removed"] == [f"{LOG}.3", f"{LOG}.torn-20200101T000000Z"]
    assert ages(directory / f"{LOG}.2") == [70]


def test_the_oldest_files_go_for_their_size(run: Run, directory: Path) -> None:
    limit = sum((directory / name).stat().st_size for name in (LOG, f"{LOG}.1", f"{LOG}.2"))
    _, done, _ = run("--max-size", str(limit))
    assert done["removed"] == [f"{LOG}.3"]
    _, done, _ = run("--max-size", "1")
    assert done["removed"] == [f"{LOG}.2", f"{LOG}.1"]
    assert LOG in done["left"]  # type: ignore[operator]
    assert ages(directory / LOG) == [40, 5, 0]


def test_a_link_is_never_followed(run: Run, directory: Path, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    write(precious, 99)
    (directory / f"{LOG}.4").symlink_to(precious)
    status, done, _ = run("--older", "30d")
    assert status == 0
    assert f"{LOG}.4" not in done["removed"]  # type: ignore[operator]
    assert ages(precious) == [99]


def test_a_reader_with_a_cursor_is_told(directory: Path, capfd: pytest.CaptureFixture[str]) -> None:
    read = ["events", "filter", "--dir", str(directory), "--cursor-file", str(directory / "cursor")]
    assert main([*read, "--limit", "3"]) == 0
    assert main(["events", "prune", "--dir", str(directory), "--older", "30d"]) == 0
    capfd.readouterr()
    assert main(read) == 0
    captured = capfd.readouterr()
    assert "the log is not the one that the cursor file knows, or what it stood at was removed" in captured.err
    assert len(captured.out.splitlines()) == 3


def test_nothing_to_do_and_nothing_said(run: Run) -> None:
    assert run()[0] == 2
    _, done, _ = run("--older", "365d")
    assert (done["removed"], done["rewritten"]) == ([f"{LOG}.torn-20200101T000000Z"], [])
