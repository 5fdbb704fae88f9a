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

from videodb_cli.local.server import Running, running

MIC = {"channel_id": "mic:default", "channel_name": "Mic", "type": "audio", "store": True, "is_primary": False}
SYSTEM = {"channel_id": "system_audio:default", "channel_name": "System", "type": "audio", "store": True}
DISPLAY = {"channel_id": "display:1", "channel_name": "Screen", "type": "video", "store": True, "is_primary": True}


class Publisher:
    """An ffmpeg child that publishes a test picture or tone until told to stop."""

    def __init__(self, url: str, source: str, *codec: str, exe: str = imageio_ffmpeg.get_ffmpeg_exe()) -> None:
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
    return videodb.connect(api_key=service.key, base_url=service.url)


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
