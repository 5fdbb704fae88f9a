"""`videodb listen --detach`: ready when it says so, idempotent, and nobody's descriptors are held."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import VIDEODB, Box, eventually
from tests.fakes.event_service import KEY, Answer, EventService, refusal, send


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


def test_it_returns_when_connected_and_holds_nothing_of_ours(box: Box) -> None:
    with EventService(send('{"n":1}')) as service:
        script = f'x=$({VIDEODB} listen --detach 2>&1); echo "[$x]"'
        done = subprocess.run(
            ["sh", "-c", script],
            env=box.environment(service),
            cwd=box.root,
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.stdout.endswith("WS_ID=ws-1]\n")
        assert done.stderr == ""
        pid = int(box.pid_file.read_text())
        assert pid == box.holder()
        assert os.getsid(pid) == pid
        assert KEY.encode() not in Path(f"/proc/{pid}/cmdline").read_bytes()
        descriptors = {n: str(Path(f"/proc/{pid}/fd/{n}").readlink()) for n in (0, 1, 2)}
        log = str(box.dir / "videodb_listener.log")
        assert descriptors == {0: "/dev/null", 1: log, 2: log}
        assert Path(f"/proc/{pid}/cwd").samefile(box.dir)

        again = box.run(service, "listen", "--detach", "--json")
        assert again.returncode == 0
        assert json.loads(again.stdout) == {"ws_id": "ws-1", "pid": pid, "dir": str(box.dir), "schema": 1}
        refused = box.run(service, "listen", "--detach", "--clear", "--json")
        assert refused.returncode == 9
        assert json.loads(refused.stdout)["error"]["code"] == "already_running"
        eventually(lambda: box.heard() == [1])

        replaced = box.run(service, "listen", "--detach", "--clear", "--replace")
        assert (replaced.returncode, replaced.stdout) == (0, "WS_ID=ws-2\n")
        assert int(box.pid_file.read_text()) != pid
        assert len(service.connections) == 2
        eventually(lambda: box.heard() == [1])
        assert box.own() == ["listener.connected"], "--clear took the first run's lines"
        assert "connected to" in Path(log).read_text()
        assert box.run(None, "stop").returncode == 0
        service.wait_until(lambda s: s.open_connections == 0)
    assert not box.pid_file.exists()


def test_five_at_once_start_one(box: Box) -> None:
    with EventService() as service:
        programs = [box.start(service, "listen", "--detach") for _ in range(5)]
        assert [program.status(30) for program in programs] == [0] * 5
        assert [program.out for program in programs] == [["WS_ID=ws-1"]] * 5
        assert len(service.connections) == 1
        assert box.run(None, "stop").returncode == 0


def test_what_ended_it_is_told_with_its_status(box: Box) -> None:
    with EventService(answers=[refusal(), Answer(503)]) as service:
        refused = box.run(service, "listen", "--detach")
        assert refused.returncode == 3
        assert "refused the key" in refused.stderr
        gave_up = box.run(service, "listen", "--detach", "--max-retries", "0", "--json")
        assert gave_up.returncode == 5
        assert json.loads(gave_up.stdout)["error"]["code"] == "gave_up"
    assert not box.pid_file.exists()


def test_a_timeout_names_the_listener_that_goes_on_trying(box: Box) -> None:
    with EventService(ids=lambda n: None if n == 1 else f"ws-{n}") as service:
        began = time.monotonic()
        done = box.run(service, "listen", "--detach", "--timeout", "1", "--id-timeout", "2")
        assert time.monotonic() - began < 4
        assert done.returncode == 124
        pid = int(box.pid_file.read_text())
        assert f"goes on trying as pid {pid}" in done.stderr
        again = box.run(service, "listen", "--detach", "--timeout", "20")
        assert (again.returncode, again.stdout) == (0, "WS_ID=ws-2\n")
        assert int(box.pid_file.read_text()) == pid
        assert box.run(None, "stop").returncode == 0


def test_replace_in_the_foreground_and_with_nothing_to_replace(box: Box) -> None:
    with EventService() as service:
        first = box.listen(service, "--replace")
        first.wait_for("WS_ID=ws-1")
        second = box.start(service, "listen", "--replace")
        second.wait_for("WS_ID=ws-2")
        assert first.status() == 0
        assert second.end() == 0


def test_the_log_of_a_detached_process_has_tracebacks(box: Box) -> None:
    """A bug ends it: the caller is told where to look, and the traceback is there."""
    with EventService() as service:
        (box.root / "broken").mkdir()
        broken = (
            "from videodb_cli.listener.run_files import RunFiles\n"
            "def claim(self): raise ZeroDivisionError\n"
            "RunFiles.claim = claim\n"
        )
        (box.root / "broken" / "sitecustomize.py").write_text(broken)
        done = box.run(service, "listen", "--detach", PYTHONPATH=str(box.root / "broken"))
    assert done.returncode == 5
    assert "ended at once with status 70" in done.stderr
    assert "ZeroDivisionError" in (box.dir / "videodb_listener.log").read_text()


RULES = [
    # .env in the working directory, environment, expected status, expected words
    ("", {}, 3, "VIDEO_DB_API_KEY is not set (looked in the environment, ./.env, ~/.videodb/.env)"),
    ("VIDEO_DB_API_KEY={key}\nVIDEO_DB_API={url}\n", {}, 0, "WS_ID=ws-1"),
    ("export VIDEODB_API_KEY='{key}'\r\nVIDEO_DB_BASE_URL=\"{url}\"\r\n", {}, 0, "WS_ID=ws-1"),
    ("\ufeffVIDEO_DB_API_KEY={key}\nVIDEO_DB_API={url}\n", {}, 0, "WS_ID=ws-1"),
    ("VIDEO_DB_API={url}\n", {"VIDEO_DB_API_KEY": KEY}, 2, "./.env but the key from the environment"),
    ("VIDEO_DB_API_KEY={key}\n", {"VIDEO_DB_API": "{url}"}, 0, "WS_ID=ws-1"),
    ("VIDEO_DB_API=http://example.com\nVIDEO_DB_API_KEY={key}\n", {}, 2, "plain http to example.com"),
]


@pytest.mark.parametrize(("content", "environment", "status", "words"), RULES)
def test_where_key_and_url_come_from(
    box: Box, content: str, environment: dict[str, str], status: int, words: str
) -> None:
    with EventService() as service:
        names = {"key": KEY, "url": service.url}
        (box.root / ".env").write_bytes(content.format(**names).encode())
        given = {name: value.format(**names) for name, value in environment.items()}
        done = box.run(None, "listen", "--detach", **given)
        assert (done.returncode, words in done.stdout + done.stderr) == (status, True), done
        box.run(None, "stop")
        assert service.requests == [] or status == 0


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("setpriv"), reason="needs root, to give its rights away")
@pytest.mark.parametrize("mode", [0o000, 0o500])
def test_directories_without_rights(box: Box, mode: int) -> None:
    """No traceback for a directory that may not be entered, or not be written."""
    rights = "-dac_override,-dac_read_search,-fowner"
    box.dir.mkdir()
    (box.dir / "videodb.lock").touch(0o600)
    box.dir.chmod(mode)
    try:
        for line in ("listen", "listen --detach", "status", "stop", "path", "events tail"):
            command = ["setpriv", f"--bounding-set={rights}", f"--inh-caps={rights}", VIDEODB, *line.split()]
            environment = box.environment(None, VIDEO_DB_API_KEY=KEY, VIDEO_DB_API="http://127.0.0.1:1")
            done = subprocess.run(
                command, env=environment, cwd=box.root, capture_output=True, text=True, timeout=20, check=False
            )
            expected = (
                6 if mode == 0 or "listen" in line else {"status": 4, "stop": 0, "path": 0, "events tail": 4}[line]
            )
            assert done.returncode == expected, (line, done)
            assert "Traceback" not in done.stderr
            assert expected != 6 or "Permission denied" in done.stderr
    finally:
        box.dir.chmod(0o700)


def test_directories(box: Box) -> None:
    with EventService() as service:
        open_to_all = box.root / "open"
        open_to_all.mkdir()
        open_to_all.chmod(0o777)
        (box.root / "file").touch()
        box.dir.mkdir()
        for directory, words in ((open_to_all, "sticky"), (box.root / "file", "not a directory")):
            done = box.run(service, "listen", str(directory))
            assert done.returncode == 6
            assert words in done.stderr
        for name in (
            "videodb_events.jsonl",
            "videodb_ws_id",
            "videodb_ws_pid",
            "videodb.lock",
            "videodb_listener.json",
        ):
            place = box.dir / name
            place.unlink(missing_ok=True)
            place.symlink_to(box.root / "target")
            done = box.run(service, "listen", "--json")
            assert done.returncode == 6, name
            error = json.loads(done.stdout)["error"]
            assert name in error["message"]
            assert "symbolic link" in error["message"]
            place.unlink()
        assert service.requests == []
        assert not (box.root / "target").exists()
