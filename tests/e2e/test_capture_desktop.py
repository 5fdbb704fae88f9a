"""A fake desktop: its channels, a whole capture of its screen and sounds, and what can go wrong with them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.desktop import Desktop, missing_programs, running_desktop, wait_until
from tests.e2e.place import Place

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


# ---- the whole: screen, microphone and system sound into one session ----------------------------------------------

SCREEN = ("Incident 7731", "payment service is down")
IN_MICROPHONE = "We need to rotate the access keys for the production server today."
IN_SPEAKER = "The customer asked for a refund of the whole invoice."
PROMISED_S = 10.0


def words_of(events: list[dict[str, Any]], channel: str, stream: str) -> str:
    return " ".join(
        str(event["data"].get("text", ""))
        for event in events
        if event.get("channel") == channel and str(event.get("rtstream_name", "")).startswith(stream)
    ).lower()


def told_at(place: Place) -> dict[tuple[str, str], float]:
    """When the log first had each thing that is promised: Unix seconds by stream and kind."""
    wanted = (
        ("display:1", "visual_index", ("7731", "payment")),
        ("mic:default", "transcript", ("production server",)),
        ("system_audio:default", "transcript", ("refund",)),
    )
    found: dict[tuple[str, str], float] = {}
    events: list[dict[str, Any]] = []
    for event in place.events():
        events.append(event)
        for stream, channel, words in wanted:
            if all(word in words_of(events, channel, stream) for word in words):
                found.setdefault((stream, channel), event["unix_ts"])
        for stream, label in (("mic:default", "keys"), ("display:1", "incident")):
            if event.get("channel") == "alert" and event["data"].get("label") == label:
                found.setdefault((stream, f"alert {label}"), event["unix_ts"])
    return found


@pytest.fixture
def place(desktop: Desktop, tmp_path: Path) -> Iterator[Place]:
    # The models live in the user's own home.
    found = Place(tmp_path / "events", VIDEODB_LOCAL="1", HOME=os.environ["HOME"], **desktop.environment)
    yield found
    found.clean_up()
    assert found.publishers() == []


@pytest.mark.models
def test_what_is_shown_and_said_is_heard_and_kept(desktop: Desktop, place: Place) -> None:
    began = place.json(
        "capture", "start", "--transcribe", "--index-visuals", "What is on screen?",
        "--alert", "keys=production server", "--alert", "incident=incident 7731",
    )  # fmt: skip
    assert [c["channel_id"] for c in began["channels"]] == ["display:1", "mic:default", "system_audio:default"]
    kinds = sorted(item["kind"] for item in began["pipelines"])
    assert kinds == ["alert"] * 6 + ["audio_index"] * 2 + ["transcript"] * 2 + ["visual_index"]
    produced = {}
    for stream, produce in (
        ("display:1", lambda: desktop.show(*SCREEN)),
        ("mic:default", lambda: desktop.say(IN_MICROPHONE, microphone=True).wait(20)),
        ("system_audio:default", lambda: desktop.say(IN_SPEAKER, microphone=False).wait(20)),
    ):
        produced[stream] = time.time()  # of sounds: before the first word is even synthesised
        produce()
    wait_until(lambda: len(told_at(place)) == 5, 20, "the words on screen and in both sounds, and the alerts")
    latencies = {what: at - produced[what[0]] for what, at in told_at(place).items()}
    assert max(latencies.values()) < PROMISED_S, latencies
    events = place.events()
    assert "refund" not in words_of(events, "transcript", "mic:default")
    stopped = place.json("capture", "stop")
    assert stopped["status"] == "exported"
    video = export_of(place, stopped["stream_url"])
    assert video.codecs == {"h264", "aac"}
    began_at, ended_at = (place.named(f"capture_session.{name}")[0]["unix_ts"] for name in ("starting", "stopping"))
    assert abs(video.duration_s - (ended_at - began_at)) < 1.5
    assert "production server" in video.speech
    assert "refund" in video.speech


@dataclass
class Exported:
    """What PyAV and the recogniser find in an export."""

    codecs: set[str]
    duration_s: float
    speech: str


def export_of(place: Place, stream_url: str) -> Exported:
    import av
    from faster_whisper import WhisperModel

    from videodb_cli.local.models import locate

    with av.open(stream_url) as container:
        codecs = {stream.codec_context.name for stream in container.streams if stream.type in {"video", "audio"}}
    sound = place.path / "export.wav"
    with av.open(stream_url) as container, av.open(str(sound), "w") as wav:
        out = wav.add_stream("pcm_s16le", rate=16000, layout="mono")
        resampler = av.AudioResampler(format="s16", layout="mono", rate=16000)
        duration = 0.0
        for frame in container.decode(audio=0):
            duration = max(duration, (frame.time or 0.0) + frame.samples / frame.sample_rate)
            for piece in resampler.resample(frame):
                wav.mux(out.encode(piece))
        wav.mux(out.encode(None))
    model = WhisperModel(str(locate()), device="cpu", compute_type="int8", cpu_threads=2)
    segments, _ = model.transcribe(str(sound), vad_filter=True, beam_size=1)
    return Exported(codecs, duration, " ".join(segment.text for segment in segments).lower())


# ---- what can go wrong on a desktop ---------------------------------------------------------------------------------


def test_an_x_server_that_goes_leaves_the_sound_and_then_fails_clearly(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="vdb") as directory, running_desktop(Path(directory)) as desktop:
        place = Place(tmp_path / "events", VIDEODB_LOCAL="1", **desktop.environment)
        try:
            place.json("capture", "start", "--no-system-audio", "--give-up", "6")
            desktop.processes[0].terminate()
            desktop.processes[0].wait(10)

            def display() -> dict[str, Any]:
                return next(c for c in place.info["channels"] if c["channel_id"] == "display:1")

            wait_until(lambda: display()["state"] == "interrupted", 15, "the loss of the display")
            assert place.run("capture", "status").returncode == 0
            microphone = next(c for c in place.info["channels"] if c["channel_id"] == "mic:default")
            assert (microphone["state"], microphone["restarts"]) == ("flowing", 0)
            desktop.processes[1].terminate()
            desktop.processes[1].wait(10)
            wait_until(lambda: place.info["status"] == "failed", 30, "the end of the capture")
            assert place.run("capture", "status").returncode == 6
            wait_until(lambda: place.named("capture.failed"), 5, "capture.failed in the log")
            assert place.publishers() == []
        finally:
            place.run("capture", "stop")
            place.run("stop")
            place.run("local", "stop")


def test_a_sound_server_that_dies_leaves_the_picture_and_is_taken_up_again_when_it_is_back(tmp_path: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="vdb") as directory, running_desktop(Path(directory)) as desktop:
        place = Place(tmp_path / "events", VIDEODB_LOCAL="1", **desktop.environment)
        try:
            place.json("capture", "start", "--give-up", "60")

            def channels() -> dict[str, dict[str, Any]]:
                return {c["channel_id"]: c for c in place.info["channels"]}

            def states() -> dict[str, str]:
                return {name: channel["state"] for name, channel in channels().items()}

            desktop.processes[1].kill()
            desktop.processes[1].wait(10)
            gone = {"display:1": "flowing", "mic:default": "interrupted", "system_audio:default": "interrupted"}
            wait_until(lambda: states() == gone, 20, "the loss of both sounds, and of nothing else")
            told = place.json("capture", "status")
            assert told["status"] == "active"
            assert {c["channel_id"]: c["state"] for c in told["channels"]} == gone
            assert {c["channel_id"]: c["reason"] for c in told["channels"]}["display:1"] is None
            assert all(c["reason"] for c in told["channels"] if c["state"] == "interrupted")
            pictures = channels()["display:1"]["frames"]
            wait_until(lambda: channels()["display:1"]["frames"] > pictures, 10, "more pictures")
            desktop.start_sound()
            wait_until(lambda: set(states().values()) == {"flowing"}, 40, "the return of both sounds")
            restarts = {name: channel["restarts"] for name, channel in channels().items()}
            assert restarts["display:1"] == 0
            assert min(restarts["mic:default"], restarts["system_audio:default"]) >= 1
            stopped = place.json("capture", "stop")
            assert stopped["status"] == "exported"
            assert place.publishers() == []
        finally:
            place.clean_up()


def test_a_display_that_is_asked_for_and_absent_exits_6(place: Place) -> None:
    done = place.run("capture", "start", "--channel", "display:1", "--json", DISPLAY=":4711")
    assert done.returncode == 6
    assert json.loads(done.stdout)["error"]["code"] == "no_device"
    assert place.run("capture", "start", "--channel", "display:7").returncode == 4
