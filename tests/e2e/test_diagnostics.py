"""`-v` and `VIDEODB_DEBUG=1` on real commands: what they show, what they never show, and what they leave."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.program import VIDEODB, Box, eventually
from tests.e2e.week.office import SECRET, Office
from tests.fakes.event_service import KEY, Answer, EventService, send

RECORD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z DEBUG videodb_cli\.\w+: \S.*")
EVENT = '{"channel":"alert","n":1}'
PASSWORD = f"{SECRET}/of#me"


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    yield found
    found.close()


def records(text: str) -> list[str]:
    """The records in a text, without their times."""
    return [line.partition(" videodb_cli.")[2] for line in text.splitlines() if RECORD.fullmatch(line)]


def has(found: list[str], pattern: str) -> bool:
    return any(re.fullmatch(pattern, record) for record in found)


def test_the_way_and_each_request_are_shown_and_no_password_of_a_proxy(tmp_path: Path) -> None:
    office = Office(tmp_path)
    proxy = {"user": "me", "password": PASSWORD}
    with office.proxy(proxy) as by, office.service(send(EVENT)) as service:
        environment = {"SSL_CERT_FILE": office.ca, "HTTPS_PROXY": by.url}
        listener = office.box.listen(service, "-v", environment=environment)
        eventually(lambda: office.box.log.exists() and office.box.heard() == [1])
        status, said = office.run(service, "doctor", "--report", "-", "-v", HTTPS_PROXY=by.url)
        assert listener.end() == 0
    office.box.close()
    assert listener.out[0] == "WS_ID=ws-1"
    found = records("\n".join(listener.err))
    where = re.escape(f"api.videodb.test:{service.port}")
    shown = re.escape(f"http://127.0.0.1:{by.port} with a user and password (HTTPS_PROXY)")
    assert has(found, rf"network: {where} is reached by the proxy {shown}; trusts SSL_CERT_FILE=.*/ca\.pem")
    assert has(found, r"api: GET /collection/default/websocket answered HTTP 200 after \d+ ms, attempt 1")
    assert has(found, rf"network: socket to {where} opened after \d+ ms")
    assert status == 0
    for secret in (KEY, SECRET, "of#me", "me:"):
        assert not any(secret in line for line in listener.err)
        assert secret not in said


def test_attempts_and_what_they_were_told_are_shown(box: Box) -> None:
    bad = Answer(503, '{"success":false,"message":"later"}', headers={"Retry-After": "0"})
    with EventService(answers=[bad, bad]) as service:
        listener = box.listen(service, "--verbose")
        assert listener.end() == 0
    found = records("\n".join(listener.err))
    call = r"api: GET /collection/default/websocket answered HTTP"
    for attempt in (1, 2):
        assert has(found, rf"{call} 503 after \d+ ms, attempt {attempt}, retry after 0 s")
    assert has(found, rf"{call} 200 after \d+ ms, attempt 3")


@pytest.mark.parametrize("place", ["the environment", "a .env", "a named file"])
def test_background_processes_write_theirs_into_their_process_log(box: Box, place: str) -> None:
    with EventService() as service:
        lines = "".join(f"{name}={value}\n" for name, value in service.environment.items())
        (box.root / ".env").write_text(lines if place == "a .env" else "")
        (box.home / ".env").write_text(lines)
        more = ["--env-file", str(box.home / ".env")] if place == "a named file" else []
        given = service if place == "the environment" else None
        done = box.run(given, "listen", "--detach", "-v", *more)
        assert done.returncode == 0, done.stderr
        assert done.stdout == "WS_ID=ws-1\n"
        report = box.run(given, "doctor", "--report", "report.txt", *more)
        assert box.run(given, "stop", VIDEODB_DEBUG="1").returncode == 0
    assert report.returncode == 0, report.stderr
    found = records(done.stderr)
    assert has(found, r"process: listen started in the background as pid \d+, for .*/events")
    assert has(found, r"process: listen \(pid \d+\) ready after \d+ ms")
    log = (box.dir / "videodb_listener.log").read_text()
    assert has(records(log), r"network: socket to 127\.0\.0\.1:\d+ opened after \d+ ms")
    text = (box.root / "report.txt").read_text()
    assert records(text.partition("== end of videodb_listener.log ==")[2])
    # Box.close looks for the key and the ticket of the socket in all that was written.
    assert KEY not in done.stderr + report.stdout + report.stderr
    assert text.partition("== listener ==\n")[2].startswith("listening")


def test_the_embedded_service_its_listener_and_a_capture_show_theirs(box: Box) -> None:
    done = box.run(None, "listen", "--local", "--detach", VIDEODB_DEBUG="1")
    assert done.returncode == 0, done.stderr
    try:
        found = records(done.stderr)
        for kind in ("local", "listen"):
            assert has(found, rf"process: {kind} \(pid \d+\) ready after \d+ ms")
        key = box.run(None, "local", "status", "--json").stdout.partition('"key":"')[2].partition('"')[0]
        assert key.startswith("sk-local-")
        channels = box.run(None, "capture", "create", "--local", "-v", "--json")
        assert channels.returncode == 0, channels.stderr
        token = channels.stdout.partition('"client_token":"')[2].partition('"')[0]
        assert token
        found = records(channels.stderr)
        assert has(found, r"api: POST /capture/session/token answered HTTP 20\d after \d+ ms, attempt 1")
        report = box.run(None, "doctor", "--local", "--report", "-", "-v")
        assert "runs at http://127.0.0.1:" in report.stdout
    finally:
        box.run(None, "stop")
        box.run(None, "local", "stop")
    logs = "".join(path.read_text() for path in box.dir.rglob("*.log"))
    for secret in (key, token):
        for text in (done.stderr, channels.stderr, report.stdout, report.stderr, logs):
            assert secret not in text


def test_a_forward_shows_its_host_only(box: Box) -> None:
    class Hook(BaseHTTPRequestHandler):
        answers = iter([500])

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(next(self.answers, 204))
            self.send_header("retry-after", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    box.dir.mkdir()
    box.log.write_text('{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"alert","n":1}\n')
    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        url = f"http://me:{SECRET}@127.0.0.1:{server.server_port}/hook/{SECRET}?token={SECRET}"
        options = ("--to", url, "--cursor-file", "c", "--since", "2020-01-01", "--limit", "1")
        done = box.run(None, "-v", "events", "forward", *options)
        server.shutdown()
    assert done.returncode == 0, done.stderr
    found = records(done.stderr)
    assert has(found, r"app: POST to 127\.0\.0\.1: HTTP 500 after \d+ ms, attempt 1, retry after 0 s")
    assert has(found, r"app: POST to 127\.0\.0\.1: HTTP 204 after \d+ ms, attempt 2.*")
    assert SECRET not in done.stderr


def test_a_read_shows_its_size_and_way(box: Box) -> None:
    box.dir.mkdir()
    box.log.write_text('{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"alert","n":1}\n')
    size = box.log.stat().st_size
    for command in ("filter", "stats"):
        found = records(box.run(None, "events", command, "--verbose").stderr)
        assert has(found, rf"eventlog: 1 files, {size} bytes to read")
        assert has(found, r"eventlog: (filtering whole files|counting) in one process")
        assert has(found, r"eventlog: reading ended after \d+ ms")
    found = records(box.run(None, "-v", "events", "forward", "--exec", "true", "--since", "2020-01-01", "--limit", "1",
                            "--recovered").stderr)  # fmt: skip
    assert has(found, r"app: command \(pid \d+\) ended with 0 after \d+ ms")


@pytest.mark.parametrize(
    "command",
    [
        ["path"], ["path", "dir"], ["status"], ["status", "--json"], ["events", "filter"],
        ["events", "stats", "--json"],
        ["events", "tail", "-e", "--grep", "nothing"], ["events", "filter", "-e", ".nothing"],
        ["local", "status", "--json"], ["stop"], ["listen", "--no-such"], ["doctor", "--json"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_stdout_and_status_are_the_same(box: Box, command: list[str]) -> None:
    box.dir.mkdir()
    box.log.write_text('{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"alert","n":1}\n')
    plain = box.run(None, *command)
    free = re.compile(r"[\d.]+ GB free")
    ways = [([*command, "-v"], "0"), (["-v", *command], "0"), (command, "1")]
    for arguments, debug in ways:
        done = box.run(None, *arguments, VIDEODB_DEBUG=debug)
        assert free.sub("", done.stdout) == free.sub("", plain.stdout)
        assert done.returncode == plain.returncode
        others = [line for line in done.stderr.splitlines() if not RECORD.fullmatch(line)]
        assert others == plain.stderr.splitlines()


def test_a_stderr_that_nobody_reads_or_that_is_full_ends_nothing(box: Box) -> None:
    box.dir.mkdir()
    box.log.write_text('{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"alert","n":1}\n' * 10)
    read, write = os.pipe()
    os.set_blocking(write, False)
    try:
        while os.write(write, b"x" * 4096):
            pass
    except BlockingIOError:
        os.set_blocking(write, True)
    gone_read, gone = os.pipe()
    os.close(gone_read)
    full = os.open("/dev/full", os.O_WRONLY) if Path("/dev/full").exists() else os.dup(gone)
    for fd in (write, gone, full):
        done = subprocess.run(
            [VIDEODB, "-v", "events", "filter", "-c", ".n"],
            env=box.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=fd,
            timeout=30,
            check=False,
        )
        assert (done.returncode, done.stdout) == (0, b"1\n" * 10)
    with EventService(send(EVENT)) as service:
        listener = box.listen(service, "-v", "--clear", stderr=write)
        eventually(lambda: box.heard() == [1], what="a stderr that nobody reads stopped the listener")
        assert listener.end() == 0
    for fd in (read, write, gone, full):
        os.close(fd)
