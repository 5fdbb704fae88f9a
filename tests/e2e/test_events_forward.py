"""`videodb events forward` as a process: everything once, in order, whatever the endpoint does."""

from __future__ import annotations

import http.server
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.listener_process import wait_for


class Endpoint:
    """An HTTP endpoint whose answers a test scripts: (status, headers); 200 when the script is used up."""

    def __init__(self) -> None:
        self.script: list[tuple[int, dict[str, str]]] = []
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.taken: list[Any] = []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                status, headers = endpoint.script.pop(0) if endpoint.script else (200, {})
                endpoint.requests.append((dict(self.headers), body))
                if status == 200:
                    endpoint.taken += body if isinstance(body, list) else [body]
                self.send_response(status)
                for name, value in {**headers, "content-length": "0"}.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=secret"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()

    def numbers(self) -> list[int]:
        return [event["n"] for event in self.taken]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "events"
    path.mkdir(mode=0o700)
    return path


def write(directory: Path, *numbers: int, **members: Any) -> None:
    with (directory / "videodb_events.jsonl").open("a") as log:
        for number in numbers:
            at = 1772446530 + number
            event = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": at, "channel": "transcript", "n": number, **members}
            log.write(json.dumps(event, separators=(",", ":")) + "\n")


def forward(directory: Path, *options: str, **environment: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", "events", "forward", "--dir", str(directory), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "HOME": str(directory.parent), **environment},
    )


def end(process: subprocess.Popen[bytes], number: int = signal.SIGTERM) -> tuple[int, str]:
    process.send_signal(number)
    _, talk = process.communicate(timeout=15)
    return process.returncode, talk.decode()


def test_everything_once_across_runs_troubles_and_rotation(directory: Path, endpoint: Endpoint) -> None:
    cursor = directory.parent / "cursor"
    write(directory, 1, 2, 3)
    endpoint.script = [(503, {"Retry-After": "0"}), (429, {"Retry-After": "0"}), (408, {"Retry-After": "0"})]
    first = forward(directory, "--to", endpoint.url, "--cursor-file", str(cursor))
    wait_for(lambda: endpoint.numbers() == [1, 2, 3], "not everything came")
    keys = [headers["idempotency-key"] for headers, _ in endpoint.requests]
    assert len(set(keys[:4])) == 1
    assert len(set(keys)) == 3
    log = directory / "videodb_events.jsonl"
    write(directory, 4)
    log.rename(directory / "videodb_events.jsonl.1")
    write(directory, 5)
    wait_for(lambda: endpoint.numbers() == [1, 2, 3, 4, 5], "rotation lost something")
    status, talk = end(first)
    assert status == 0, talk
    assert "HTTP 503" in talk
    assert "secret" not in talk
    write(directory, 6)
    endpoint.script = [(400, {})]
    second = forward(directory, "--to", endpoint.url, "--cursor-file", str(cursor))
    write(directory, 7)
    wait_for(lambda: endpoint.numbers() == [1, 2, 3, 4, 5, 7], "it did not go on")
    assert end(second)[0] == 0
    refused = json.loads((directory.parent / "cursor.refused").read_text())
    assert (refused["why"], refused["event"]["n"]) == ("HTTP 400", 6)


def test_a_limit_ends_it_and_leaves_the_rest_to_the_next_run(directory: Path, endpoint: Endpoint) -> None:
    cursor = directory.parent / "cursor"
    write(directory, *range(10))
    options = ("--to", endpoint.url, "--cursor-file", str(cursor))
    for flags in (("--limit", "3"), ("--limit", "3", "--batch", "2"), ("--limit", "4", "--batch", "9")):
        process = forward(directory, *options, *flags)
        _, talk = process.communicate(timeout=15)
        assert process.returncode == 0, talk
    assert endpoint.numbers() == list(range(10))


def test_what_cannot_be_recorded_is_not_passed_over(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    write(directory, 1)
    endpoint.script = [(400, {})]
    refused = tmp_path / "c.refused"
    refused.write_bytes(b"")
    options = ("--to", endpoint.url, "--cursor-file", str(tmp_path / "c"))
    # No file may grow beyond what the cursor and its lock take.
    limited = "import resource, signal, sys; from videodb_cli.main import main; "
    limited += "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
    limited += "sys.exit(main(sys.argv[1:]))"
    process = subprocess.run(
        [sys.executable, "-c", limited, "events", "forward", "--dir", str(directory), *options],
        capture_output=True,
        timeout=30,
        check=False,
        # What `make coverage` measures could not be written either.
        env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")},
    )
    assert process.returncode == 6, process.stderr
    assert b"Traceback" not in process.stderr
    assert f"cannot write {refused}".encode() in process.stderr
    again = forward(directory, *options)
    wait_for(lambda: endpoint.numbers() == [1], "it was passed over")
    assert end(again)[0] == 0


def test_an_endpoint_that_was_away_gets_everything(directory: Path, endpoint: Endpoint) -> None:
    cursor = directory.parent / "cursor"
    write(directory, *range(50))
    endpoint.script = [(500, {"Retry-After": "0"})] * 3
    options = ("--to", endpoint.url, "--cursor-file", str(cursor), "--batch", "20")
    process = forward(directory, *options)
    wait_for(lambda: endpoint.numbers() == list(range(50)), "not everything came")
    assert {len(body) for _, body in endpoint.requests} == {20, 10}
    other = forward(directory, *options)
    _, talk = other.communicate(timeout=15)
    assert other.returncode == 9, talk
    end(process, signal.SIGKILL)
    write(directory, 50)
    process = forward(directory, *options)
    wait_for(lambda: endpoint.numbers()[-1] == 50, "it did not go on after kill -9")
    assert endpoint.numbers() == list(range(51))
    assert end(process)[0] == 0


def test_selection_and_from_now_on(directory: Path, endpoint: Endpoint) -> None:
    write(directory, 1)
    process = forward(directory, "--to", endpoint.url, "--channel", "alert")
    # Without a cursor only what comes counts; it says nothing when it is ready, so the marker is written until it came.

    def comes() -> bool:
        write(directory, 99, channel="alert")
        return bool(endpoint.taken)

    wait_for(comes, "nothing came")
    write(directory, 2)
    write(directory, 3, channel="alert")
    write(directory, 4, channel="videodb_cli")
    wait_for(lambda: 3 in endpoint.numbers(), "the alert did not come")
    assert set(endpoint.numbers()) == {99, 3}
    assert end(process)[0] == 0


def test_a_command_for_each_event_and_no_key(directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    program = tmp_path / "take.py"
    program.write_text(
        "import json, os, sys, time\n"
        "event = json.load(sys.stdin)\n"
        "if event['n'] == 2: sys.exit(7)\n"
        "if event['n'] == 3: time.sleep(60)\n"
        f"with open({str(out)!r}, 'a') as file:\n"
        "    file.write(json.dumps([event['n'], sys.argv[1:], dict(os.environ)]) + '\\n')\n"
    )
    write(directory, 1, 2, 3, data={"text": "$(touch pwned); `id`\u0000"})
    write(directory, 4, event="capture_session.active")
    command = f"{shlex.quote(sys.executable)} {shlex.quote(str(program))} '$HOME' '; id'"
    process = forward(
        directory,
        "--exec",
        command,
        "--cursor-file",
        str(tmp_path / "c"),
        "--timeout",
        "1.5",
        VIDEO_DB_API_KEY="sk-very-secret",
    )
    wait_for(lambda: out.exists() and len(out.read_text().splitlines()) == 2, "the command was not called")
    status, talk = end(process)
    assert status == 0, talk
    calls = [json.loads(line) for line in out.read_text().splitlines()]
    assert [number for number, _, _ in calls] == [1, 4]
    _, arguments, environment = calls[0]
    assert arguments == ["$HOME", "; id"]
    assert environment["VIDEODB_CHANNEL"] == "transcript"
    assert environment["VIDEODB_TEXT"] == "$(touch pwned); `id`"
    assert calls[1][2]["VIDEODB_EVENT"] == "capture_session.active"
    assert "sk-very-secret" not in json.dumps(calls)
    refused = [json.loads(line) for line in (tmp_path / "c.refused").read_text().splitlines()]
    assert [(item["event"]["n"], item["why"]) for item in refused] == [
        (2, "exit status 7"),
        (3, "took longer than 1.5 s"),
    ]


def test_an_endpoint_that_does_not_answer_does_not_keep_it_from_ending(
    directory: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    release = threading.Event()
    asked: list[str] = []

    class Stuck(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.headers["idempotency-key"])
            release.wait(60)

        def log_message(self, *_: object) -> None:
            pass

    answering, endpoint.server.RequestHandlerClass = endpoint.server.RequestHandlerClass, Stuck
    write(directory, 1)
    options = ("--to", endpoint.url, "--cursor-file", str(tmp_path / "c"))
    try:
        process = forward(directory, *options)
        wait_for(lambda: asked, "it was not asked")
        began = time.monotonic()
        assert end(process)[0] == 0
        assert time.monotonic() - began < 8
    finally:
        release.set()
    endpoint.server.RequestHandlerClass = answering
    process = forward(directory, *options)
    wait_for(lambda: endpoint.numbers() == [1], "it was not handed over again")
    assert endpoint.requests[0][0]["idempotency-key"] == asked[0]
    assert end(process)[0] == 0


def test_a_command_that_goes_on_does_not_keep_it_from_ending(directory: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write(directory, 1)
    command = f"sh -c 'echo $$ >>{out}; cat >>{out}; exec sleep 100'"
    process = forward(directory, "--exec", command, "--cursor-file", str(tmp_path / "c"), "--timeout", "90")
    wait_for(lambda: out.exists() and len(out.read_text().splitlines()) == 2, "the command was not called")
    began = time.monotonic()
    assert end(process)[0] == 0
    assert time.monotonic() - began < 12
    assert _is_zombie(int(out.read_text().splitlines()[0])), "the command was left behind"
    assert not (tmp_path / "c.refused").exists()
    process = forward(directory, "--exec", f"tee -a {out}", "--cursor-file", str(tmp_path / "c"))
    wait_for(lambda: len(out.read_text().splitlines()) == 3, "it was not handed over again")
    assert end(process)[0] == 0


def test_detached_it_is_alone(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    write(directory, 1)
    options = ("--to", endpoint.url, "--cursor-file", str(tmp_path / "c"), "--detach", "--channel", "transcript")
    first = forward(directory, *options)
    said, talk = first.communicate(timeout=20)
    assert first.returncode == 0, talk
    pid = int(said.decode().strip().removeprefix("PID="))
    try:
        wait_for(lambda: endpoint.numbers() == [1], "nothing came")
        again = forward(directory, *options)
        assert again.communicate(timeout=20)[0] == said
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid), "it did not end")


def _is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ((), 2),
        (("--to", "http://x", "--exec", "true"), 2),
        (("--to", "ftp://x/"), 2),
        (("--exec", "'"), 2),
        (("--exec", "no-such-command-here"), 7),
        (("--to", "http://127.0.0.1:1/", "--detach"), 2),
    ],
)
def test_what_cannot_be_meant_is_refused(directory: Path, options: tuple[str, ...], status: int) -> None:
    process = forward(directory, *options)
    _, talk = process.communicate(timeout=15)
    assert process.returncode == status, talk


def test_the_hint_of_detach_keeps_its_cursor_beside_the_log(directory: Path) -> None:
    process = forward(directory, "--to", "http://127.0.0.1:1/", "--detach")
    _, talk = process.communicate(timeout=15)
    assert f"hint: --cursor-file {directory}/forward.cursor" in str(talk)


def test_each_delivery_is_told_and_the_totals(directory: Path, endpoint: Endpoint) -> None:
    write(directory, 1, 2, 3)
    endpoint.script = [(200, {}), (400, {})]
    options = ("--to", endpoint.url, "--since", "2020-01-01", "--limit", "3")
    told = forward(directory, *options).communicate(timeout=15)[1].decode().splitlines()
    assert [re.sub(r"\d\d:\d\d:\d\d|\d+ ms", "T", line) for line in told if line.startswith("→")] == [
        "→ transcript  T  200  T"
    ] * 2
    assert told[-1] == "2 events handed on · 1 refused"
    together = forward(directory, *options, "--batch", "3").communicate(timeout=15)[1].decode().splitlines()
    assert together[0].startswith("→ 3 events  ")
    assert together[1] == "3 events handed on in 1 delivery"
    assert forward(directory, *options, "--quiet").communicate(timeout=15)[1] == b""


def test_a_stderr_that_nobody_reads_stops_nothing(directory: Path, endpoint: Endpoint) -> None:
    count = 2500  # more lines than a pipe holds
    write(directory, *range(count))
    process = forward(directory, "--to", endpoint.url, "--since", "2020-01-01", "--limit", str(count))
    wait_for(lambda: len(endpoint.taken) == count, "it was stopped by its stderr", timeout_s=60)
    process.communicate(timeout=15)


def test_standard_input_is_handed_on_to_its_end(directory: Path, endpoint: Endpoint) -> None:
    write(directory, 1, 2, 3)
    lines = (directory / "videodb_events.jsonl").read_bytes()
    command = [
        sys.executable,
        "-m",
        "videodb_cli",
        "events",
        "forward",
        "--dir",
        str(directory),
        "--to",
        endpoint.url,
        "-",
    ]
    done = subprocess.run(command, input=lines + b"broken\n" + lines, capture_output=True, timeout=30, check=True)
    assert endpoint.numbers() == [1, 2, 3, 1, 2, 3]
    assert b"standard input line 4" in done.stderr
    waiting = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert waiting.stdin is not None
    waiting.stdin.write(lines)
    waiting.stdin.flush()
    wait_for(lambda: len(endpoint.taken) == 9, "lines of a pipe wait for its end")
    waiting.send_signal(signal.SIGINT)  # the pipe is open, and nothing comes
    assert waiting.wait(timeout=15) == 0
    waiting.communicate()
    for option in (("--cursor-file", "cursor"), ("--cursor-file", "cursor", "--detach")):
        refused = subprocess.run([*command, *option], input=b"", capture_output=True, timeout=30, check=False)
        assert refused.returncode == 2


def test_a_command_for_a_shell_is_hinted_at(directory: Path) -> None:
    write(directory, 1)
    talk = forward(directory, "--exec", "echo a | wc", "--since", "2020-01-01", "--limit", "1").communicate(timeout=15)[
        1
    ]
    assert b"sh -c 'echo a | wc'" in talk
