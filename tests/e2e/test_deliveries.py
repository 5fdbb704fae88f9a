"""Signed deliveries, dead letters, templates and routes of `events forward`, as a process."""

from __future__ import annotations

import http.server
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from standardwebhooks import Webhook

from tests.fakes.listener_process import wait_for

SECRETS = ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_" + "QUJD" * 8)


class Endpoint:
    """Keeps requests as they came; answers from ``script``, then 200."""

    def __init__(self) -> None:
        self.script: list[int] = []
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        endpoint = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                status = 503 if self.path == "/down" else endpoint.script.pop(0) if endpoint.script else 200
                endpoint.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(status)
                self.send_header("retry-after", "0")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def bodies(self, path: str) -> list[bytes]:
        return [body for at, _, body in self.requests if at == path]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    endpoint = Endpoint()
    yield endpoint
    endpoint.server.shutdown()
    endpoint.server.server_close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "events"
    path.mkdir(mode=0o700)
    lines = [
        {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.123, "channel": channel, "data": {"text": text}}
        for channel, text in (("alert", "<b> & @everyone 人"), ("visual_index", "a *door*"), ("alert", "second"))
    ]
    (path / "videodb_events.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def secret_file(tmp_path: Path, content: str = "\n".join(SECRETS) + "\n", mode: int = 0o600) -> Path:
    path = tmp_path / "secret"
    path.write_text(content)
    path.chmod(mode)
    return path


def start(directory: Path, *options: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "videodb_cli", "events", "forward", "--dir", str(directory), *map(str, options)]
    environment = {**os.environ, "HOME": str(directory.parent)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, talk = process.communicate(timeout=20)
    return process.returncode, talk


def test_the_reference_package_verifies_each_attempt_and_the_id_stays(
    directory: Path, endpoint: Endpoint, tmp_path: Path
) -> None:
    endpoint.script = [503, 425, 200]
    signed = ("--to", endpoint.url, "--secret-file", secret_file(tmp_path))
    assert ended(start(directory, *signed, "--cursor-file", tmp_path / "a", "--limit", "1"))[0] == 0
    assert ended(start(directory, *signed, "--cursor-file", tmp_path / "b", "--limit", "2"))[0] == 0
    ids = [headers["webhook-id"] for _, headers, _ in endpoint.requests]
    assert len(ids) == 5
    assert ids[0] == ids[1] == ids[2] == ids[3] != ids[4]
    for _, headers, body in endpoint.requests:
        for secret in SECRETS:
            assert Webhook(secret).verify(body, headers) == json.loads(body)
        with pytest.raises(Exception, match="signature"):
            Webhook(SECRETS[0]).verify(body + b" ", headers)


def test_a_secret_of_raw_bytes(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    raw = secret_file(tmp_path, "correct horse battery staple\n")
    options = ("--to", endpoint.url, "--secret-file", raw, "--since", "2020-01-01", "--limit", "1")
    assert ended(start(directory, *options))[0] == 0
    _, headers, body = endpoint.requests[0]
    Webhook(b"correct horse battery staple").verify(body, headers)


@pytest.mark.parametrize(
    ("content", "mode", "status", "words"),
    [(SECRETS[0], 0o644, 6, "others can read"), ("", 0o600, 2, "is empty"), ("whsec_!\n", 0o600, 2, "line 1")],
)
def test_a_secret_file_that_cannot_be_used(
    directory: Path, tmp_path: Path, content: str, mode: int, status: int, words: str
) -> None:
    path = secret_file(tmp_path, content, mode)
    found, talk = ended(start(directory, "--to", "http://127.0.0.1:1/", "--secret-file", path))
    assert (found, "Traceback" in talk) == (status, False), talk
    assert words in talk
    assert SECRETS[0] not in talk


def test_what_is_refused_is_a_dead_letter(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    endpoint.script = [410, 200, 200]
    letters = tmp_path / "dead.jsonl"
    letters.write_bytes(b'{"torn')
    letters.chmod(0o600)
    options = ("--to", f"{endpoint.url}/secret", "--since", "2020-01-01", "--limit", "3", "--dead-letters", letters)
    status, talk = ended(start(directory, *options))
    assert (status, talk.splitlines()[-1]) == (0, "2 events handed on · 1 refused")
    letter = json.loads(letters.read_text().splitlines()[1])
    assert (letter["target"], letter["status"], letter["event"]["data"]["text"]) == (
        "127.0.0.1",
        410,
        "<b> & @everyone 人",
    )
    assert letter["webhook_id"] == f"msg_{letter['idempotency_key']}"
    assert stat.S_IMODE(letters.stat().st_mode) == 0o600
    assert "/secret" not in letters.read_text()


def test_templates(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    own.write_text('{"title": "${channel}: ${text}", "n": [1, "${ts}"]}')
    for template in ("slack", "discord", str(own)):
        options = ("--to", endpoint.url, "--since", "2020-01-01", "--limit", "1", "--template", template)
        assert ended(start(directory, *options))[0] == 0
    slack, discord, filled = (json.loads(body) for _, _, body in endpoint.requests)
    assert "&lt;b&gt; &amp; @everyone 人" in slack["text"]
    assert discord["allowed_mentions"] == {"parse": []}
    assert "\\<b\\> & @everyone 人" in discord["content"]
    assert filled == {"title": "alert: <b> & @everyone 人", "n": [1, "2026-03-02T10:15:30.123Z"]}


def test_routes_keep_their_own_cursors_and_wait_for_none(directory: Path, endpoint: Endpoint, tmp_path: Path) -> None:
    out = tmp_path / "out"
    routes = tmp_path / "routes.toml"
    routes.write_text(
        f'[[route]]\nname = "down"\nto = "{endpoint.url}/down"\n'
        f'[[route]]\nname = "alerts"\nchannel = "alert"\nto = "{endpoint.url}/alerts"\n'
        f'jq = ".data.text != \\"second\\""\n'
        f'[[route]]\nname = "views"\nchannel = ["scene_index"]\nexec = ["tee", "-a", "{out}"]\n'
    )
    for _ in range(2):
        asked = len(endpoint.bodies("/down"))
        process = start(directory, "--route", routes)
        try:
            wait_for(partial(_more_than, endpoint, asked), "the route was not tried")
            wait_for(lambda: out.exists() and out.read_text().count("\n") == 1, "the command was not called")
            wait_for(lambda: len(endpoint.bodies("/alerts")) == 1, "no alert came")
        finally:
            process.send_signal(signal.SIGTERM)
            status, talk = ended(process)
        assert status == 0, talk
        assert "down: 127.0.0.1: HTTP 503" in talk
    assert (directory / "forward-alerts.cursor").exists()
    assert len(endpoint.bodies("/alerts")) == 1


def _more_than(endpoint: Endpoint, count: int) -> bool:
    return len(endpoint.bodies("/down")) > count


GOOD = '[[route]]\nname = "a"\nto = "http://127.0.0.1:1/"\n'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no [[route]]"),
        ("[[route]\n", "line 1"),
        (GOOD + "chanel = 'x'\n", "route 1 (a): unknown key 'chanel'"),
        (GOOD + "batch = 'x'\n", "batch takes a whole number"),
        (GOOD + "exec = ['true']\n", "either to or exec"),
        (GOOD + "grep = '('\n", "route 1 (a): selection"),
        (GOOD + "jq = '.['\n", "route 1 (a): jq"),
        (GOOD + GOOD, "routes 1 and 2 have one name: a"),
        (GOOD + "cursor = 'c'\n" + GOOD.replace('"a"', '"b"') + "cursor = './c'\n", "routes 1 and 2 have one cursor"),
        (GOOD.replace("http", "file"), "route 1 (a): to"),
    ],
)
def test_routes_with_an_error_name_it(directory: Path, tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "routes.toml"
    path.write_text(content)
    status, talk = ended(start(directory, "--route", path))
    assert (status, "Traceback" in talk) == (2, False), talk
    assert words in talk
    assert str(path) in talk
