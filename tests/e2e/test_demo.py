"""`videodb demo` as a process: the real thing on real media, and nothing left behind however it ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest

from videodb_cli.errors import MissingDependencyError
from videodb_cli.local import models

VIDEODB = str(Path(sys.executable).with_name("videodb"))


def has_speech_model() -> bool:
    try:
        models.locate()
    except MissingDependencyError:
        return False
    return True


needs_model = pytest.mark.skipif(not has_speech_model(), reason="no speech model: videodb local models install")


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the demo makes its directory; empty again when the demo has cleaned up."""
    directory = tmp_path / "t"
    directory.mkdir()
    return directory


def environment(temporary: Path) -> dict[str, str]:
    return {**os.environ, "TMPDIR": str(temporary)}


def processes_of(directory: Path) -> list[str]:
    """Command lines of live processes that name the directory."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if str(directory) in command:
                found.append(command)
    return found


def silent_video(path: Path, seconds: float = 3.0) -> Path:
    """A small video without sound whose picture changes once."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for number in range(int(seconds * 10)):
            picture = np.full((240, 320, 3), 255 if number > 10 else 30, dtype=np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def test_any_video_is_played_and_nothing_is_left(tmp_path: Path, temporary: Path) -> None:
    media = silent_video(tmp_path / "my video.mp4")
    done = subprocess.run(
        [VIDEODB, "demo", "--json", str(media)],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(temporary),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["words_heard"] == 0
    assert outcome["words_spoken"] is None
    assert outcome["directory"] is None
    assert "my video.mp4" in done.stderr
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []


def test_what_is_over_at_once_is_said_to_be_too_short(tmp_path: Path, temporary: Path) -> None:
    media = silent_video(tmp_path / "blink.mp4", seconds=0.3)
    command = [VIDEODB, "demo", str(media)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment(temporary), check=False)
    assert done.returncode == 6, done.stderr
    assert f"{media} cannot be played: it is over after 0.3 s" in done.stderr
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["INT", "TERM"])
def test_interrupted_it_leaves_nothing(number: signal.Signals, tmp_path: Path, temporary: Path) -> None:
    media = silent_video(tmp_path / "long.mp4", seconds=60)
    with subprocess.Popen(
        [VIDEODB, "demo", str(media)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(temporary)
    ) as child:
        try:
            assert child.stderr is not None
            assert b"embedded service" in child.stderr.readline()
            assert processes_of(temporary)
            child.send_signal(number)
            child.wait(timeout=60)
        finally:
            child.kill()
    assert child.returncode == 130
    assert list(temporary.iterdir()) == []
    assert processes_of(temporary) == []


def test_killed_it_leaves_no_process(tmp_path: Path, temporary: Path) -> None:
    media = silent_video(tmp_path / "v.mp4", seconds=60)
    with subprocess.Popen(
        [VIDEODB, "demo", str(media)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment(temporary)
    ) as demo:
        assert demo.stdout is not None
        while b"visual" not in demo.stdout.readline():
            assert demo.poll() is None
        (directory,) = temporary.iterdir()
        assert len(processes_of(directory)) == 2
        demo.kill()
    deadline = time.monotonic() + 30
    while processes_of(directory):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_kept_it_can_be_looked_at_and_ended(tmp_path: Path, temporary: Path) -> None:
    media = silent_video(tmp_path / "kept.mp4")
    done = subprocess.run(
        [VIDEODB, "demo", "--keep", "--json", str(media)],
        capture_output=True,
        text=True,
        timeout=100,
        env=environment(temporary),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    directory = outcome["directory"]
    try:
        assert outcome["player_url"].startswith("http://127.0.0.1:")
        assert (Path(directory) / "videodb_events.jsonl").stat().st_size > 0
        status = subprocess.run(
            [VIDEODB, "local", "status", "--json", "--dir", directory], capture_output=True, text=True, check=False
        )
        assert json.loads(status.stdout)["running"] is True
    finally:
        subprocess.run([VIDEODB, "local", "stop", "--dir", directory], capture_output=True, check=False)
    deadline = time.monotonic() + 10
    while processes_of(temporary):
        assert time.monotonic() < deadline, processes_of(temporary)
        time.sleep(0.05)


@pytest.mark.parametrize("kind", ["missing", "text", "directory"])
def test_what_cannot_be_played_is_said_before_anything_starts(kind: str, tmp_path: Path, temporary: Path) -> None:
    media = tmp_path / "x.mp4"
    if kind == "text":
        media.write_text("hello\n")
    elif kind == "directory":
        media.mkdir()
    done = subprocess.run(
        [VIDEODB, "demo", str(media)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(temporary),
        check=False,
    )
    assert done.returncode == (4 if kind == "missing" else 6)
    assert "Traceback" not in done.stderr
    assert str(media) in done.stderr
    assert list(temporary.iterdir()) == []


@needs_model
@pytest.mark.system
def test_the_sample_is_heard_and_read(temporary: Path) -> None:
    """At least 80 % of the words; end of speech to event under 3 s, text on screen to event under 4 s."""
    done = subprocess.run(
        [VIDEODB, "demo", "--json"],
        capture_output=True,
        text=True,
        timeout=110,
        env=environment(temporary),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    assert outcome["words_heard"] >= 0.8 * outcome["words_spoken"]
    assert outcome["screens"] >= 6
    assert outcome["speech_latency_s"] < 3
    assert outcome["screen_latency_s"] < 4
