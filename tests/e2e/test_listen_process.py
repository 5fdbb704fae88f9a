"""`videodb listen` as a process: signals, pipes, terminals, closed and full outputs, crashes, and the older script."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import VIDEODB, Box, Program, eventually
from tests.fakes.event_service import Answer, EventService, close, pause, send, stay, stop_reading, then

SCRIPT = Path(__file__).parents[2] / "scripts" / "ws_listener.py"
LEFT = {"videodb.lock", "videodb_events.jsonl"}


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


def numbered(count: int, first: int = 0) -> list[str]:
    return [f'{{"channel":"alert","n":{n},"data":{{"label":"{"x" * 300}"}}}}' for n in range(first, first + count)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_one_signal_ends_it_gracefully(box: Box, number: int) -> None:
    with EventService(send(*numbered(2000))) as service:
        program = box.listen(service)
        assert program.wait_for("WS_ID=") == "WS_ID=ws-1"
        assert int(box.pid_file.read_text()) == program.pid
        eventually(lambda: b'"n":1999' in box.log.read_bytes())
        assert program.end(number) == 0
        service.wait_until(lambda s: s.open_connections == 0)
    assert box.names() == LEFT
    assert box.heard() == list(range(2000))
    assert box.own() == ["listener.connected", "listener.stopped"]
    assert program.out == ["WS_ID=ws-1"]
    assert "stopped · connected" in program.err[-1]


def test_a_second_signal_forces(box: Box) -> None:
    with EventService(then(stop_reading, stay)) as service:
        program = box.listen(service)
        program.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        began = time.monotonic()
        assert program.end(signal.SIGINT) != 0
        assert time.monotonic() - began < 1
    assert box.run(None, "status").returncode == 5
    assert box.names() >= LEFT
    assert not box.pid_file.exists()


@pytest.mark.parametrize("stalled", ["rest", "handshake", "close"])
def test_a_stall_delays_no_stop(box: Box, stalled: str) -> None:
    answers = [Answer(delay_s=60)] if stalled == "rest" else []
    with EventService(
        then(stop_reading, stay), answers=answers, ids=lambda _: "ws-1" if stalled == "close" else None
    ) as service:
        program = box.start(service, "listen")
        service.wait_until(lambda s: s.requests if stalled == "rest" else s.connections)
        if stalled == "close":
            eventually(box.ws_id.exists)
        began = time.monotonic()
        assert program.end() == 0
        assert time.monotonic() - began < 4
    assert not box.pid_file.exists()


def test_a_name_server_that_does_not_answer_delays_no_stop(box: Box) -> None:
    (box.root / "slow").mkdir()
    (box.root / "slow" / "sitecustomize.py").write_text(
        "import socket, time, pathlib\n"
        "def getaddrinfo(*a, **k):\n"
        f"    pathlib.Path({str(box.root)!r}, 'asked').touch()\n"
        "    time.sleep(60)\n"
        "socket.getaddrinfo = getaddrinfo\n"
    )
    given = {"VIDEO_DB_API_KEY": "sk-x", "VIDEO_DB_API": "https://slow.invalid", "PYTHONPATH": str(box.root / "slow")}
    program = box.start(None, "listen", environment=given)
    eventually((box.root / "asked").exists)
    began = time.monotonic()
    assert program.end() == 0
    assert time.monotonic() - began < 4
    assert "stopped" in program.err[-1]
    assert not box.pid_file.exists()


def test_signals_ignored_at_the_start_stay_ignored(box: Box) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with EventService() as service:
        program = box.listen(service, preexec_fn=ignore)
        program.process.send_signal(signal.SIGINT)
        program.process.send_signal(signal.SIGHUP)
        service.send(numbered(1)[0])
        eventually(lambda: box.heard() == [0])
        assert program.process.poll() is None
        assert program.end() == 0


def test_a_pipe_that_nobody_reads_costs_nothing(box: Box) -> None:
    with EventService(send(*numbered(5000))) as service:
        program = Program([VIDEODB, "listen", "--json"], box.environment(service), box.root)
        box.programs.append(program)
        program.process.send_signal(signal.SIGCONT)
        eventually(lambda: box.log.exists() and b'"n":4999' in box.log.read_bytes())
        assert program.end() == 0
    assert box.heard() == list(range(5000))
    assert json.loads(program.out[0])["event"] == "listener.connected"


def test_an_unread_pipe_drops_lines_and_counts_them(box: Box) -> None:
    read_end, write_end = os.pipe()
    try:
        with EventService(send(*numbered(5000))) as service:
            program = box.start(service, "listen", "--json", stdout=write_end, stderr=write_end)
            eventually(lambda: box.log.exists() and b'"n":4999' in box.log.read_bytes())
            began = time.monotonic()
            assert program.end() == 0
            assert time.monotonic() - began < 4
        assert box.heard() == list(range(5000))
    finally:
        os.close(read_end)
        os.close(write_end)


def test_a_closed_pipe_ends_the_printing_only(box: Box) -> None:
    with EventService() as service:
        reader = f"{VIDEODB} listen --print 2>err | head -n 1 >first"
        program = box.start(service, command=["sh", "-c", reader])
        eventually(box.ws_id.exists)
        service.send(*numbered(10))
        eventually(lambda: (box.root / "first").read_text() == "WS_ID=ws-1\n")
        service.send(*numbered(10, 10))
        eventually(lambda: box.heard() == list(range(20)))
        assert box.run(None, "stop").returncode == 0
        program.status()


@pytest.mark.parametrize("redirection", [">&-", ">&- 2>&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full >/dev/full"])
def test_closed_and_full_outputs(box: Box, redirection: str) -> None:
    with EventService(send(*numbered(3))) as service:
        program = box.start(service, command=["sh", "-c", f"exec {VIDEODB} listen --print {redirection}"])
        eventually(lambda: box.log.exists() and len(box.lines()) == 4)
        assert program.end() == 0
    assert box.heard() == [0, 1, 2]
    assert all(line["ts"] for line in box.lines())


def test_a_non_blocking_pipe_is_no_closed_one(box: Box) -> None:
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    with EventService(send(*numbered(900))) as service:
        program = box.start(service, "listen", "--print", stdout=write_end)
        os.close(write_end)
        eventually(lambda: box.log.exists() and b'"n":899' in box.log.read_bytes())
        with os.fdopen(read_end, "rb") as pipe:
            lines = [pipe.readline() for _ in range(800)]
            assert lines[0] == b"WS_ID=ws-1\n"
            assert lines[-1].startswith(b"[alert] xxx")
            assert program.end() == 0


def read_terminal(master: int, until: bytes, timeout_s: float = 10.0) -> bytes:
    seen = b""
    deadline = time.monotonic() + timeout_s
    while until not in seen:
        assert time.monotonic() < deadline, seen
        if select.select([master], [], [], 0.1)[0]:
            seen += os.read(master, 65536)
    return seen


def test_a_terminal_shows_finals_cut_and_safe(box: Box) -> None:
    import fcntl
    import struct
    import termios

    messages = [
        '{"channel":"transcript","data":{"text":"interim one","is_final":false}}',
        '{"channel":"transcript","data":{"text":"\\u001b]0;evil\\u0007 done","is_final":true}}',
        '{"channel":"visual_index","data":{"text":"' + "word " * 60 + '"}}',
        '{"channel":"alert","data":{"label":"the end"}}',
    ]
    pid, master = pty.fork()
    if pid == 0:
        os.chdir(box.root)
        os.execve(VIDEODB, [VIDEODB, "listen"], box.environment(None, TERM="xterm"))
    try:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
        # No key: the terminal gets the sentence and the hint.
        assert b"VIDEO_DB_API_KEY is not set" in read_terminal(master, b"hint:")
    finally:
        os.waitpid(pid, 0)
        os.close(master)
    with EventService(send(*messages)) as service:
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(box.root)
            os.execve(VIDEODB, [VIDEODB, "listen"], box.environment(service, TERM="xterm"))
        try:
            fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
            seen = read_terminal(master, b"the end").decode()
            os.kill(pid, signal.SIGHUP)
            read_terminal(master, b"stopped")
        finally:
            _, status = os.waitpid(pid, 0)
            os.close(master)
    assert os.waitstatus_to_exitcode(status) == 0
    assert "WS_ID=ws-1" in seen
    assert "interim" not in seen
    assert "\\x1b]0;evil\\x07 done" in seen
    assert "\x1b]" not in seen
    (long,) = [line for line in re.sub("\x1b\\[[0-9;]*m", "", seen).splitlines() if line.startswith("visual ")]
    assert len(long) < 60
    assert long.endswith("…")


def test_a_background_job_of_a_terminal_with_tostop_goes_on(box: Box) -> None:
    with EventService(send(*numbered(3))) as service:
        pid, master = pty.fork()
        if pid == 0:
            os.chdir(box.root)
            program = "set -m; stty tostop; videodb listen & sleep 60"
            os.execve("/bin/bash", ["bash", "-c", program], box.environment(service))
        try:
            seen = read_terminal(master, b"WS_ID=ws-1")
            eventually(lambda: box.heard() == [0, 1, 2])
            service.send(numbered(1, 3)[0])
            eventually(lambda: box.heard() == [0, 1, 2, 3])
            assert b"[alert]" not in seen, "events must not run through what stands in the foreground"
            assert box.run(None, "stop").returncode == 0
        finally:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(master)
    assert box.own()[-1] == "listener.stopped"


def test_utf_8_in_any_locale(box: Box) -> None:
    text = "Grüße — 東京 🚦"
    message = json.dumps({"channel": "transcript", "data": {"text": text, "is_final": True}}, ensure_ascii=False)
    with EventService(send(message)) as service:
        program = box.start(
            service, "listen", "--print", environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
        )
        assert program.wait_for("transcript") == f"[transcript] {text}"
        program.end()
    assert text.encode() in box.log.read_bytes()


def test_two_at_once(box: Box) -> None:
    with EventService() as service:
        both = [box.start(service, "listen") for _ in range(2)]
        eventually(lambda: any(program.process.poll() is not None for program in both))
        (loser,) = [program for program in both if program.process.poll() is not None]
        (winner,) = [program for program in both if program is not loser]
        assert loser.status() == 9
        assert f"pid {winner.pid}" in "".join(loser.err)
        winner.wait_for("WS_ID=ws-1")
        third = box.run(service, "listen", "--clear", "--json")
        assert third.returncode == 9
        assert json.loads(third.stdout)["error"]["code"] == "already_running"
        assert box.own() == ["listener.connected"]
        assert box.ws_id.read_text() == "ws-1\n"
        assert winner.end() == 0
    assert len(service.connections) == 1


def test_after_kill_9(box: Box) -> None:
    with EventService(send(*numbered(3))) as service:
        program = box.listen(service)
        eventually(lambda: box.heard() == [0, 1, 2])
        assert program.end(signal.SIGKILL) == -9
        assert {"videodb_ws_id", "videodb_ws_pid", "videodb_listener.json"} <= box.names()
        with box.log.open("ab") as log:
            log.write(b'{"ts":"2026')
        first, second = (box.run(None, "status", "--json") for _ in range(2))
        assert (first.returncode, json.loads(first.stdout)["state"]) == (5, "died")
        assert f"pid {program.pid}" in json.loads(first.stdout)["why"]
        assert (second.returncode, json.loads(second.stdout)["state"]) == (4, "stopped")
        assert box.names() == LEFT
        again = box.listen(service)
        assert again.end() == 0
    torn = [line for line in box.lines() if line.get("event") == "log.torn"]
    assert [line["data"]["bytes"] for line in torn] == [11]
    assert (box.dir / torn[0]["data"]["file"]).read_bytes() == b'{"ts":"2026'


def test_a_recycled_pid_is_never_signalled(box: Box) -> None:
    import fcntl

    box.dir.mkdir()
    with subprocess.Popen(["sleep", "60"]) as bystander:
        try:
            for name, content in (
                ("videodb.lock", json.dumps({"v": 1, "pid": bystander.pid, "start_token": "other-boot:1"})),
                ("videodb_ws_pid", f"{bystander.pid}\n"),
                ("videodb_ws_id", "ws-old\n"),
                ("videodb_listener.json", json.dumps({"v": 1, "pid": bystander.pid, "connection_id": "ws-old"})),
            ):
                (box.dir / name).write_text(content)
                (box.dir / name).chmod(0o600)
            with (box.dir / "videodb.lock").open() as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                held = box.run(None, "stop")
                assert held.returncode == 6
                assert "not by a process that this tool can name" in held.stderr
            assert box.run(None, "stop").returncode == 0
            assert bystander.poll() is None
            assert box.names() == {"videodb.lock"}
        finally:
            bystander.kill()


def test_status_and_stop_before_during_after(box: Box) -> None:
    def status(*arguments: str) -> tuple[int, dict[str, object]]:
        done = box.run(None, "status", "--json", *arguments)
        found = json.loads(done.stdout)
        return done.returncode, found.get("error", found)

    assert status()[1]["state"] == "stopped"
    assert box.run(None, "stop", "--json").stdout.startswith('{"stopped":false')
    assert status("--ws-id") == (4, {**status("--ws-id")[1], "code": "not_running"})
    assert status("--ws-id", "--wait", "0.1")[0] == 124
    with EventService(answers=[Answer(503)] * 1000) as service:
        program = box.start(service, "listen", "--first-retry=0.05")
        program.wait_for("retry in", err=True)
        eventually(lambda: status()[1]["state"] == "connecting")
        assert status()[0] == 5
        assert status("--ws-id")[0] == 5
        service.answer_well()
        waited = box.run(None, "status", "--ws-id", "--wait", "20")
        assert (waited.returncode, waited.stdout) == (0, "ws-1\n")
        code, found = status()
        assert (code, found["state"], found["connection_id"], found["pid"]) == (0, "listening", "ws-1", program.pid)
        assert "listening" in box.run(None, "status").stdout
        stopped = box.run(None, "stop", "--json")
        assert (stopped.returncode, json.loads(stopped.stdout)["stopped"]) == (0, True)
        assert program.status() == 0
        assert box.run(None, "stop").returncode == 0
        assert status()[1]["state"] == "stopped"


def test_status_tells_a_stopped_process_from_a_hearing_one(box: Box) -> None:
    with EventService() as service:
        program = box.listen(service)
        program.process.send_signal(signal.SIGSTOP)
        state = box.dir / "videodb_listener.json"
        fields = json.loads(state.read_text())
        # Its age is told by the machine's uptime; the wall clock may be set.
        state.write_text(
            json.dumps({**fields, "written_at": fields["written_at"] - 16, "uptime_s": fields["uptime_s"] - 16})
        )
        done = box.run(None, "status")
        assert (done.returncode, done.stdout.split()[0]) == (5, "deaf")
        program.process.send_signal(signal.SIGCONT)
        assert program.end() == 0


def test_the_key_stands_nowhere(box: Box) -> None:
    """The box itself looks for it in every file and every line at the end."""
    with EventService() as service:
        (box.root / ".env").write_text(
            f"VIDEO_DB_API_KEY={service.environment['VIDEO_DB_API_KEY']}\nVIDEO_DB_API={service.url}\n"
        )
        program = box.start(None, "listen")
        eventually(box.ws_id.exists)
        command_line = Path(f"/proc/{program.pid}/cmdline").read_bytes()
        assert b"sk-test" not in command_line
        assert b"sk-test" not in Path(f"/proc/{program.pid}/environ").read_bytes(), "a .env is never put there"
        assert program.end() == 0


def test_the_older_scripts_usage(box: Box) -> None:
    final = '{"channel":"transcript","data":{"text":"hello","is_final":true}}'
    with EventService(send(final)) as service:
        (box.root / "project").mkdir()
        (box.root / "project" / ".env").write_text(
            f"VIDEO_DB_API_KEY={service.environment['VIDEO_DB_API_KEY']}\nVIDEO_DB_API={service.url}\n"
        )
        command = [sys.executable, str(SCRIPT), "--clear", f"--cwd={box.root / 'project'}", "events"]
        program = box.start(None, command=command)
        assert program.wait_for("transcript") == "[transcript] hello"
        assert program.out[0] == "WS_ID=ws-1"
        assert (box.log.exists(), box.ws_id.read_text().strip()) == (True, "ws-1")
        subprocess.run(["sh", "-c", f'kill "$(cat {box.pid_file})"'], check=True)
        assert program.status() == 0
        assert not box.ws_id.exists()
    mistyped = box.start(None, command=[sys.executable, str(SCRIPT), "--clera"])
    assert mistyped.status() == 2


def test_somebody_else_rotates(box: Box) -> None:
    with EventService() as service:
        program = box.listen(service)
        acts: list[Callable[[], object]] = [
            lambda: box.log.rename(box.log.with_name("moved")),
            box.log.unlink,
            lambda: os.truncate(box.log, 0),
        ]
        for n, act in enumerate(acts):
            service.send(numbered(1, n)[0])
            eventually(partial(lambda n: box.log.exists() and n in box.heard(), n))
            act()
        service.send(numbered(1, 9)[0])
        eventually(lambda: box.log.exists() and 9 in box.heard())
        assert program.end() == 0
    assert box.log.stat().st_mode & 0o777 == 0o600


def said(box: Box) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(box.run(None, "status", "--json").stdout)
    return found


def test_a_full_disk_is_said_and_nothing_is_lost(box: Box) -> None:
    box.dir.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(box.dir)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        with EventService() as service:
            program = box.listen(service)
            service.send(*numbered(400))
            program.wait_for("cannot be written: No space left", err=True)
            full_since = time.time()
            # It goes on saying how it is, on a disk that has no room for it.
            eventually(lambda: said(box)["written_at"] > full_since + 2)
            status = said(box)
            assert (status["pid"], status["state"], status["connection_id"]) == (program.pid, "listening", "ws-1")
            assert (status["log_writable"], status["trouble"]) == (False, "No space left on device")
            assert status["pending_bytes"] > 0
            plain = box.run(None, "status")
            assert plain.returncode == 5
            assert "not written No space left on device" in plain.stdout
            subprocess.run(["mount", "-o", "remount,size=1m", str(box.dir)], check=True)
            program.wait_for("can be written again", err=True)
            eventually(lambda: box.heard() == list(range(400)))
            eventually(lambda: box.run(None, "status").returncode == 0)
            assert said(box)["trouble"] is None
            assert program.end() == 0
    finally:
        subprocess.run(["umount", str(box.dir)], check=True)


def test_idle_memory_and_flood(box: Box) -> None:
    def resident_mb(pid: int) -> float:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        assert found
        return int(found[1]) / 1024

    if not Path("/proc/self/status").exists():
        pytest.skip("needs /proc")
    with EventService() as service:
        program = box.listen(service, "--quiet")
        idle = resident_mb(program.pid)
        assert idle < 45
        service.send(*numbered(30_000))
        eventually(lambda: b'"n":29999' in box.log.read_bytes()[-1000:])
        assert resident_mb(program.pid) - idle < 20
        assert program.end() == 0
    assert box.heard() == list(range(30_000))


def test_a_service_that_accepts_and_closes_sees_few_connections(box: Box) -> None:
    with EventService(close(1001)) as service:
        program = box.start(service, "listen")
        service.wait_until(lambda s: len(s.connections) >= 3, timeout_s=15)
        time.sleep(1)
        assert len(service.connections) < 12
        assert program.end() == 0


def test_pause_is_no_loss(box: Box) -> None:
    """What the service sent while the process stood still is heard when it goes on."""
    with EventService(then(send(*numbered(5), then=pause(0.0)), stay)) as service:
        program = box.listen(service)
        program.process.send_signal(signal.SIGSTOP)
        service.send(*numbered(5, 5))
        program.process.send_signal(signal.SIGCONT)
        eventually(lambda: box.heard() == list(range(10)))
        assert program.end() == 0
