"""Channels of a fake desktop: X screens and a sound server's sources."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import Desktop, missing_programs, running_desktop

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def desktop() -> Iterator[Desktop]:
    missing = missing_programs()
    assert not missing, f"not installed: {missing} (.ci/run installs them)"
    # A socket's path may have 107 bytes: a test's own directory can be too long for that.
    with tempfile.TemporaryDirectory(prefix="vdb") as directory, running_desktop(Path(directory)) as found:
        yield found


def videodb(desktop: Desktop, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "videodb_cli", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **desktop.environment, **environment},
    )


def test_displays_and_sound_are_listed(desktop: Desktop) -> None:
    done = videodb(desktop, "capture", "channels", "--json")
    assert done.returncode == 0, done.stderr
    shape = json.loads(done.stdout)
    displays = [(c["id"], c["width"], c["height"], c["default"]) for c in shape["displays"]]
    assert displays == [("display:1", 1280, 720, True), ("display:2", 640, 480, False)]
    assert [(c["id"], c["name"]) for c in shape["mics"]] == [("mic:default", "VirtualMic")]
    assert next((c["id"], c["monitor_of"]) for c in shape["system_audio"]) == ("system_audio:default", "vdb_speaker")
    plain = videodb(desktop, "capture", "channels").stdout
    assert "mic:default (mic): VirtualMic" in plain


def test_the_same_is_found_without_libpulse(desktop: Desktop, tmp_path: Path) -> None:
    (tmp_path / "pulsectl.py").write_text("raise OSError('libpulse.so.0')")
    done = videodb(desktop, "capture", "channels", "--json", PYTHONPATH=str(tmp_path))
    shape = json.loads(done.stdout)
    assert [(c["id"], c["source"]) for c in shape["mics"]] == [("mic:default", "vdb_mic")]
    assert {c["source"] for c in shape["system_audio"]} == {"vdb_speaker.monitor", "vdb_micsink.monitor"}


def test_a_server_that_is_gone_is_a_sentence(desktop: Desktop) -> None:
    done = videodb(desktop, "capture", "channels", "--json", DISPLAY=":4711", PULSE_SERVER="unix:/nowhere")
    assert done.returncode == 0
    shape = json.loads(done.stdout)
    assert shape["displays"] == shape["mics"] == []
    assert ":4711" in shape["reasons"]["displays"]


def test_xwayland_is_not_offered_as_the_screen_but_a_plain_x_server_is(desktop: Desktop) -> None:
    done = videodb(desktop, "capture", "channels", "--json", WAYLAND_DISPLAY="wayland-0")
    assert len(json.loads(done.stdout)["displays"]) == 2
