"""What can go wrong between a recorder and the service. Each ends in a clear state and status, with nothing left."""

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
from tests.fakes.capture_service import TOKEN, CaptureService, closed_port
from videodb_cli.local.sample import VIDEO
from videodb_cli.process.start_token import start_token

# Every fault costs a process or five: a minute in all, which `make e2e` has and `make test` has not.
pytestmark = pytest.mark.system

FAKE = Path(__file__).parents[1] / "fakes" / "fake_recorder.py"
START = ("capture", "start", "--session", "cap-1", "--ws-id", "ws-1")
FILE = (*START, "--source", str(VIDEO), "--no-store")


@pytest.fixture
def service() -> Iterator[CaptureService]:
    with CaptureService() as found:
        yield found


@pytest.fixture
def place(tmp_path: Path, service: CaptureService) -> Iterator[Place]:
    found = Place(tmp_path / "events", VIDEO_DB_API=service.url, VIDEODB_CLIENT_TOKEN=TOKEN)
    yield found
    if (found.path / "videodb_capture_pid").exists():
        found.run("capture", "stop", "--timeout", "20")
    assert found.publishers() == []


def refused(place: Place, *arguments: str, status: int, **environment: str) -> dict[str, str]:
    done = place.run(*arguments, "--json", **environment)
    assert done.returncode == status, (done.stdout, done.stderr)
    assert place.publishers() == []
    assert place.run("capture", "status").returncode == 6
    error = json.loads(done.stdout)["error"]
    return {name: str(value) for name, value in error.items()}


def test_addresses_may_come_later_and_a_session_may_be_stopped_elsewhere(place: Place, service: CaptureService) -> None:
    service.urls_later = True
    began = place.json(*FILE)
    assert began["streaming_session_id"] == "ss-1"
    service.status = "stopped"
    wait_until(lambda: place.info["status"] == "stopped", 30, "the end")
    assert place.publishers() == []


def test_the_session_is_stopped_before_the_recorder(place: Place, service: CaptureService) -> None:
    place.json(*FILE)
    assert place.json("capture", "stop")["status"] == "stopped"
    assert "POST /capture/session/ss-1/stop" in service.calls


def test_a_refused_media_port(place: Place, service: CaptureService) -> None:
    port = closed_port()
    service.url_of = lambda channel: f"rtsp://127.0.0.1:{port}/secret-{channel['channel_id']}"
    error = refused(place, *FILE, status=6)
    assert "refuses the connection" in error["message"]
    assert "secret" not in json.dumps(error) + (place.path / "videodb_capture.log").read_text()
    assert service.status == "stopped"


def test_an_address_that_is_not_rtsp_is_not_given_to_ffmpeg(place: Place, service: CaptureService) -> None:
    service.url_of = lambda channel: f"file:///tmp/{channel['channel_id']}"
    assert refused(place, *FILE, status=6)["code"] == "bad_publish_url"


def test_one_channel_that_does_not_start_fails_the_whole(place: Place, service: CaptureService) -> None:
    take, port = service.url_of, closed_port()
    service.url_of = lambda c: take(c) if c["type"] == "video" else f"rtsp://127.0.0.1:{port}/x"
    error = refused(place, *FILE, status=6)
    assert error["code"] == "partly_started"
    assert error["message"].startswith("mic:file did not start")


def test_media_flow_but_the_service_never_says_active(place: Place, service: CaptureService) -> None:
    service.active_on_start = False
    assert refused(place, *FILE, "--timeout", "3", status=124)["code"] == "not_active"


def test_the_log_alone_is_enough(place: Place, service: CaptureService) -> None:
    service.active_on_start = False
    streams = [{"rtstream_id": "rts-7", "name": "mic:file", "media_types": ["audio"]}]
    event = {"event": "capture_session.active", "capture_session_id": "cap-1", "data": {"rtstreams": streams}}
    with subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", *FILE, "--timeout", "20", "--json"],
        stdout=subprocess.PIPE,
        text=True,
        env=place.environment,
    ) as starting:
        wait_until(lambda: len(place.publishers()) == 2, 20, "the publishers")
        with (place.path / "videodb_events.jsonl").open("a") as log:
            log.write(json.dumps({"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.123, **event}) + "\n")
        out, _ = starting.communicate(timeout=30)
    assert starting.returncode == 0
    assert {c["channel_id"]: c["rtstream_id"] for c in json.loads(out)["channels"]}["mic:file"] == "rts-7"


def test_a_session_that_fails_says_why(place: Place, service: CaptureService) -> None:
    place.json(*FILE)
    service.error, service.status = {"code": "NO_CREDITS", "message": "out of credits"}, "failed"
    wait_until(lambda: place.info["status"] == "failed", 30, "the failure")
    assert place.info["error"] == {"code": "NO_CREDITS", "message": "the service ended the capture: out of credits"}
    assert place.run("capture", "status").returncode == 6
    assert place.publishers() == []


def test_an_interrupt_does_not_wait_for_a_service_that_hangs(place: Place, service: CaptureService) -> None:
    service.hangs = "/capture/session/start"
    with subprocess.Popen(
        [sys.executable, "-m", "videodb_cli", *FILE], stderr=subprocess.DEVNULL, env=place.environment
    ) as starting:
        wait_until(lambda: "POST /capture/session/start" in service.calls, 20, "the call")
        began = time.monotonic()
        starting.send_signal(signal.SIGINT)
        assert starting.wait(timeout=30) == 130
    assert time.monotonic() - began < 10
    assert not (place.path / "videodb_capture_pid").exists()


def test_a_service_that_does_not_take_the_session_up(place: Place, service: CaptureService) -> None:
    service.hangs = "/capture/session/start"
    assert refused(place, *FILE, "--timeout", "2", status=124)["code"] == "not_begun"


@pytest.mark.parametrize("unnamed", [{"display:file", "mic:file"}, {"mic:file"}])
def test_a_service_that_never_says_where_to_publish(place: Place, service: CaptureService, unnamed: set[str]) -> None:
    service.keeps_back = unnamed
    error = refused(place, *FILE, "--timeout", "2", status=124)
    assert error["code"] == "no_publish_url"
    assert error["message"] == f"the service did not say within 2 s where to publish {', '.join(sorted(unnamed))}"
    assert service.status == "stopped"


def test_no_connection_in_time_leaves_no_listener(place: Place) -> None:
    nowhere = f"http://127.0.0.1:{closed_port()}"
    started = ("capture", "start", "--source", str(VIDEO), "--timeout", "2", "--json")
    done = place.run(*started, VIDEO_DB_API=nowhere, VIDEO_DB_API_KEY="sk-test-0123456789")
    assert done.returncode == 124, done.stderr
    assert json.loads(done.stdout)["error"]["code"] == "not_connected"
    assert not (place.path / "videodb_ws_pid").exists()


def test_a_foreground_capture_that_fails_leaves_no_listener(tmp_path: Path) -> None:
    place = Place(tmp_path / "local", VIDEODB_LOCAL="1")
    try:
        command = ("capture", "start", "--foreground", "--give-up", "2", "--source", str(VIDEO))
        with subprocess.Popen(
            [sys.executable, "-m", "videodb_cli", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=place.environment,
        ) as capture:
            assert capture.stdout is not None
            assert b"active" in capture.stdout.readline()
            place.run("local", "stop")
            assert capture.wait(timeout=60) == 6
        assert not (place.path / "videodb_ws_pid").exists()
        assert len(place.named("capture.failed")) == 1
    finally:
        place.clean_up()


@pytest.mark.parametrize(("http", "status"), [(402, 6), (401, 3), (500, 5)])
def test_a_refusal_to_start(place: Place, service: CaptureService, http: int, status: int) -> None:
    service.refuse_start = (http, "no, because of a test")
    assert "because of a test" in refused(place, *FILE, status=status)["message"]


def test_a_service_that_forgets_the_session(place: Place, service: CaptureService) -> None:
    place.json(*FILE)
    service.forgets = True
    wait_until(lambda: place.info["status"] == "failed", 30, "the failure")
    assert place.info["error"]["code"] == "session_gone"
    assert place.publishers() == []


def test_an_embedded_service_that_ends_in_the_middle(tmp_path: Path) -> None:
    place = Place(tmp_path / "local", VIDEODB_LOCAL="1")
    try:
        place.json("capture", "start", "--source", str(VIDEO), "--give-up", "3")
        place.run("local", "stop")
        wait_until(lambda: place.info["status"] == "failed", 40, "the failure")
        assert place.publishers() == []
        place.run("capture", "stop")
        assert [event["data"]["capture_session_id"] for event in place.named("capture.failed")] == [
            place.info["session_id"]
        ]
        assert not (place.path / "videodb_ws_pid").exists()
    finally:
        place.clean_up()


def test_an_embedded_service_that_is_killed_and_comes_back_knows_the_session_no_longer(tmp_path: Path) -> None:
    place = Place(tmp_path / "local", VIDEODB_LOCAL="1")
    try:
        service = place.json("local", "start", "--detach")
        place.json("capture", "start", "--source", str(VIDEO), "--loop")
        os.kill(service["pid"], signal.SIGKILL)
        wait_until(lambda: start_token(service["pid"]) is None, 5, "the end of the service")
        place.json("local", "start", "--detach", "--port", service["url"].rsplit(":", 1)[1])
        # Not the 45 s for which a publisher goes on trying: nobody will ever take its media again.
        wait_until(lambda: place.info["status"] == "failed", 20, "the failure")
        assert place.info["error"]["code"] == "session_refused"
        assert place.publishers() == []
        assert place.run("capture", "status").returncode == 6
        wait_until(lambda: place.named("capture.failed"), 10, "capture.failed in the log")
        assert place.json("capture", "stop")["status"] == "failed"
        assert not (place.path / "videodb_ws_pid").exists()
        # And the next one works at once.
        place.json("capture", "start", "--source", str(VIDEO), "--loop")
        assert place.json("capture", "stop")["status"] == "exported"
    finally:
        place.clean_up()


# ---- media that do not come ------------------------------------------------------------------------------------------


def test_channels_without_media_are_told_as_stalled_and_as_resumed(tmp_path: Path) -> None:
    place = Place(tmp_path / "local", VIDEODB_LOCAL="1")
    frozen: set[int] = set()

    def told_of(event: str) -> set[str]:
        return {line["data"]["channel_id"] for line in place.named(event)}

    def is_told() -> bool:
        """Freeze each publisher as soon as it is there: the one of now, and the one that takes its place."""
        for pid in set(place.publishers()) - frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
                frozen.add(pid)
        return told_of("capture.stalled") == {"display:file", "mic:file"}

    try:
        place.json("capture", "start", "--source", str(VIDEO), "--loop")
        status = place.run("capture", "status").stdout
        assert "flowing · last frame 0." in status or "flowing · last frame 1." in status, status
        assert "last sound" in status
        # Paused channels bring black and silence: no stall, and none after it.
        place.json("capture", "pause")
        place.json("capture", "resume")
        wait_until(is_told, 40, "capture.stalled of both channels")
        channels = place.json("capture", "status")["channels"]
        assert [channel["stalled"] for channel in channels] == [True, True]
        assert all(channel["last_media_age_s"] >= 15 for channel in channels)
        assert "stalled · last sound" in place.run("status").stdout
        for pid in frozen:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        wait_until(lambda: told_of("capture.resumed") == {"display:file", "mic:file"}, 30, "capture.resumed")
        assert place.info["status"] == "active"
        for line in place.named("capture.resumed"):
            assert 15 <= line["data"]["seconds"] < 60
        place.json("capture", "stop")
        assert len(place.named("capture.stalled")) == len(place.named("capture.resumed")) == 2
        assert place.named("capture.failed") == []
    finally:
        place.clean_up()


# ---- a token that expires --------------------------------------------------------------------------------------------


def test_a_token_that_expires_in_the_middle_stops_nothing_but_the_stop_says_so(
    place: Place, service: CaptureService
) -> None:
    place.json(*FILE, "--loop")
    service.refuses_token = True
    os.kill(place.publishers()[0], signal.SIGKILL)  # it asks often now, and is refused each time
    wait_until(lambda: "401" in (place.info["service_trouble"] or ""), 20, "the refusal")
    wait_until(lambda: {c["state"] for c in place.info["channels"]} == {"flowing"}, 20, "the publisher's return")
    assert place.run("capture", "status").returncode == 0
    done = place.run("capture", "stop", "--json")
    assert done.returncode == 6
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "stop_refused"
    assert "the token has expired" in error["message"]
    assert place.publishers() == []
    assert place.info["status"] == "failed"


# ---- a full disk -----------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(path)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield
    finally:
        subprocess.run(["umount", str(path)], check=True)


def fill(path: Path) -> None:
    with path.open("ab", 0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    assert os.statvfs(path).f_bavail == 0


def test_a_disk_that_fills_up_with_recordings_fails_the_session_and_the_capture(tmp_path: Path) -> None:
    place = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    place.path.mkdir(mode=0o700)
    with small_disk(place.path / "local", "600k"):
        try:
            place.json("capture", "start", "--source", str(VIDEO), "--loop")
            wait_until(lambda: place.info["status"] == "failed", 60, "the failure")
            assert place.info["error"]["code"] == "INGEST_FAILED"
            assert "No space left on device" in place.info["error"]["message"]
            assert place.named("capture_session.failed")
            assert place.run("capture", "status").returncode == 6
            assert place.publishers() == []
            assert place.run("capture", "stop").returncode == 0
            assert not (place.path / "videodb_ws_pid").exists()
        finally:
            place.clean_up()


def test_a_full_disk_under_its_own_files_neither_ends_a_capture_nor_hides_it(
    place: Place, service: CaptureService
) -> None:
    with small_disk(place.path, "256k"):
        place.json(*FILE, "--loop")
        fill(place.path / "fill")
        os.kill(place.publishers()[0], signal.SIGKILL)
        # The state is written over in its place.
        wait_until(lambda: sum(c["restarts"] for c in place.info["channels"]) == 1, 20, "the restart in the state file")
        wait_until(lambda: {c["state"] for c in place.info["channels"]} == {"flowing"}, 20, "the publisher's return")
        assert place.run("capture", "status").returncode == 0
        refused_pause = place.run("capture", "pause")
        assert refused_pause.returncode == 6
        assert "videodb_capture_control.json: No space left on device" in refused_pause.stderr
        assert place.json("capture", "stop")["status"] == "stopped"
        assert place.publishers() == []
        # Now there is no file to write over.
        (place.path / "videodb_capture_info.json").unlink()
        fill(place.path / "fill")
        began = place.run(*FILE, "--loop")
        assert began.returncode == 6
        assert "No space left on device" in began.stderr
        assert "Traceback" not in began.stderr
        assert place.publishers() == []


def test_without_ffmpeg_it_exits_7_and_names_the_command(place: Place, tmp_path: Path) -> None:
    (tmp_path / "imageio_ffmpeg.py").write_text("raise ImportError('not installed')")
    done = place.run(*FILE, PYTHONPATH=str(tmp_path), PATH=str(tmp_path))
    assert done.returncode == 7
    assert "pip install" in done.stderr


# ---- the official recorder -------------------------------------------------------------------------------------------


@pytest.fixture
def official(tmp_path: Path) -> dict[str, str]:
    """The environment in which `videodb_capture_bin` is installed, and is our fake."""
    binary = tmp_path / "recorder"
    binary.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}"\n')
    binary.chmod(0o755)
    (tmp_path / "videodb_capture_bin.py").write_text(f"def get_binary_path():\n    return {str(binary)!r}\n")
    return {"PYTHONPATH": str(tmp_path), "FAKE_RECORDER_LOG": str(tmp_path / "commands.jsonl")}


def notes(official: dict[str, str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in Path(official["FAKE_RECORDER_LOG"]).read_text().splitlines()]


def assert_no_recorder(official: dict[str, str]) -> None:
    for note in notes(official):
        if "begin" in note:
            assert start_token(int(str(note["begin"]))) is None


def test_the_official_recorder_records_a_session(
    place: Place, service: CaptureService, official: dict[str, str]
) -> None:
    listed = place.run("capture", "channels", "--json", **official)
    assert [c["id"] for c in json.loads(listed.stdout)["mics"]] == ["mic:default", "mic:usb"]
    assert json.loads(listed.stdout)["recorder"] == "official"
    service.status = "active"
    done = place.run(*START, "--no-store", "--json", **official)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["recorder"] == "official"
    assert place.json("capture", "pause", "system_audio:default") == {
        "paused": ["system_audio:default"],
        "schema": 1,
    }
    assert place.json("capture", "stop")["status"] == "stopped"
    commands = [note["command"] for note in notes(official) if "command" in note]
    assert commands[-3:] == ["pauseTracks", "stopRecording", "shutdown"]
    assert [note["params"] for note in notes(official) if note.get("command") == "pauseTracks"] == [
        {"tracks": ["system_audio"]}
    ]
    assert TOKEN not in (place.path / "videodb_capture.log").read_text()
    assert_no_recorder(official)


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("deny", 6, "permission_denied"),
        ("busy", 9, "instance_already_running"),
        ("die@startRecording", 6, "recorder_died"),
        ("nonsense@startRecording die@startRecording", 6, "recorder_died"),
        ("close@startRecording stubborn", 6, "recorder_died"),
        ("silent@startRecording stubborn", 6, "not_started"),
        ("nostart", 6, "not_started"),
        ("token", 3, "invalid_token"),
    ],
)
def test_an_official_recorder_that_does_not_start(
    place: Place, service: CaptureService, official: dict[str, str], fault: str, status: int, code: str
) -> None:
    service.status = "active"
    limit = ("--timeout", "5") if code == "not_started" else ()
    error = refused(place, *START, "--no-store", *limit, status=status, **official, FAKE_RECORDER_FAULTS=fault)
    assert error["code"] == code
    assert_no_recorder(official)


def test_an_official_recorder_that_dies_later(place: Place, service: CaptureService, official: dict[str, str]) -> None:
    service.status = "active"
    done = place.run(*START, "--no-store", **official, FAKE_RECORDER_FAULTS="dieafter")
    if done.returncode == 0:
        wait_until(lambda: place.info["status"] == "failed", 20, "the failure")
    assert place.info["error"]["code"] == "recorder_died"
    assert place.run("capture", "status").returncode == 6
    assert_no_recorder(official)


@pytest.mark.parametrize("fault", ["nonsense@startRecording", "flood@startRecording", "big@startRecording"])
def test_an_official_recorder_that_babbles_or_floods_records_all_the_same(
    place: Place, service: CaptureService, official: dict[str, str], fault: str
) -> None:
    service.status = "active"
    place.json_with(official | {"FAKE_RECORDER_FAULTS": fault}, *START, "--no-store")
    assert (place.path / "videodb_capture.log").stat().st_size < 1 << 20
    assert place.json("capture", "stop")["status"] == "stopped"
    assert_no_recorder(official)


def test_an_official_recorder_that_hangs_at_the_stop_is_killed_in_time(
    place: Place, service: CaptureService, official: dict[str, str]
) -> None:
    service.status = "active"
    place.json_with(official | {"FAKE_RECORDER_FAULTS": "silent@stopRecording stubborn"}, *START, "--no-store")
    began = time.monotonic()
    assert place.json("capture", "stop")["status"] == "stopped"
    assert time.monotonic() - began < 60
    assert_no_recorder(official)
