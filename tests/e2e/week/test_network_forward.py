"""`events forward` on a network that is not a home network: the same decision, and no event lost to a proxy."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Box, eventually
from tests.fakes.authority import Authority
from tests.fakes.proxy import Proxy
from videodb_cli import __version__

BAD = ["socks4://127.0.0.1:1", "http://:x", "socks://127.0.0.1:1", "http://127.0.0.1:1"]


class Hook:
    """An endpoint that takes every event; ``https`` with a context."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.taken: list[Any] = []
        self.agents: set[str | None] = set()
        hook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hook.taken.append(json.loads(self.rfile.read(int(self.headers["content-length"])))["n"])
                hook.agents.add(self.headers["user-agent"])
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def authority() -> Authority:
    return Authority()


@pytest.fixture
def hook() -> Iterator[Hook]:
    found = Hook()
    yield found
    found.close()


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Box]:
    found = Box(tmp_path)
    found.dir.mkdir(mode=0o700)
    found.log.write_text('{"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123,"channel":"alert","n":1}\n')
    yield found
    found.close()


def forward(box: Box, to: str, *options: str, **environment: str) -> tuple[int, str]:
    done = box.run(None, "events", "forward", "--to", to, "--cursor-file", str(box.root / "c"), *options, **environment)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert "secret-ticket" not in said
    return done.returncode, said


@pytest.mark.parametrize("value", BAD)
def test_an_endpoint_on_this_machine_is_called_directly(box: Box, hook: Hook, value: str) -> None:
    everywhere = dict.fromkeys(("HTTP_PROXY", "http_proxy", "ALL_PROXY", "HTTPS_PROXY"), value)
    status, said = forward(box, f"http://127.0.0.1:{hook.port}/x", "--limit", "1", **everywhere)
    assert (status, hook.taken) == (0, [1]), said
    assert hook.agents == {f"videodb-cli/{__version__}"}


@pytest.mark.parametrize(
    ("variable", "options"),
    [
        ("HTTP_PROXY", {}),
        ("http_proxy", {"user": "me", "password": "secret-ticket"}),
        ("ALL_PROXY", {"kind": "socks5", "user": "me", "password": "secret-ticket"}),
    ],
)
def test_another_endpoint_is_called_by_the_proxy(box: Box, hook: Hook, variable: str, options: dict[str, Any]) -> None:
    with Proxy(**options) as proxy:
        to = f"http://hook.test:{hook.port}/x"
        status, said = forward(box, to, "--limit", "1", **{variable: proxy.url})
        assert (status, hook.taken) == (0, [1]), said
        assert proxy.asked == [f"SOCKS5 hook.test:{hook.port}" if "kind" in options else f"POST {to}"]


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_company_signs_its_endpoint(box: Box, authority: Authority, kind: str) -> None:
    hook = Hook(authority.server_context("hook.test"))
    try:
        with Proxy(kind) as proxy:
            ca = str(authority.write_file(box.root / "ca.pem"))
            to = f"https://hook.test:{hook.port}/x"
            status, said = forward(box, to, "--limit", "1", ALL_PROXY=proxy.url)
            assert status == 2, said
            assert "the certificate of hook.test is not signed by a CA that is trusted here" in said
            assert "export SSL_CERT_FILE=" in said
            status, said = forward(box, to, "--limit", "1", ALL_PROXY=proxy.url, SSL_CERT_FILE=ca)
            assert (status, hook.taken) == (0, [1]), said
    finally:
        hook.close()


def test_a_proxy_without_the_password_costs_no_event(box: Box, hook: Hook) -> None:
    with Proxy(user="me", password="secret-ticket") as proxy:
        to = f"http://hook.test:{hook.port}/x"
        status, said = forward(box, to, HTTP_PROXY=f"http://{proxy.place}")
        assert status == 2, said
        assert f"the proxy http://{proxy.place} (HTTP_PROXY) wants a user and a password (HTTP 407)" in said
        assert not (box.root / "c.refused").exists()
        status, said = forward(box, to, "--limit", "1", HTTP_PROXY=proxy.url)
        assert (status, hook.taken) == (0, [1]), said


def test_detached_it_says_why_it_died(box: Box, hook: Hook) -> None:
    with Proxy(user="me", password="secret-ticket") as proxy:
        to = f"http://hook.test:{hook.port}/x"
        for environment, expected, sentence in (
            ({"ALL_PROXY": "socks4://x"}, 2, "ALL_PROXY names a proxy of kind socks4"),
            ({"HTTP_PROXY": f"http://{proxy.place}"}, 2, "wants a user and a password (HTTP 407)"),
        ):
            status, said = forward(box, to, "--detach", **environment)
            assert (status, sentence in said) == (expected, True), said
        status, said = forward(box, to, "--detach", HTTP_PROXY=proxy.url)
        assert status == 0, said
        pid = int(said.strip().removeprefix("PID="))
        try:
            eventually(lambda: hook.taken == [1])
        finally:
            os.kill(pid, signal.SIGTERM)
            eventually(lambda: not _command(pid))


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_detached_it_goes_on_when_nobody_is_there_to_be_told(box: Box, hook: Hook) -> None:
    """Once it has said that it runs, what no retry can mend is tried again: an administrator may mend it."""
    log = box.log.read_text()
    box.log.write_text("")
    with Proxy(status=407) as proxy:
        status, said = forward(box, f"http://hook.test:{hook.port}/x", "--detach", HTTP_PROXY=proxy.url)
        assert status == 0, said
        pid = int(said.strip().removeprefix("PID="))
        try:
            box.log.write_text(log)
            eventually(lambda: b"wants a user and a password (HTTP 407)" in (box.root / "c.log").read_bytes())
            proxy.status = None
            eventually(lambda: hook.taken == [1])
        finally:
            os.kill(pid, signal.SIGTERM)
            eventually(lambda: not _command(pid))


def test_detached_it_does_not_wait_long_for_an_endpoint_that_is_silent(box: Box) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        to = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        began = time.monotonic()
        status, said = forward(box, to, "--detach", "--timeout", "1")
        assert (status, time.monotonic() - began < 15) == (0, True), said
        pid = int(said.strip().removeprefix("PID="))
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not _command(pid))
