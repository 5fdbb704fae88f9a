"""Two captures started in one directory at once: one runs, the other makes nothing at all."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.desktop import wait_until
from tests.e2e.place import Place
from videodb_cli.local.sample import VIDEO
from videodb_cli.process.start_token import current_start_token
from videodb_cli.rundir.lock import DirectoryLock
from videodb_cli.rundir.paths import RunDir

START = ("capture", "start", "--source", str(VIDEO), "--loop", "--json")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    yield found
    found.clean_up()
    assert found.publishers() == []


def sessions_at_service(place: Place) -> list[tuple[str, str]]:
    """Id and status of every session that the service of this directory knows."""
    local = json.loads((place.path / "local" / "local.json").read_text())
    answer = httpx.get(
        f"{local['url']}/collection/default/capture/session", headers={"x-access-token": local["key"]}, trust_env=False
    )
    return [(found["session_id"], found["status"]) for found in answer.json()["data"]["sessions"]]


def test_of_two_at_once_one_wins_and_the_other_makes_no_session(place: Place) -> None:
    racing = [
        subprocess.Popen(
            [sys.executable, "-m", "videodb_cli", *START], stdout=subprocess.PIPE, text=True, env=place.environment
        )
        for _ in range(3)
    ]
    shapes = [json.loads(runner.communicate(timeout=60)[0]) for runner in racing]
    assert sorted(runner.returncode for runner in racing) == [0, 9, 9]
    assert [shape["error"]["code"] for shape in shapes if shape.get("error")] == ["already_running"] * 2
    winner = next(shape["session_id"] for shape in shapes if not shape.get("error"))
    assert sessions_at_service(place) == [(winner, "active")]
    assert len(place.publishers()) == 2


def test_a_second_one_is_refused_before_it_has_made_anything(place: Place) -> None:
    place.path.mkdir(mode=0o700)
    lock = DirectoryLock(RunDir(place.path).capture_start_lock)
    lock.acquire(current_start_token())
    try:
        before = sorted(place.path.iterdir())
        done = place.run(*START)
        assert done.returncode == 9
        assert "is just being started" in json.loads(done.stdout)["error"]["message"]
        assert sorted(place.path.iterdir()) == before
    finally:
        lock.release()
    assert place.run(*START).returncode == 0


def test_a_start_that_is_killed_in_the_middle_blocks_nobody(place: Place) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", *START], stdout=subprocess.DEVNULL, env=place.environment
    ) as killed:
        wait_until((place.path / ".videodb_capture_start.lock").exists, what="the start")
        killed.kill()
    assert place.run(*START).returncode == 0
