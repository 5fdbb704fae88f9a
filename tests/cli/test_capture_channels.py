"""`videodb capture channels` on machines that have nothing, hang, or play a file."""

import json
import socket
import sys
import threading
from pathlib import Path

import pytest

from videodb_cli.capture.devices import displays
from videodb_cli.capture.devices.displays import display_channels
from videodb_cli.local.sample import VIDEO
from videodb_cli.main import main

# What pulsectl does where libpulse is there and no server is.
NOBODY_ANSWERS = """
class PulseError(Exception): pass
class Pulse:
    def __init__(self, name, connect): pass
    def __enter__(self): return self
    def __exit__(self, *_): pass
    def connect(self, autospawn): raise PulseError("Failed to connect to pulseaudio server")
"""


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE", "PULSE_SERVER"):
        monkeypatch.delenv(name, raising=False)
    for name in ("XDG_RUNTIME_DIR", "PULSE_RUNTIME_PATH", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.fixture(params=["with libpulse", "without libpulse"])
def libpulse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library may be on the machine that runs the tests or not: pulsectl here behaves in either way."""
    monkeypatch.delitem(sys.modules, "pulsectl", raising=False)
    if request.param == "without libpulse":
        (tmp_path / "pulsectl.py").write_text("raise OSError('libpulse.so.0: cannot open shared object file')")
    else:
        (tmp_path / "pulsectl.py").write_text(NOBODY_ANSWERS)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("bare", "libpulse")
def test_a_bare_machine_has_empty_groups_with_reasons(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", "channels", "--json", "--recorder", "linux"]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert [shape["mics"], shape["displays"], shape["system_audio"]] == [[], [], []]
    assert shape["reasons"]["displays"] == "DISPLAY is not set"
    assert "no PulseAudio or PipeWire server answers" in shape["reasons"]["mics"]
    assert main(["capture", "channels"]) == 0
    out = capsys.readouterr()
    assert "no displays: DISPLAY is not set" in out.out
    assert "Traceback" not in out.err


@pytest.mark.usefixtures("bare")
def test_without_libpulse_ffmpeg_is_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "pulsectl.py").write_text("raise OSError('libpulse.so.0: cannot open shared object file')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "pulsectl", raising=False)
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nobody.sock")
    assert main(["capture", "channels", "--json"]) == 0
    assert "answers" in json.loads(capsys.readouterr().out)["reasons"]["mics"]


def test_a_file_offers_its_tracks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", "channels", "--json", "--source", str(VIDEO)]) == 0
    shape = json.loads(capsys.readouterr().out)
    assert [c["id"] for group in ("displays", "mics", "system_audio") for c in shape[group]] == [
        "display:file",
        "mic:file",
    ]
    assert (shape["displays"][0]["width"], shape["displays"][0]["height"]) == (1280, 720)


@pytest.mark.parametrize(("content", "status"), [(None, 4), (b"no media", 6), (b"", 6)])
def test_a_file_that_cannot_be_played(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes | None, status: int
) -> None:
    path = tmp_path / "-i strange:name.mp4"
    if content is not None:
        path.write_bytes(content)
    assert main(["capture", "channels", "--json", f"--source={path}"]) == status
    assert json.loads(capsys.readouterr().out)["error"]["code"]


def test_a_recorder_that_is_not_here_exits_7(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["capture", "channels", "--recorder", "official"]) == 7
    assert "pip install" in capsys.readouterr().err
    assert main(["capture", "channels", "--recorder", "tape"]) == 2


def test_an_x_server_that_says_nothing_does_not_hang_us(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(displays, "_PROBE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        number = silent.getsockname()[1] - 6000
        probe = display_channels({"DISPLAY": f"127.0.0.1:{number}"})
        assert probe.reason is not None
        assert "does not answer" in probe.reason
        connection, _ = silent.accept()
        connection.close()
    for thread in threading.enumerate():
        if thread.name == "device probe":
            thread.join(5)
