"""A whole capture of a file against the embedded service, as a user runs it: no key, no screen, no Debian package."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.desktop import wait_until
from tests.e2e.place import Place
from videodb_cli.process.start_token import start_token

NOTHING = {"stopped": False, "session_id": None, "status": None, "schema": 1}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty seconds of moving picture with a tone."""
    import imageio_ffmpeg

    path = tmp_path_factory.mktemp("clip") / "a clip: 100%.mp4"
    subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc=size=321x181:rate=25",
            "-f", "lavfi", "-i", "sine=frequency=300:sample_rate=44100", "-t", "30", "-pix_fmt", "yuv444p",
            "-preset", "ultrafast", str(path),
        ],
        check=True,
        timeout=60,
    )  # fmt: skip
    return path


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    found = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    yield found
    found.clean_up()
    assert found.publishers() == []


def test_start_watch_pause_and_stop(place: Place, clip: Path) -> None:
    began = place.json("capture", "start", "--source", str(clip))
    assert began["status"] == "active"
    assert {c["channel_id"]: (c["type"], c["state"]) for c in began["channels"]} == {
        "display:file": ("display", "flowing"),
        "mic:file": ("mic", "flowing"),
    }
    assert all(c["rtstream_id"] for c in began["channels"])
    info = place.info
    assert info["v"] == 1
    assert int((place.path / "videodb_capture_pid").read_text()) == info["pid"]
    assert info["ws_connection_id"] == (place.path / "videodb_ws_id").read_text().strip()
    assert len(place.publishers()) == 2
    for pid in place.publishers():
        assert b"API_KEY" not in Path(f"/proc/{pid}/environ").read_bytes()

    second = place.run("capture", "start", "--source", str(clip))
    assert second.returncode == 9

    assert place.json("capture", "pause", "mic:file") == {"paused": ["mic:file"], "schema": 1}
    assert [c["paused"] for c in place.json("capture", "status")["channels"]] == [False, True]
    assert place.json("capture", "resume")["resumed"] == ["display:file", "mic:file"]
    assert place.run("capture", "pause", "mic:nobody").returncode == 4

    before = place.json("capture", "status")["channels"][0]
    wait_until(lambda: place.json("capture", "status")["channels"][0]["bytes"] > before["bytes"], what="more bytes")

    stopped = place.json("capture", "stop")
    assert stopped["status"] == "exported"
    assert stopped["exported_video_id"]
    assert stopped["stream_url"].startswith("http://127.0.0.1")
    assert place.json("capture", "stop") == NOTHING
    assert place.json("capture", "status", expect=4)["exported_video_id"] == stopped["exported_video_id"]
    statuses = [e["status"] for e in place.events() if e.get("channel") == "capture_session"]
    assert statuses == ["created", "starting", "active", "stopping", "stopped", "exported"]
    assert not (place.path / "videodb_capture_pid").exists()
    assert not (place.path / "videodb_ws_pid").exists(), "the listener that start had started ends with stop"
    for name in ("videodb_capture.log", "videodb_capture_info.json", "videodb_events.jsonl", "videodb_listener.log"):
        assert "rtsp://127" not in (place.path / name).read_text(), f"a publish address stands in {name}"


def test_a_listener_that_was_there_stays_and_a_file_ends_by_itself(place: Place, tmp_path: Path) -> None:
    import imageio_ffmpeg

    short = tmp_path / "short.wav"
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "sine", "-t", "3", str(short)],
        check=True,
        timeout=60,
    )
    assert place.run("listen", "--detach").returncode == 0
    pid = int((place.path / "videodb_ws_pid").read_text())
    began = place.json("capture", "start", "--source", str(short))
    assert [c["channel_id"] for c in began["channels"]] == ["mic:file"]
    wait_until(lambda: place.info["status"] == "exported", 30, "the end of the file")
    assert place.run("capture", "status").returncode == 4
    assert place.json("capture", "stop") == NOTHING
    assert start_token(pid) is not None
    assert place.run("status").returncode == 0


def test_a_file_that_is_over_before_all_channels_have_come_is_recorded(place: Place, tmp_path: Path) -> None:
    import imageio_ffmpeg

    blink = tmp_path / "-blink.mp4"
    subprocess.run(
        [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", "testsrc=size=320x180:rate=10",
            "-f", "lavfi", "-i", "sine", "-t", "0.5", "-pix_fmt", "yuv420p", str(blink),
        ],
        check=True,
        timeout=60,
    )  # fmt: skip
    assert place.json("capture", "start", "--source", str(blink), "--timeout", "10")["status"] == "active"
    wait_until(lambda: place.info["exported_video_id"], 30, "the export")


def test_a_publisher_that_is_killed_comes_back_while_the_other_goes_on(place: Place, clip: Path) -> None:
    began = place.json("capture", "start", "--source", str(clip))
    pids = {c["channel_id"]: c["pid"] for c in began["channels"]}
    os.kill(pids["display:file"], signal.SIGKILL)

    def came_back() -> bool:
        channels = {c["channel_id"]: c for c in place.info["channels"]}
        display = channels["display:file"]
        return bool(display["restarts"] == 1 and display["state"] == "flowing")

    wait_until(came_back, 20, "the publisher's return")
    channels = {c["channel_id"]: c for c in place.info["channels"]}
    assert channels["mic:file"]["restarts"] == 0
    assert channels["mic:file"]["pid"] == pids["mic:file"]
    assert place.json("capture", "stop")["status"] == "exported"


def test_a_background_process_that_is_killed_takes_its_publishers_along(place: Place, clip: Path) -> None:
    place.json("capture", "start", "--source", str(clip))
    os.kill(place.info["pid"], signal.SIGKILL)
    wait_until(lambda: place.publishers() == [], 10, "the end of the publishers")
    wait_until(lambda: place.named("capture.failed"), 10, "capture.failed in the log")
    failed = place.run("capture", "status", "--json")
    assert failed.returncode == 6
    assert json.loads(failed.stdout)["status"] == "failed"
    # The session still stands at the service: it is found by its id, ended, and what was recorded is saved.
    stopped = place.json("capture", "stop")
    assert stopped["exported_video_id"]
    assert not (place.path / "videodb_ws_pid").exists()
    assert place.json("capture", "stop") == NOTHING


def fail_for_good(place: Place) -> None:
    """Kill each publisher as soon as it is there, until the capture gives them up."""

    def has_failed() -> bool:
        for pid in place.publishers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(place.info["status"] == "failed")

    wait_until(has_failed, 30, "the failure")


def test_what_a_capture_recorded_before_it_failed_is_fetched_once(place: Place, clip: Path) -> None:
    began = place.json("capture", "start", "--source", str(clip), "--give-up", "1")
    assert "left_at_service" not in began
    fail_for_good(place)
    error = place.info["error"]
    assert error["message"].startswith("every channel is lost")
    assert place.info["exported_video_id"] is None
    stopped = place.json("capture", "stop")
    assert (stopped["status"], stopped["error"]) == ("failed", error)
    assert stopped["session_status"] == "exported"
    assert stopped["exported_video_id"]
    assert stopped["stream_url"]
    assert stopped["player_url"]
    assert "left_at_service" not in stopped
    assert not (place.path / "videodb_ws_pid").exists()
    assert len(place.named("capture.failed")) == 1
    # What is fetched is not asked for again: not even a service that is gone matters.
    place.run("local", "stop")
    again = place.run("capture", "stop")
    assert (again.returncode, again.stdout) == (0, "")
    assert again.stderr.startswith("no capture runs here")
    status = place.run("capture", "status")
    assert status.returncode == 6
    assert stopped["player_url"] in status.stdout
    assert "failed · every channel is lost" in status.stdout


def test_what_a_failed_capture_recorded_cannot_be_fetched_from_a_service_that_is_gone(place: Place, clip: Path) -> None:
    place.json("capture", "start", "--source", str(clip), "--give-up", "1")
    fail_for_good(place)
    place.run("local", "stop")
    began = time.monotonic()
    stopped = place.run("capture", "stop")
    assert time.monotonic() - began < 30
    assert stopped.returncode == 0, stopped.stderr
    assert "failed (every channel is lost" in stopped.stdout
    assert "what was recorded is not fetched: " in stopped.stderr
    assert not (place.path / "videodb_ws_pid").exists()


def test_a_capture_after_one_that_was_killed_ends_what_that_one_left(place: Place, clip: Path) -> None:
    first = place.json("capture", "start", "--source", str(clip))
    os.kill(place.info["pid"], signal.SIGKILL)
    wait_until(lambda: place.publishers() == [], 10, "the end of the publishers")
    second = place.json("capture", "start", "--source", str(clip))
    assert second["session_id"] != first["session_id"]
    wait_until(
        lambda: [e for e in place.named("capture_session.stopped") if e["capture_session_id"] == first["session_id"]],
        20,
        "the end of the session that nobody records",
    )
    assert place.json("capture", "stop")["status"] == "exported"
    assert not (place.path / "videodb_ws_pid").exists(), "the listener of the first ends with the second"


def test_backend_and_client_on_two_machines(tmp_path: Path, clip: Path) -> None:
    backend = Place(tmp_path / "backend", VIDEODB_LOCAL="1")
    try:
        ws_id = backend.run("listen", "--detach").stdout.strip().removeprefix("WS_ID=")
        made = backend.json("capture", "create", "--metadata", "room=4", "--end-user", "ann")
        assert made["ws_connection_id"] == ws_id
        client = Place(tmp_path / "client", VIDEO_DB_API=made["base_url"], VIDEODB_CLIENT_TOKEN=made["client_token"])
        began = client.json(
            "capture", "start", "--session", made["session_id"], "--ws-id", ws_id, "--source", str(clip)
        )
        assert began["session_id"] == made["session_id"]
        assert not (client.path / "videodb_ws_pid").exists(), "the client needs no listener"
        assert made["client_token"] not in (client.path / "videodb_capture_info.json").read_text()
        wait_until(lambda: backend.named("capture_session.active"), 10, "active at the backend")
        elsewhere = ("--dir", str(tmp_path / "other"))
        refused = client.run("capture", "start", "--source", str(clip), "--transcribe", "--session", "x", *elsewhere)
        assert refused.returncode == 3
        assert client.json("capture", "stop")["status"] in {"stopped", "exported"}
        wait_until(lambda: backend.named("capture_session.exported"), 20, "the export at the backend")
        made = backend.json("capture", "create")
        client.environment["VIDEODB_CLIENT_TOKEN"] = made["client_token"]
        client.json("capture", "start", "--session", made["session_id"], "--ws-id", ws_id, "--source", str(clip))
        os.kill(client.info["pid"], signal.SIGKILL)
        wait_until(lambda: client.publishers() == [], 10, "the end of the publishers")
        assert client.json("capture", "stop")["session_status"] in {"stopped", "exported"}, "the token can end it too"
        assert client.publishers() == []
    finally:
        backend.run("stop")
        backend.run("local", "stop")


def test_an_expired_token_exits_3_and_leaves_nothing(tmp_path: Path, clip: Path) -> None:
    backend = Place(tmp_path / "backend", VIDEODB_LOCAL="1")
    try:
        made = backend.json("capture", "create", "--expires-in", "1")
        time.sleep(1.1)
        client = Place(tmp_path / "client", VIDEO_DB_API=made["base_url"], VIDEODB_CLIENT_TOKEN=made["client_token"])
        done = client.run("capture", "start", "--session", made["session_id"], "--source", str(clip), "--json")
        assert done.returncode == 3, done.stderr
        assert client.publishers() == []
        assert client.run("capture", "status").returncode == 6
    finally:
        backend.run("stop")
        backend.run("local", "stop")


def test_foreground_stops_with_a_signal_and_says_what_came_of_it(place: Place, clip: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", "capture", "start", "--foreground", "--source", str(clip)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=place.environment,
    )
    assert process.stdout is not None
    assert "active" in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "exported_video_id" in out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_start_that_is_interrupted_leaves_nothing(place: Place, clip: Path, number: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", "capture", "start", "--source", str(clip)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment,
    )
    assert process.stderr is not None
    while not process.stderr.readline().startswith("session"):
        pass
    process.send_signal(number)
    _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in rest
    assert place.publishers() == []
    assert not (place.path / "videodb_capture_pid").exists()
    assert not (place.path / "videodb_ws_pid").exists()
    assert place.run("capture", "status").returncode in {4, 6}


def test_a_foreground_start_that_is_ended_early_leaves_nothing(place: Place, clip: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", "capture", "start", "--foreground", "--source", str(clip)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment,
    ) as process:
        assert process.stderr is not None
        while not process.stderr.readline().startswith("listener"):
            pass
        process.send_signal(signal.SIGTERM)
        _, rest = process.communicate(timeout=60)
    # 0 if the recorder was already at work and was stopped in order.
    assert process.returncode in {0, 130}
    assert "Traceback" not in rest
    assert place.publishers() == []
    assert not (place.path / "videodb_ws_pid").exists()


def test_prompts_of_any_script_fit(place: Place, clip: Path) -> None:
    place.json("capture", "start", "--source", str(clip), "--no-store", "--index-visuals", "é" * 40_000)
    assert place.json("capture", "stop")["status"] == "stopped"


def test_duration_ends_it(place: Place, clip: Path) -> None:
    place.json("capture", "start", "--source", str(clip), "--duration", "1.5")
    wait_until(lambda: place.info["status"] == "exported", 30, "the end")
    wait_until(lambda: not (place.path / "videodb_ws_pid").exists(), 20, "the end of the listener of this capture")


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("--no-store",), 2, "nothing would be kept"),
        (("--channel", "mic:fil"), 4, "mic:file"),
        (("--system-audio",), 6, "system audio"),
        (("--alert", "nolabel"), 2, "LABEL=PROMPT"),
        (("--size", "big"), 2, "size"),
        (("--primary", "mic:file"), 2, "primary"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_started(
    place: Place, clip: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    done = place.run("capture", "start", "--source", str(clip), *arguments)
    assert done.returncode == status
    assert words in done.stderr
    assert not (place.path / "videodb_ws_pid").exists()
    assert not (place.path / "local" / "videodb_local.json").exists()


def test_a_bare_machine_has_nothing_to_capture(place: Place) -> None:
    done = place.run("capture", "start")
    assert done.returncode == 6
    assert "nothing to capture" in done.stderr
    assert place.run("capture", "stop").returncode == 0
    assert place.run("capture", "status").returncode == 4


def test_the_official_sdk_reads_what_videodb_captured(tmp_path: Path, clip: Path) -> None:
    import videodb

    place = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    try:
        service = place.json("local", "start", "--detach")
        connection = videodb.connect(api_key=service["key"], base_url=service["url"])
        session = connection.create_capture_session(end_user_id="ann", collection_id="default")
        token = connection.generate_client_token()
        client = Place(tmp_path / "client", VIDEO_DB_API=service["url"], VIDEODB_CLIENT_TOKEN=token)
        client.json("capture", "start", "--session", session.id, "--source", str(clip))
        found = connection.get_capture_session(session.id)
        assert found.status == "active"
        assert [stream.name for stream in found.get_rtstream("mic")] == ["mic:file"]
        assert [stream.name for stream in found.get_rtstream("screen")] == ["display:file"]
        stopped = client.json("capture", "stop")
        assert stopped["status"] == "exported"
        assert connection.get_capture_session(session.id).exported_video_id == stopped["exported_video_id"]
        connection.session.close()
    finally:
        place.clean_up()
        assert place.publishers() == []


@pytest.mark.models
def test_the_official_sdk_reads_what_was_said_and_shown_in_a_capture(tmp_path: Path) -> None:
    """The backend holds the SDK and the key; `videodb` on the other machine has only a token."""
    import videodb

    from videodb_cli.local.sample import GROUND_TRUTH, VIDEO

    truth = json.loads(GROUND_TRUTH.read_text())
    words = {word for cue in truth["speech"] for word in cue["text"].lower().split() if len(word) > 6}
    place = Place(tmp_path / "events", VIDEODB_LOCAL="1", HOME=os.environ["HOME"])
    client = None
    try:
        service = place.json("local", "start", "--detach")
        connection = videodb.connect(api_key=service["key"], base_url=service["url"])
        session = connection.create_capture_session(end_user_id="ann", collection_id="default")
        token = connection.generate_client_token()
        client = Place(tmp_path / "client", VIDEO_DB_API=service["url"], VIDEODB_CLIENT_TOKEN=token)
        client.json("capture", "start", "--session", session.id, "--source", str(VIDEO), "--loop")
        found = connection.get_capture_session(session.id)
        (microphone,), (screen,) = found.get_rtstream("mic"), found.get_rtstream("screen")
        assert {s.id for s in connection.get_collection().list_rtstreams()} == {microphone.id, screen.id}
        microphone.start_transcript()
        index = screen.index_visuals(prompt="What is on screen?")

        def said() -> str:
            records = microphone.get_transcript()["transcription_records"]
            return " ".join(record["text"] for record in records).lower()

        def shown() -> list[str]:
            return [scene["description"] for scene in index.get_scenes()["scenes"]]

        wait_until(lambda: words & set(said().split()), 60, "what is said")
        lines = [line for screen_of in truth["screens"] for line in screen_of["lines"]]
        wait_until(lambda: any(line in text for line in lines for text in shown()), 30, "what is shown")
        read = next(text for text in shown() if any(line in text for line in lines))
        assert read in [shot.text for shot in screen.search(read, index_id=index.rtstream_index_id).get_shots()]
        assert screen.generate_stream(int(time.time()) - 5, int(time.time())).startswith("http://127.0.0.1")
        assert client.json("capture", "stop")["status"] == "exported"
        ended = connection.get_capture_session(session.id)
        assert ended.status == "exported"
        assert ended.export()["video_id"] == ended.exported_video_id
        assert microphone.export(name="what was said").duration > 1
        assert said(), "the transcript stays readable"
        assert {s.id: s.status for s in connection.get_collection().list_rtstreams()}[microphone.id] == "stopped"
        connection.session.close()
    finally:
        if client is not None:
            client.clean_up()
            assert client.publishers() == []
        place.clean_up()


def test_a_pause_is_black_and_silent_while_time_goes_on(place: Place, clip: Path) -> None:
    import av
    import numpy as np

    place.json("capture", "start", "--source", str(clip))
    place.json("capture", "pause")
    paused_at = place.json("capture", "status")["channels"][0]["media_s"]
    wait_until(lambda: place.info["channels"][0]["media_s"] > paused_at + 3, 20, "three seconds of pause")
    stopped = place.json("capture", "stop")
    with av.open(stopped["stream_url"]) as container:
        bright = [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    with av.open(stopped["stream_url"]) as container:
        sound = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    assert len(bright) >= 30, "pictures go on"
    assert bright[0] > 60
    assert max(bright[-10:]) < 30
    rate = 48000
    assert np.abs(sound[:rate]).max() > 0.05
    assert np.abs(sound[-rate:]).max() < 0.01


def test_stop_never_ends_a_listener_that_somebody_started_later(place: Place, clip: Path) -> None:
    place.json("capture", "start", "--source", str(clip))
    os.kill(place.info["pid"], signal.SIGKILL)
    assert place.run("stop").returncode == 0
    assert place.run("listen", "--detach").returncode == 0
    pid = int((place.path / "videodb_ws_pid").read_text())
    assert place.run("capture", "stop").returncode == 0
    assert start_token(pid) is not None


@pytest.mark.parametrize(("command", "status"), [("status", 6), ("stop", 0), ("start", 4)])
def test_a_publisher_that_outlived_its_capture_is_ended_by_the_next_command(
    place: Place, clip: Path, command: str, status: int
) -> None:
    place.path.mkdir(mode=0o700)
    with subprocess.Popen(["sleep", "60"]) as gone, subprocess.Popen(["sleep", "60"]) as stranger:
        gone.kill()
        gone.wait()
        with subprocess.Popen(["sleep", "60"]) as orphan:
            channels = [
                {"channel_id": "mic:file", "pid": orphan.pid, "start_token": start_token(orphan.pid)},
                {"channel_id": "display:file", "pid": stranger.pid, "start_token": "the token of another process"},
            ]
            state = {"v": 1, "pid": gone.pid, "session_id": "cap-1", "status": "active", "channels": channels}
            (place.path / "videodb_capture_info.json").write_text(json.dumps(state))
            done = place.run("capture", command, *(["--source", "/nowhere.mp4"] if command == "start" else []))
            assert done.returncode == status, done.stderr
            assert orphan.wait(10) == -signal.SIGKILL
            assert stranger.poll() is None
            stranger.kill()
        # The embedded service of that session is gone too: `stop` has nothing more to end.
        assert place.info["error"]["code"] == ("capture_died_and_was_stopped" if command == "stop" else "capture_died")
