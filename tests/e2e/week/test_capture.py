"""Sources that are no films, and what is left to stop when nothing runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.e2e.place import Place
from tests.e2e.program import VIDEODB, eventually
from tests.fakes.capture_service import CaptureService
from tests.fakes.media_files import write_media

Make = Callable[[Path], object]
WEB = "https://user:secret@example.com/film.mp4?token=secret"
NOT_MEDIA = "cannot be played: it is not a video or a sound recording, or it is damaged"
STILL = "cannot be played: it is a still picture"


def one(codec: str, pixels: str) -> Make:
    return lambda path: write_media(path, video=codec, pixels=pixels, audio=None, seconds=0.1)


def film(**settings: object) -> Make:
    return lambda path: write_media(path, **settings)  # type: ignore[arg-type]


def bytes_of(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def cut(share: float, **settings: object) -> Make:
    def write(path: Path) -> None:
        write_media(path, **settings)  # type: ignore[arg-type]
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * share)])

    return write


def nothing(_: Path) -> None:
    pass


# What lies there, how it is named (FILE: by its path), the exit status, and the sentence after the name.
REFUSED: dict[str, tuple[Make, str, int, str]] = {
    "picture.png": (one("png", "rgb24"), "FILE", 6, STILL),
    "picture.jpg": (one("mjpeg", "yuvj420p"), "FILE", 6, STILL),
    "picture.gif": (one("gif", "rgb8"), "FILE", 6, STILL),
    "picture.webp": (one("libwebp", "yuv420p"), "FILE", 6, STILL),
    "picture.mjpeg": (one("mjpeg", "yuvj420p"), "FILE", 6, STILL),
    "one picture.mp4": (one("libx264", "yuv420p"), "FILE", 6, STILL),
    "one picture.webm": (one("libvpx", "yuv420p"), "FILE", 6, STILL),
    "blink.mp4": (film(seconds=0.2), "FILE", 6, "cannot be played: it is over after 0.2"),
    "empty.mp4": (bytes_of(b""), "FILE", 6, "cannot be played: it is empty"),
    "directory.mp4": (Path.mkdir, "FILE", 6, "cannot be played: it is a directory"),
    "fifo.mp4": (os.mkfifo, "FILE", 6, "cannot be played: it is not a regular file"),
    "notes.txt": (bytes_of(b"what was said\n" * 99), "FILE", 6, NOT_MEDIA),
    "text.mp4": (bytes_of(b"what was said\n" * 99), "FILE", 6, NOT_MEDIA),
    "words.srt": (bytes_of(b"1\n00:00:01,000 --> 00:00:02,000\nhi\n"), "FILE", 6, NOT_MEDIA),
    "list.ffconcat": (bytes_of(b"ffconcat version 1.0\nfile other.mp4\n"), "FILE", 6, NOT_MEDIA),
    "noise.mp4": (bytes_of(bytes(range(256)) * 99), "FILE", 6, NOT_MEDIA),
    "torn.mp4": (cut(0.5), "FILE", 6, NOT_MEDIA),
    "missing.mp4": (nothing, "FILE", 4, "no such file: "),
    "nobody's": (nothing, "~nobody-of-this-name/film.mp4", 4, "no such file: "),
    "home": (nothing, "~/no film.mp4", 4, "no such file: "),
    "stdin": (nothing, "-", 2, "a file, and standard input is none"),
    "web": (nothing, WEB, 2, "a file, not an address: https://example.com/film.mp4"),
    "camera": (nothing, "rtsp://127.0.0.1/live", 2, "a file, not an address: rtsp://127.0.0.1/live"),
    "elsewhere": (nothing, "file://other.example/film.mp4", 2, "a file of this machine, not of other.example"),
}  # fmt: skip


@pytest.fixture
def service() -> Iterator[CaptureService]:
    with CaptureService() as found:
        yield found


@pytest.mark.parametrize("name", REFUSED)
def test_a_source_that_is_no_film_is_refused_at_once_in_one_sentence(
    name: str, tmp_path: Path, service: CaptureService
) -> None:
    make, given, status, sentence = REFUSED[name]
    file = tmp_path / name
    make(file)
    place = Place(tmp_path / "events", VIDEO_DB_API=service.url, VIDEO_DB_API_KEY="sk-test")
    source = str(file) if given == "FILE" else given
    said = []
    for command in (
        ["capture", "start", f"--source={source}"],
        ["capture", "channels", f"--source={source}"],
        ["demo", source],
    ):
        done = place.run(*command)
        error, *hints = [line for line in done.stderr.splitlines() if not line.startswith("created ")]
        assert (done.returncode, done.stdout) == (status, ""), done.stderr
        assert sentence in error
        assert all(hint.startswith("hint: ") for hint in hints), hints
        assert "secret" not in done.stderr
        said.append(error.replace("demo plays", "--source takes"))
    assert len(set(said)) == 1, "one probe, one sentence"
    assert service.calls == []
    assert not list(place.path.glob("videodb_*")), "neither a listener nor a capture"


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="root may read everything")
def test_a_file_that_may_not_be_read(tmp_path: Path) -> None:
    file = write_media(tmp_path / "secret.mp4")
    file.chmod(0)
    mortal = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    place = Place(tmp_path / "events")
    for command in (["capture", "channels", "--source", str(file)], ["demo", str(file)]):
        done = subprocess.run(
            [*mortal, VIDEODB, *command],
            env=place.environment, capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (6, "")
        assert f"error: {file} cannot be played: permission denied" in done.stderr.splitlines()


# What lies there, how it is named, and the channels that it offers.
PLAYED: dict[str, tuple[Make, str, list[str]]] = {
    "film.mp4": (film(), "FILE", ["display:file", "mic:file"]),
    "half a second.mp4": (film(seconds=0.5), "FILE", ["display:file", "mic:file"]),
    "silent.webm": (film(video="libvpx", audio=None), "FILE", ["display:file"]),
    "sound.wav": (film(video=None, audio="pcm_s16le"), "FILE", ["mic:file"]),
    "cover.mp4": (film(pictures=1), "FILE", ["mic:file"]),
    "animated.gif": (film(video="gif", pixels="rgb8", audio=None), "FILE", ["display:file"]),
    "many pictures.mjpeg": (film(video="mjpeg", pixels="yuvj420p", audio=None), "FILE", ["display:file"]),
    "torn but playable.mp4": (cut(0.7, options={"movflags": "faststart"}), "FILE", ["display:file", "mic:file"]),
    "a url: 100%.mp4": (film(), "file://", ["display:file", "mic:file"]),
    "~tilde.mp4": (film(), "~tilde.mp4", ["display:file", "mic:file"]),
    "in a home.mp4": (film(), "~/in a home.mp4", ["display:file", "mic:file"]),
}  # fmt: skip


@pytest.mark.parametrize("name", PLAYED)
def test_a_source_that_is_one_offers_its_channels(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, given, channels = PLAYED[name]
    make(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    source = str(tmp_path / name) if given == "FILE" else (tmp_path / name).as_uri() if given == "file://" else given
    place = Place(tmp_path / "events", HOME=str(tmp_path))
    listing = place.json("capture", "channels", f"--source={source}")
    assert [channel["id"] for kind in ("displays", "mics") for channel in listing[kind]] == channels


# ---- what there is to stop when nothing runs -------------------------------------------------------------------------

NOTHING = {"stopped": False, "session_id": None, "status": None, "schema": 1}
EXPORTED = {
    "status": "exported",
    "session_status": "exported",
    "exported_video_id": "m-old",
    "player_url": "http://old",
}
DIED = {"code": "capture_died_and_was_stopped", "message": "the background process (pid 1) died"}
# The state that an earlier capture has left (None: none ever ran), and the sentence on stderr.
LEFT: dict[str, tuple[Mapping[str, object] | None, str]] = {
    "no directory": (None, "no capture runs here"),
    "stopped and told": (EXPORTED, "no capture runs here · the last one, cap-1, is exported: videodb capture status"),
    "ended by itself": (EXPORTED | {"outcome_due": False}, "the last one, cap-1, is exported"),
    "nothing was stored": ({"status": "stopped"}, "the last one, cap-1, is stopped"),
    "failed, and nothing is left": ({"status": "failed", "error": {"code": "lost", "message": "m"}}, "is failed"),
    "died, and was stopped": (EXPORTED | {"error": DIED}, "is exported"),
}


def leave(place: Place, members: Mapping[str, object]) -> None:
    place.path.mkdir(mode=0o700, exist_ok=True)
    state = {"v": 1, "pid": 1, "session_id": "cap-1", "collection_id": "default", "channels": [{"store": True}]}
    (place.path / "videodb_capture_info.json").write_text(json.dumps({**state, **members}))


@pytest.mark.parametrize("name", LEFT)
def test_a_stop_with_nothing_running_prints_nothing_of_an_earlier_capture(name: str, tmp_path: Path) -> None:
    members, sentence = LEFT[name]
    place = Place(tmp_path / "events")
    if members is not None:
        leave(place, members)
    done = place.run("capture", "stop")
    assert (done.returncode, done.stdout) == (0, "")
    assert sentence in done.stderr
    assert "m-old" not in done.stderr
    assert place.json("capture", "stop") == NOTHING
    both = place.run("stop")
    assert (both.returncode, both.stdout, both.stderr) == (0, "", "nothing runs here\n")


def test_what_a_stop_that_was_given_up_has_not_told_the_next_one_tells_once(tmp_path: Path) -> None:
    place = Place(tmp_path / "events")
    leave(place, EXPORTED | {"outcome_due": True})
    assert place.json("capture", "stop")["exported_video_id"] == "m-old"
    assert place.json("capture", "stop") == NOTHING


def test_after_a_start_that_failed_there_is_nothing_to_stop(tmp_path: Path) -> None:
    place = Place(tmp_path / "events")
    leave(place, EXPORTED | {"outcome_due": True})
    sound = write_media(tmp_path / "sound.wav", video=None, audio="pcm_s16le")
    assert place.run("capture", "start", "--source", str(sound)).returncode == 3, "there is no key"
    assert place.json("capture", "stop") == NOTHING


def test_status_says_that_none_runs_before_it_tells_of_the_last_one(tmp_path: Path) -> None:
    place = Place(tmp_path / "events")
    leave(place, EXPORTED)
    done = place.run("capture", "status")
    assert done.returncode == 4
    assert done.stdout.splitlines()[0] == "capture            none runs · the last one: cap-1 exported"
    assert place.json("capture", "status", expect=4)["running"] is False
    assert "capture" not in place.run("status").stdout


def test_two_stops_at_once_tell_the_same_and_a_third_tells_nothing(tmp_path: Path) -> None:
    place = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    sound = write_media(tmp_path / "sound.wav", video=None, audio="pcm_s16le", seconds=60)
    try:
        began = place.json("capture", "start", "--source", str(sound))
        stops = [
            subprocess.Popen([VIDEODB, "capture", "stop", "--json"], env=place.environment, stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        told = [json.loads(stop.communicate(timeout=60)[0]) for stop in stops]
        assert [stop.returncode for stop in stops] == [0, 0]
        assert [one["session_id"] for one in told] == [began["session_id"]] * 2
        assert told[0]["exported_video_id"] == told[1]["exported_video_id"] is not None
        assert place.json("capture", "stop") == NOTHING
    finally:
        place.clean_up()


@pytest.mark.parametrize(("age_s", "note"), [(7300, "this came 2 h 01 min ago: --session last is cap-1\n"), (1, "")])
def test_a_wait_says_how_old_the_last_session_is(age_s: float, note: str, tmp_path: Path) -> None:
    place = Place(tmp_path / "events")
    place.path.mkdir(mode=0o700)
    event = {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": time.time() - age_s, "channel": "capture_session"}
    event |= {
        "event": "capture_session.exported",
        "capture_session_id": "cap-1",
        "data": {"exported_video_id": "m-old"},
    }
    (place.path / "videodb_events.jsonl").write_text(json.dumps(event) + "\n")
    done = place.run("events", "wait", "--event", "exported", "--session", "last", "--timeout", "5")
    assert (done.returncode, json.loads(done.stdout)["unix_ts"]) == (0, event["unix_ts"])
    assert done.stderr == note


def test_a_stop_that_is_given_up_is_made_good_by_the_next_one(tmp_path: Path) -> None:
    place = Place(tmp_path / "events", VIDEODB_LOCAL="1")
    sound = write_media(tmp_path / "sound.wav", video=None, audio="pcm_s16le", seconds=60)
    try:
        began = place.json("capture", "start", "--source", str(sound))
        assert place.run("capture", "stop", "--timeout", "0.1").returncode == 124
        eventually(lambda: not (place.path / "videodb_capture_pid").exists(), 60, "the end of the capture")
        told = place.json("capture", "stop")
        assert told["session_id"] == began["session_id"]
        assert told["exported_video_id"]
        assert place.json("capture", "stop") == NOTHING
    finally:
        place.clean_up()
