"""A stream from source to files: what comes out can be played, whatever went in."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import av
import pytest

from tests.fakes.media_files import write_media
from videodb_cli.errors import (
    ConflictError,
    MissingDependencyError,
    NotFoundError,
    RefusedError,
    UnreachableError,
    UsageError,
    VideodbError,
)
from videodb_cli.local.analysis.base import AnalysisRecord, StreamState
from videodb_cli.local.media import live_stream as stream_module
from videodb_cli.local.media.live_stream import LiveStream

DEADLINE_S = 30


class Watched:
    """A stream with what it told."""

    def __init__(self, url: Path | str, directory: Path, **options: Any) -> None:
        self.states: list[StreamState] = []
        self.records: list[AnalysisRecord] = []
        self.over = threading.Event()
        self.directory = directory
        self.stream = LiveStream(str(url), directory, on_record=self.records.append, on_state=self._on_state, **options)

    def _on_state(self, state: StreamState) -> None:
        self.states.append(state)
        if state.status in ("ended", "failed"):
            self.over.set()

    def played(self) -> Watched:
        self.stream.start()
        assert self.over.wait(DEADLINE_S)
        return self


def _contents(path: Path) -> dict[str, tuple[str, int, float]]:
    """For each type of track: codec, decodable frames, seconds."""
    found: dict[str, tuple[str, int, float]] = {}
    for kind in ("video", "audio"):
        with av.open(str(path)) as container:
            for stream in container.streams:
                if stream.type == kind:
                    frames: list[Any] = list(container.decode(stream))
                    last = frames[-1]
                    length = (last.time or 0) - (frames[0].time or 0)
                    found[kind] = (stream.codec_context.name, len(frames), length)
                    break
    return found


SOURCES: dict[str, tuple[dict[str, object], dict[str, int]]] = {
    "copied.mp4": ({}, {"video": 10, "audio": 45}),
    "transport.ts": ({}, {"video": 10, "audio": 45}),
    "web.webm": ({"video": "libvpx", "audio": "libopus"}, {"video": 10, "audio": 45}),
    "odd.mov": ({"video": "mjpeg", "audio": "pcm_s16le", "size": (321, 181), "pixels": "yuvj420p"}, {"video": 10}),
    "deep.mkv": ({"pixels": "yuv444p10le", "audio": "flac"}, {"video": 10, "audio": 45}),
    "seldom_key_frames.mp4": ({"gop": 1000, "seconds": 5}, {"video": 50, "audio": 225}),
    "silent.mp4": ({"audio": None}, {"video": 10}),
    "sound.mp3": ({"video": None, "audio": "libmp3lame"}, {"audio": 45}),
    "sound.wav": ({"video": None, "audio": "pcm_s16le"}, {"audio": 45}),
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Watched]:
    """Every kind of source, played at the same time."""
    folder = tmp_path_factory.mktemp("media")
    watched = {
        name: Watched(write_media(folder / name, **options), folder / f"{name}.out")  # type: ignore[arg-type]
        for name, (options, _) in SOURCES.items()
    }
    for one in watched.values():
        one.stream.start()
    for one in watched.values():
        assert one.over.wait(DEADLINE_S)
    return watched


@pytest.mark.parametrize("name", SOURCES)
def test_playlist_recording_and_export_hold_h264_and_aac_whatever_the_source_is(
    name: str, played: dict[str, Watched], tmp_path: Path
) -> None:
    options, expected = SOURCES[name]
    watched = played[name]
    assert [state.status for state in watched.states] == ["connecting", "running", "ended"]
    length = watched.stream.export(tmp_path / "export.mp4")
    assert length == pytest.approx(float(str(options.get("seconds", 1))), abs=0.15)
    playlist = watched.directory / "index.m3u8"
    for path in (playlist, watched.directory / "stream.mp4", tmp_path / "export.mp4"):
        contents = _contents(path)
        for kind, count in expected.items():
            codec, frames, _ = contents[kind]
            assert codec == {"video": "h264", "audio": "aac"}[kind]
            assert frames >= count * 0.95
    assert playlist.read_text().rstrip().endswith("#EXT-X-ENDLIST")


def test_source_is_played_at_the_pace_of_the_wall_clock(tmp_path: Path) -> None:
    watched = Watched(write_media(tmp_path / "a.mp4", seconds=2), tmp_path / "out")
    began = time.monotonic()
    watched.played()
    assert 1.7 < time.monotonic() - began < 6


@pytest.mark.parametrize("step_s", [-3600.0, 3600.0, 1.7e9])
def test_a_clock_that_is_set_does_not_stop_the_playing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step_s: float
) -> None:
    looks: list[float] = []

    class Clocks:
        """The wall clock is set half a second after the first look at it."""

        monotonic = staticmethod(time.monotonic)

        @staticmethod
        def time() -> float:
            looks.append(time.monotonic())
            return time.time() + (step_s if looks[-1] - looks[0] > 0.5 else 0.0)

    watched = Watched(write_media(tmp_path / "a.mp4", seconds=2), tmp_path / "out")
    monkeypatch.setattr(stream_module, "time", Clocks)
    watched.played()
    assert [state.status for state in watched.states] == ["connecting", "running", "ended"]
    assert watched.stream._clock.zero == pytest.approx(time.time() + step_s, abs=20)


def test_playlist_can_be_played_while_it_grows(tmp_path: Path) -> None:
    watched = Watched(write_media(tmp_path / "a.mp4", seconds=20), tmp_path / "out")
    watched.stream.start()
    playlist = tmp_path / "out" / "index.m3u8"
    deadline = time.monotonic() + DEADLINE_S
    while not (playlist.is_file() and ".ts" in playlist.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert "#EXT-X-ENDLIST" not in playlist.read_text()
    segment = next(line for line in playlist.read_text().splitlines() if line.endswith(".ts"))
    assert set(_contents(tmp_path / "out" / segment)) == {"video", "audio"}
    watched.stream.stop()
    assert watched.states[-1] == StreamState("ended")
    assert watched.stream.export(tmp_path / "part.mp4") > 1
    watched.stream.stop()  # again: nothing happens
    assert len(watched.states) == 3


def test_export_of_a_span_by_seconds_and_by_the_wall_clock(tmp_path: Path) -> None:
    watched = Watched(write_media(tmp_path / "a.mp4", seconds=3.5), tmp_path / "out")
    began = time.time()
    watched.played()
    assert watched.stream.export(tmp_path / "b.mp4", start=1.5, end=3.0) == pytest.approx(1.5, abs=0.1)
    _, _, length = _contents(tmp_path / "b.mp4")["video"]
    assert length == pytest.approx(1.4, abs=0.15)
    by_clock = watched.stream.export(tmp_path / "c.mp4", start=began + 1, end=began + 2)
    assert by_clock == pytest.approx(1.0, abs=0.1)
    with pytest.raises(NotFoundError):
        watched.stream.export(tmp_path / "d.mp4", start=began + 1000, end=began + 1001)
    assert not (tmp_path / "d.mp4").exists()


def test_joined_transport_streams_play_through_the_seam(tmp_path: Path) -> None:
    one = write_media(tmp_path / "one.ts", seconds=1.5).read_bytes()
    joined = tmp_path / "joined.ts"
    joined.write_bytes(one + one)
    watched = Watched(joined, tmp_path / "out").played()
    assert watched.states[-1] == StreamState("ended")
    assert watched.stream.export(tmp_path / "x.mp4") == pytest.approx(3, abs=0.3)


def _bad_sources(folder: Path, good: Path) -> dict[str, tuple[str, type[VideodbError]]]:
    picture = write_media(folder / "picture.png", video="png", pixels="rgb24", audio=None, seconds=0.1)
    (folder / "empty.mp4").touch()
    (folder / "text.txt").write_text("just words\n" * 100)
    (folder / "noise.mp4").write_bytes(bytes(range(256)) * 200)
    (folder / "torn.mp4").write_bytes(good.read_bytes()[: good.stat().st_size // 3])
    (folder / "subtitles.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    (folder / "remote.m3u8").write_text("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:1/a.ts\n")
    return {
        "missing": (str(folder / "none.mp4"), NotFoundError),
        "file_as_directory": (str(good / "x.mp4"), NotFoundError),
        "directory": (str(folder), RefusedError),
        "device": ("/dev/zero", RefusedError),
        "empty": (str(folder / "empty.mp4"), RefusedError),
        "text": (str(folder / "text.txt"), RefusedError),
        "noise": (str(folder / "noise.mp4"), RefusedError),
        "torn": (str(folder / "torn.mp4"), RefusedError),
        "subtitles": (str(folder / "subtitles.srt"), RefusedError),
        "picture": (str(picture), RefusedError),
        "one_picture": (str(write_media(folder / "one.mp4", audio=None, seconds=0.1)), RefusedError),
        "remote_playlist": (str(folder / "remote.m3u8"), RefusedError),
        "nul": ("a\0b", RefusedError),
        "scheme": ("ftp://127.0.0.1/a.mp4", UsageError),
        "no_host": ("rtsp://", UsageError),
        "refused_http": ("http://127.0.0.1:1/a.mp4", UnreachableError),
        "refused_rtsp": ("rtsp://127.0.0.1:1/a", UnreachableError),
    }


KINDS = [
    *("missing", "file_as_directory", "directory", "device", "empty", "text", "noise", "torn", "subtitles"),
    *("picture", "one_picture"),
    *("remote_playlist", "nul", "scheme", "no_host", "refused_http", "refused_rtsp"),
]


@pytest.mark.parametrize("kind", KINDS)
def test_bad_source_is_one_clear_error(kind: str, tmp_path: Path) -> None:
    url, error = _bad_sources(tmp_path, write_media(tmp_path / "good.mp4"))[kind]
    watched = Watched(url, tmp_path / "out")
    with pytest.raises(error) as caught:
        watched.stream.start()
    assert len(str(caught.value)) < 200
    assert "\n" not in str(caught.value)
    assert [state.status for state in watched.states] == ["connecting", "failed"]
    watched.stream.stop()


def test_a_title_that_is_not_utf8_does_not_matter(tmp_path: Path) -> None:
    film = write_media(tmp_path / "a.mp4", title="Caf_ ___")
    data = film.read_bytes()
    assert b"Caf_ ___" in data
    film.write_bytes(data.replace(b"Caf_ ___", b"Caf\xe9 \xff\xfe\xfa"))
    assert Watched(film, tmp_path / "out").played().states[-1] == StreamState("ended", None)


def test_password_of_an_address_is_not_told(tmp_path: Path) -> None:
    watched = Watched("rtsp://admin:hunter2@127.0.0.1:1/live?key=hunter2", tmp_path / "out")
    with pytest.raises(UnreachableError) as caught:
        watched.stream.start()
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in str(watched.states)


def test_directory_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RefusedError) as caught:
        Watched(write_media(tmp_path / "a.mp4"), tmp_path / "file" / "out").stream.start()
    assert caught.value.code == "stream_directory"


def test_analysers_need_their_kind_of_media_a_running_stream_and_the_model(tmp_path: Path) -> None:
    silent = Watched(write_media(tmp_path / "silent.mp4", audio=None), tmp_path / "out")
    with pytest.raises(ConflictError):
        silent.stream.start_screen_index()
    silent.stream.start()
    with pytest.raises(RefusedError) as caught:
        silent.stream.start_transcription()
    assert caught.value.code == "no_audio"
    silent.stream.stop()
    with pytest.raises(ConflictError):
        silent.stream.start_screen_index()

    spoken = Watched(write_media(tmp_path / "a.mp4"), tmp_path / "out2", models_dir=tmp_path / "no models")
    spoken.stream.start()
    with pytest.raises(MissingDependencyError) as missing:
        spoken.stream.start_transcription()
    assert missing.value.code == "model_missing"
    assert missing.value.hint == "videodb local models install"
    assert spoken.over.wait(DEADLINE_S)


def test_no_thread_outlives_its_stream(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    Watched(write_media(tmp_path / "a.mp4"), tmp_path / "out").played().stream.stop()
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(DEADLINE_S)
    assert not [thread for thread in left if thread.is_alive()]
