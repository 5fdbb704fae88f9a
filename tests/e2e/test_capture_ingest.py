"""Capture sessions with real media: ffmpeg publishes, the official SDK watches, PyAV reads what comes out."""

import asyncio
import contextlib
import subprocess
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import pytest
import videodb
from videodb.exceptions import InvalidRequestError

from tests.e2e.description import Description
from videodb_cli.local.http.server import Running, running
from videodb_cli.local.rtsp.relay import BACKLOG_AFTER_READER_S

MIC = {"channel_id": "mic:default", "channel_name": "Mic", "type": "audio", "store": True, "is_primary": False}
SYSTEM = {"channel_id": "system_audio:default", "channel_name": "System", "type": "audio", "store": True}
DISPLAY = {"channel_id": "display:1", "channel_name": "Screen", "type": "video", "store": True, "is_primary": True}


class Publisher:
    """An ffmpeg child that publishes a test picture or tone until told to stop."""

    def __init__(self, url: str, source: str, *codec: str, trusted: Path | None = None) -> None:
        exe = imageio_ffmpeg.get_ffmpeg_exe()
        if trusted is not None:
            codec = (*codec, "-ca_file", str(trusted))
        command = [exe, "-hide_banner", "-loglevel", "error", "-re", "-f", "lavfi", "-i", source, *codec]
        self.process = subprocess.Popen(
            [*command, "-f", "rtsp", "-rtsp_transport", "tcp", url], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def quit(self) -> int:
        """Ask it to end, as a recorder does; its exit status."""
        self.process.communicate(b"q", timeout=20)
        return self.process.returncode

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def picture(url: str, **options: Any) -> Publisher:
    codec = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10"]
    return Publisher(url, "testsrc=size=320x180:rate=10", *codec, **options)


def tone(url: str, hertz: int, **options: Any) -> Publisher:
    return Publisher(url, f"sine=frequency={hertz}:sample_rate=48000", "-c:a", "aac", "-b:a", "64k", **options)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path / "local") as found:
        yield found


@pytest.fixture
def conn(service: Running) -> Any:
    conn = videodb.connect(api_key=service.key, base_url=service.url)
    conn.session.hooks["response"].append(Description().on_response)
    return conn


@pytest.fixture
def publishers() -> Iterator[list[Publisher]]:
    started: list[Publisher] = []
    yield started
    for publisher in started:
        publisher.kill()


class Session:
    """A session with its events, and the recorder's side of it."""

    def __init__(self, conn: Any, socket: Any) -> None:
        self.conn = conn
        self.socket = socket
        self.events: list[dict[str, Any]] = []
        self.id = ""

    async def create(self, **options: Any) -> None:
        session = await asyncio.to_thread(
            self.conn.create_capture_session,
            end_user_id="user-1",
            ws_connection_id=self.socket.connection_id,
            **options,
        )
        self.id = session.id

    async def start(self, *channels: dict[str, Any]) -> dict[str, str]:
        """The addresses to publish to, by channel id."""
        token = await asyncio.to_thread(self.conn.generate_client_token)
        self.recorder = videodb.connect(session_token=token, base_url=self.conn.base_url)
        body = {"session_id": self.id, "channels": list(channels)}
        started = await asyncio.to_thread(self.recorder.post, path="capture/session/start", data=body)
        assert started["status"] == "starting"
        self.started = started
        seen = await asyncio.to_thread(self.recorder.get, path=f"capture/session/{started['streaming_session_id']}")
        assert seen["channels"] == started["channels"]
        return {channel["channel_id"]: channel["rtsp_url"] for channel in started["channels"]}

    async def until(self, status: str, within_s: float = 30) -> dict[str, Any]:
        async with asyncio.timeout(within_s):
            async for event in self.socket.receive():
                self.events.append(event)
                if event.get("event") == f"capture_session.{status}":
                    return dict(event)
        raise AssertionError("the socket ended")

    async def stop(self) -> None:
        await asyncio.to_thread(self.recorder.post, path=f"capture/session/{self.id}/stop", data={})


@contextlib.asynccontextmanager
async def session_of(conn: Any, **options: Any) -> AsyncIterator[Session]:
    async with await asyncio.to_thread(conn.connect_websocket) as socket:
        session = Session(conn, socket)
        await session.create(**options)
        yield session


async def test_a_session_from_start_to_stopped(conn: Any, publishers: list[Publisher]) -> None:
    async with session_of(conn) as session:
        urls = await session.start(MIC, DISPLAY)
        began = time.monotonic()
        publishers += [tone(urls["mic:default"], 440), picture(urls["display:1"])]
        active = await session.until("active")
        assert time.monotonic() - began < 15
        assert [(item["name"], item["media_types"]) for item in active["data"]["rtstreams"]] == [
            ("mic:default", ["audio"]),
            ("display:1", ["video"]),
        ]
        seen = await asyncio.to_thread(conn.get_capture_session, session.id)
        assert seen.status == "active"
        assert [stream.id for stream in seen.get_rtstream("mic")] == [active["data"]["rtstreams"][0]["rtstream_id"]]
        assert [stream.name for stream in seen.get_rtstream("screen")] == ["display:1"]
        await session.stop()
        assert (await session.until("stopping"))["status"] == "stopping"
        assert [publisher.quit() for publisher in publishers] == [0, 0]
        await session.until("stopped")
        with pytest.raises(InvalidRequestError, match="stopped: start it first"):
            await asyncio.to_thread(seen.get_rtstream("mic")[0].start_transcript)


async def test_the_export_holds_the_picture_and_all_sound_at_its_time(conn: Any, publishers: list[Publisher]) -> None:
    async with session_of(conn) as session:
        urls = await session.start(MIC, SYSTEM, DISPLAY)
        began = time.time()
        publishers += [picture(urls["display:1"]), tone(urls["mic:default"], 440)]
        await asyncio.sleep(1.5)  # the second sound comes later, and must stay later
        late = time.time()
        publishers += [tone(urls["system_audio:default"], 1760)]
        await session.until("active")
        await asyncio.sleep(2)
        length = time.time() - began
        await session.stop()
        exported = await session.until("exported")
        assert [event["status"] for event in session.events[-4:]] == ["active", "stopping", "stopped", "exported"]
        seen = await asyncio.to_thread(conn.get_capture_session, session.id)
        assert seen.status == seen.export_status == "exported"
        assert seen.exported_video_id == exported["data"]["exported_video_id"]
        polled = await asyncio.to_thread(seen.export)
        assert polled["export_status"] == "exported"
        assert polled["video_id"] == seen.exported_video_id
        stream_url = exported["data"]["stream_url"]
        assert polled["stream_url"] == stream_url
        for url in (stream_url, stream_url.replace("index.m3u8", "export.mp4")):
            duration, tones = await asyncio.to_thread(listen, url)
            assert duration == pytest.approx(length, abs=1.5)
            heard_late = [second for second, found in tones if 1760 in found]
            assert heard_late[0] == pytest.approx(late - began, abs=0.6)
            assert all(440 in found for _, found in tones[5:-5])
        coll = await asyncio.to_thread(conn.get_collection)
        video = await asyncio.to_thread(coll.get_video, seen.exported_video_id)
        assert (video.stream_url, video.player_url) == (stream_url, exported["data"]["player_url"])
        assert video.length == pytest.approx(length, abs=1.5)
        spans = await asyncio.to_thread(video.generate_stream, [(2.2, video.length), (0, 1)])
        _, tones = await asyncio.to_thread(listen, spans)
        assert len(tones) / 10 == pytest.approx(video.length, abs=1), "segments that touch the spans, in a row"
        assert 1760 in tones[3][1], "the late span is played first"
        assert 1760 not in tones[-8][1]
        image = await asyncio.to_thread(video.generate_thumbnail, 1.5)
        first = await asyncio.to_thread(video.generate_thumbnail)
        for url in (image.url, first):
            assert await asyncio.to_thread(picture_size, url) == ("mjpeg", 320, 180)
        assert image.id.startswith("img-")
        raw = {}
        for stream in seen.rtstreams:
            shape = await asyncio.to_thread(conn.get, path=f"rtstream/{stream.id}")
            raw[stream.name] = shape["exported_asset_id"]
        assert {video.id for video in await asyncio.to_thread(coll.get_videos)} == {video.id, raw["display:1"]}
        assert {audio.id for audio in await asyncio.to_thread(coll.get_audios)} == {
            raw["mic:default"],
            raw["system_audio:default"],
        }
        system = await asyncio.to_thread(coll.get_audio, raw["system_audio:default"])
        duration, tones = await asyncio.to_thread(listen, await asyncio.to_thread(system.generate_url), "aac")
        assert duration == pytest.approx(system.length, abs=0.5)
        assert all(440 not in found for _, found in tones)
        mic = next(stream for stream in seen.rtstreams if stream.name == "mic:default")
        assert (await asyncio.to_thread(mic.export)).video_id == raw["mic:default"]


async def test_what_is_not_stored_is_not_exported(conn: Any, publishers: list[Publisher]) -> None:
    async with session_of(conn) as session:
        urls = await session.start({**MIC, "store": False})
        publishers += [tone(urls["mic:default"], 440)]
        await session.until("active")
        seen = await asyncio.to_thread(conn.get_capture_session, session.id)
        with pytest.raises(InvalidRequestError, match="stop it before the export"):
            await asyncio.to_thread(seen.export)
        await session.stop()
        await session.until("stopped")
        with pytest.raises(InvalidRequestError, match="No recordings"):
            await asyncio.to_thread(seen.export)
        assert (await asyncio.to_thread(conn.get_capture_session, session.id)).export_status is None


async def test_a_second_picture_is_exported_when_asked_for(conn: Any, publishers: list[Publisher]) -> None:
    async with session_of(conn) as session:
        second = {**DISPLAY, "channel_id": "display:2", "is_primary": False}
        urls = await session.start(DISPLAY, second)
        publishers += [picture(url) for url in urls.values()]
        await session.until("active")
        await asyncio.sleep(1)
        await session.stop()
        exported = await session.until("exported")
        seen = await asyncio.to_thread(conn.get_capture_session, session.id)
        polled: dict[str, Any] = {}
        async with asyncio.timeout(20):
            while polled.get("export_status") != "exported":
                polled = await asyncio.to_thread(seen.export, video_channel_id="display:2")
                assert polled["video_channel_id"] == "display:2"
                assert polled["export_status"] in {"exporting", "exported"}
        assert polled["video_id"] != exported["data"]["exported_video_id"]
        with pytest.raises(InvalidRequestError, match="no video channel"):
            await asyncio.to_thread(seen.export, video_channel_id="mic:default")


async def test_a_publisher_that_comes_back_goes_on_in_the_same_recording(
    conn: Any, publishers: list[Publisher]
) -> None:
    async with session_of(conn) as session:
        urls = await session.start(MIC, DISPLAY)
        began = time.time()
        publishers += [picture(urls["display:1"]), tone(urls["mic:default"], 440)]
        await session.until("active")
        publishers[1].kill()
        await asyncio.sleep(1)
        publishers += [tone(urls["mic:default"], 440)]
        await asyncio.sleep(2)
        seen = await asyncio.to_thread(conn.get_capture_session, session.id)
        assert seen.status == "active"
        length = time.time() - began
        await session.stop()
        latest = time.time() - began
        exported = await session.until("exported")
        duration, tones = await asyncio.to_thread(listen, exported["data"]["stream_url"])
        assert length - 1.5 < duration < latest + 1.5
        silent = [second for second, found in tones if not found]
        assert silent, "the hole is heard as silence"
        assert tones[-6][1] == {440}


async def test_a_stream_that_is_stopped_and_started_again_loses_nothing(conn: Any, publishers: list[Publisher]) -> None:
    async with session_of(conn) as session:
        urls = await session.start(MIC, DISPLAY)
        began = time.time()
        publishers += [picture(urls["display:1"]), tone(urls["mic:default"], 440)]
        await session.until("active")
        seen = await asyncio.to_thread(conn.get_capture_session, session.id)
        streams = [seen.get_rtstream(category)[0] for category in ("screen", "mic")]
        await asyncio.sleep(3)
        for stream in streams:
            await asyncio.to_thread(stream.stop)
        # Sooner, its reader would be given the beginning again.
        await asyncio.sleep(max(0.0, began + BACKLOG_AFTER_READER_S + 2 - time.time()))
        for stream in streams:
            await asyncio.to_thread(stream.start)
        await asyncio.sleep(4)
        length = time.time() - began
        await session.stop()
        latest = time.time() - began
        exported = await session.until("exported")
        duration, tones = await asyncio.to_thread(listen, exported["data"]["stream_url"])
        assert length - 1.5 < duration < latest + 1.5
        heard = [bool(found) for _, found in tones]
        assert heard[2]
        assert not all(heard), "what was not recorded is silent"
        assert heard[-3]
        joined = await asyncio.to_thread(streams[1].export)
        assert 4 < joined.duration < latest - 3
        picture_too = await asyncio.to_thread(streams[0].export)
        assert picture_too.duration == pytest.approx(joined.duration, abs=1.5)


async def test_a_session_whose_channels_do_not_come_fails(tmp_path: Path, publishers: list[Publisher]) -> None:
    with running(tmp_path / "own", channels_timeout_s=1.5) as service:
        own = videodb.connect(api_key=service.key, base_url=service.url)
        async with session_of(own) as session:
            urls = await session.start(MIC, DISPLAY)
            publishers += [picture(urls["display:1"])]
            failed = await session.until("failed")
            assert failed["data"]["error"]["code"] == "CHANNELS_NOT_CONNECTED"
            assert "mic:default" in failed["data"]["error"]["message"]
            assert "display:1" not in failed["data"]["error"]["message"]
            await asyncio.to_thread(publishers[0].process.wait, 15)  # its channel is gone
            late = tone(urls["mic:default"], 440)
            assert "403" in late.process.communicate(timeout=15)[1].decode()


async def test_a_session_that_lost_its_recorder_is_stopped_and_exported(
    service: Running, conn: Any, publishers: list[Publisher]
) -> None:
    service.service.intake.abandoned_after_s = 0.5
    async with session_of(conn) as session:
        urls = await session.start(DISPLAY)
        publishers += [picture(urls["display:1"])]
        await session.until("active")
        await asyncio.sleep(1)
        publishers[0].kill()
        await session.until("stopped")
        await session.until("exported")


def picture_size(url: str) -> tuple[str, int, int]:
    import av

    with av.open(url) as image:
        frame = next(image.decode(video=0))
        return image.streams.video[0].codec_context.name, frame.width, frame.height


def listen(url: str, *codecs: str) -> tuple[float, list[tuple[float, set[int]]]]:
    """The duration of a film in seconds, and which of two tones are heard in it, for each tenth of a second."""
    import av
    import numpy as np

    with av.open(url) as film:
        assert {stream.codec_context.name for stream in film.streams} == set(codecs or ("h264", "aac"))
        times: list[float] = []
        samples: list[Any] = []
        first: float | None = None
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16_000)
        for packet in film.demux():
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    times.append(frame.time or 0.0)
                elif isinstance(frame, av.AudioFrame):
                    first = frame.time if first is None else first
                    samples += [piece.to_ndarray().reshape(-1) for piece in resampler.resample(frame)]
    sound = np.concatenate(samples)
    times = times or [0.0, sound.size / 16_000 - 0.1]
    start = (first or 0.0) - times[0]
    found: list[tuple[float, set[int]]] = []
    for at in range(0, sound.size - 1600, 1600):
        spectrum = np.abs(np.fft.rfft(sound[at : at + 1600])) / 800
        found.append((start + at / 16_000, {hertz for hertz in (440, 1760) if spectrum[hertz // 10] > 0.02}))
    return times[-1] - times[0] + 0.1, found


async def test_a_session_that_is_published_encrypted(tmp_path: Path, publishers: list[Publisher]) -> None:
    import hashlib
    import ssl
    from urllib.parse import urlsplit

    with running(tmp_path / "own", rtsps=True) as service:
        own = videodb.connect(api_key=service.key, base_url=service.url)
        async with session_of(own) as session:
            urls = await session.start(MIC)
            assert urls["mic:default"].startswith("rtsps://127.0.0.1:")
            port = urlsplit(urls["mic:default"]).port
            assert port is not None
            pem = await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))
            assert hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest() == session.started["ssl_certificate_hash"]
            (tmp_path / "trusted.pem").write_text(pem)
            publishers += [tone(urls["mic:default"], 440, trusted=tmp_path / "trusted.pem")]
            await session.until("active")
            await session.stop()
            await session.until("exported")
