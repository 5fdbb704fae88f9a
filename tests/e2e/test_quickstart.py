"""The programs of the SDK's quickstart against the embedded service, with our recorder in place of the SDK's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import wait_until
from tests.e2e.place import Place
from tests.e2e.program import Program
from tests.fakes.media_files import write_media
from videodb_cli.local.sample import VIDEO

pytestmark = pytest.mark.system  # each takes seconds: make e2e

PROGRAMS = Path(__file__).with_name("quickstart")


class Quickstart:
    """A backend that runs, and its service."""

    def __init__(self, directory: Path, **environment: str) -> None:
        self.place = Place(directory / "events", BACKEND_PORT="0", **environment)
        self.directory = directory
        self.service = self.place.json("local", "start", "--detach")
        self.backend = self.spawn("backend.py")
        self.url = self.backend.wait_for("^backend ").split()[1]
        self.children = [self.backend]

    def spawn(self, program: str, *options: str, **environment: str) -> Program:
        command = [sys.executable, "-m", "videodb_cli", "local", "run", *options, "--", sys.executable]
        return Program(
            [*command, str(PROGRAMS / program)],
            {**self.place.environment, **environment},
            self.directory,
            start_new_session=True,
        )

    def client(self, source: Path) -> Program:
        found = self.spawn("client.py", "--source", str(source), BACKEND_URL=self.url)
        self.children.append(found)
        return found

    def close(self) -> None:
        for child in self.children:
            if child.process.poll() is None:
                child.end()
        self.place.clean_up()
        assert self.place.publishers() == []


@pytest.fixture
def quickstart(tmp_path: Path) -> Iterator[Quickstart]:
    found = Quickstart(tmp_path)
    yield found
    found.close()


def test_pictures_are_described_and_the_recording_is_exported(quickstart: Quickstart, tmp_path: Path) -> None:
    import imageio_ffmpeg

    silent = tmp_path / "silent.mp4"
    copy = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(VIDEO), "-an", "-c", "copy", str(silent)]
    subprocess.run(copy, check=True, timeout=60)
    client, backend = quickstart.client(silent), quickstart.backend
    client.wait_for("^recorder recording-started$")
    assert "channels display:file" in client.out
    backend.wait_for("^analysis started$")
    assert "mics: 0 system audio: 0 displays: 1" in backend.out
    backend.wait_for(r"^\[picture\] \w+_index: .")
    # As Ctrl-C does: every process of the foreground job gets it, the recorder too.
    os.killpg(client.pid, signal.SIGINT)
    assert client.status() == 0, client.err
    assert client.out[-3:] == ["recorder recording-complete", "stopped", "shut down"]
    exported = backend.wait_for("^exported ").split()
    assert float(exported[2]) > 1.0
    assert exported[3].startswith(quickstart.service["url"])
    callbacks = [line.split()[1].partition(".")[2] for line in backend.out if line.startswith("callback ")]
    assert callbacks == ["created", "starting", "active", "stopping", "stopped", "exported"]


@pytest.mark.models
def test_what_is_said_is_heard(tmp_path: Path) -> None:
    quickstart = Quickstart(tmp_path, HOME=os.environ["HOME"])
    try:
        client, backend = quickstart.client(VIDEO), quickstart.backend
        backend.wait_for(r"^\[sound\] transcript: .", timeout_s=60)
        backend.wait_for(r"^\[picture\] \w+_index: .", timeout_s=60)
        assert "mics: 1 system audio: 0 displays: 1" in backend.out
        assert client.end(signal.SIGTERM) == 0, client.err
        backend.wait_for("^exported ")
    finally:
        quickstart.close()


def test_a_file_that_is_over_ends_the_session_and_the_client_may_stop_it_again(
    quickstart: Quickstart, tmp_path: Path
) -> None:
    client = quickstart.client(write_media(tmp_path / "short.mp4", audio=None, seconds=2.0))
    client.wait_for("^recorder recording-complete$")
    quickstart.backend.wait_for("^exported ")
    assert client.end(signal.SIGTERM) == 0, client.err
    assert client.out[-2:] == ["stopped", "shut down"]


def test_a_client_that_is_killed_leaves_nothing_behind(quickstart: Quickstart, tmp_path: Path) -> None:
    client = quickstart.client(write_media(tmp_path / "long.mp4", audio=None, seconds=60.0))
    client.wait_for("^recorder recording-started$")
    (program,) = Path(f"/proc/{client.pid}/task/{client.pid}/children").read_text().split()
    os.kill(int(program), signal.SIGKILL)
    assert client.status() == 128 + signal.SIGKILL
    quickstart.backend.wait_for("^callback capture_session.stopped$")
    wait_until(lambda: quickstart.place.publishers() == [], what="the end of the publishers")
