"""ffmpeg and the library that reads media know proxies in their own way: they, too, are told what was decided."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.fakes.proxy import Proxy
from videodb_cli.capture.ffmpeg.program import find_ffmpeg
from videodb_cli.errors import UsageError
from videodb_cli.local import sample
from videodb_cli.local.media.source import open_source
from videodb_cli.process.child import Child

EVERYWHERE = ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy")


@pytest.fixture
def port() -> Iterator[int]:
    """A web server that gives the sample to everybody."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            media = sample.VIDEO.read_bytes()
            self.send_response(200)
            self.send_header("content-length", str(len(media)))
            self.end_headers()
            try:
                self.wfile.write(media)
            except OSError:
                pass  # the reader has seen enough

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def set_everywhere(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    for name in EVERYWHERE:
        monkeypatch.setenv(name, url)


def test_media_on_this_machine_are_read_directly(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    with Proxy(status=502) as proxy:
        set_everywhere(monkeypatch, proxy.url)
        open_source(f"http://127.0.0.1:{port}/a.mp4").container.close()
        set_everywhere(monkeypatch, "socks4://nonsense")
        open_source(f"http://127.0.0.1:{port}/a.mp4").container.close()
        assert proxy.asked == []


def test_media_elsewhere_are_read_by_the_proxy(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    with Proxy(user="me@corp", password="a:b/#") as proxy:
        set_everywhere(monkeypatch, proxy.url)
        monkeypatch.setenv("http_proxy", proxy.url)
        open_source(f"http://media.test:{port}/a.mp4").container.close()
        assert set(proxy.asked) == {f"GET http://media.test:{port}/a.mp4"}


@pytest.mark.parametrize("value", ["socks5h://127.0.0.1:1", "https://127.0.0.1:1", "socks4://127.0.0.1:1", "http://:x"])
def test_a_proxy_that_media_cannot_take_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    set_everywhere(monkeypatch, value)
    with pytest.raises(UsageError, match=r"^http://media\.test/a\.mp4 cannot be read: "):
        open_source("http://media.test/a.mp4?secret")


async def test_ffmpeg_publishes_to_this_machine_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    with Proxy() as proxy, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        set_everywhere(monkeypatch, proxy.url)
        address = f"rtsps://127.0.0.1:{server.getsockname()[1]}/x"
        told = ["-f", "lavfi", "-i", "testsrc=size=64x64", "-f", "rtsp", "-rtsp_transport", "tcp", address]
        ffmpeg = await Child.spawn([find_ffmpeg().path, "-hide_banner", "-loglevel", "error", *told])
        try:
            there = await _accepted(server)
            # The first byte of a TLS handshake, and not a C of CONNECT.
            assert there == b"\x16"
            assert proxy.asked == []
        finally:
            await ffmpeg.stop()


async def _accepted(server: socket.socket) -> bytes:
    import asyncio

    def accept() -> bytes:
        there, _ = server.accept()
        with there:
            there.settimeout(20)
            return there.recv(1)

    return await asyncio.to_thread(accept)


def test_the_service_spares_this_machine_for_its_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """rtsps knows no option for it: only the environment says it."""
    with Proxy() as proxy, socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(20)
        set_everywhere(monkeypatch, proxy.url)
        program = (
            "import os, sys, av\n"
            "from videodb_cli.network.noproxy import sparing_this_machine\n"
            "os.environ.update(sparing_this_machine(os.environ))\n"
            "av.open(sys.argv[1], timeout=15)\n"
        )
        reading = subprocess.Popen(
            [sys.executable, "-c", program, f"rtsps://127.0.0.1:{server.getsockname()[1]}/x"],
            stderr=subprocess.DEVNULL,
            cwd=tmp_path,
        )
        try:
            there, _ = server.accept()
            with there:
                assert there.recv(1) == b"\x16"
            assert proxy.asked == []
        finally:
            reading.kill()
            reading.wait()
