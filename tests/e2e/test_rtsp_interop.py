"""The RTSP server between real publishers and real readers, which are other people's programs."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import imageio_ffmpeg
import pytest

from videodb_cli.local.rtsp.certificate import server_context
from videodb_cli.local.rtsp.relay import RelayChannel
from videodb_cli.local.rtsp.server import RtspServer

WHEEL = imageio_ffmpeg.get_ffmpeg_exe()
DEBIAN = "/usr/bin/ffmpeg"
FRAMES = 15  # at ten a second
H264 = ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", "10"]

debian = pytest.param(
    DEBIAN,
    id="debian",
    marks=[pytest.mark.system, pytest.mark.skipif(not shutil.which(DEBIAN), reason="needs Debian's ffmpeg")],
)
programs = pytest.mark.parametrize("program", [pytest.param(WHEEL, id="wheel"), debian])


class Told:
    """A channel of a running server, and what it told."""

    def __init__(self, server: RtspServer, wants: str) -> None:
        self.recorded = asyncio.Event()
        self.server = server
        self.channel: RelayChannel = server.relay.expect(
            wants, on_record=lambda _: self.recorded.set(), on_lost=self._end
        )
        self.url = server.own_url(self.channel.token)

    def _end(self, _: RelayChannel) -> None:
        self.server.relay.drop(self.channel)


@contextlib.asynccontextmanager
async def serving(directory: Path | None = None) -> AsyncIterator[RtspServer]:
    tls = server_context(directory) if directory is not None else None
    server = RtspServer(socket.create_server(("127.0.0.1", 0)), tls=tls)
    server.start()
    try:
        yield server
    finally:
        await server.close()


async def run(*command: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    try:
        _, said = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, said.decode()


def ffmpeg_publish(program: str, url: str, *options: str) -> tuple[str, ...]:
    source = f"testsrc=size=320x180:rate=10:duration={FRAMES / 10}"
    return (program, "-loglevel", "error", "-re", "-f", "lavfi", "-i", source, *H264, "-f", "rtsp", *options, url)


# In a process of its own: PyAV holds the interpreter's lock while it opens an output, and the server must answer.
PYAV_PUBLISHER = f"""
import sys, time
from fractions import Fraction
import av
import numpy as np

options = dict(pair.split("=") for pair in sys.argv[2:])
with av.open(sys.argv[1], "w", format="rtsp", options={{"rtsp_transport": "tcp", **options}}) as out:
    stream = out.add_stream("libx264", rate=10, options={{"preset": "ultrafast", "tune": "zerolatency"}})
    stream.width, stream.height, stream.pix_fmt = 320, 180, "yuv420p"
    stream.codec_context.time_base = Fraction(1, 10)
    for number in range({FRAMES}):
        frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), number * 10, np.uint8), "rgb24")
        frame.pts = number
        out.mux(stream.encode(frame))
        time.sleep(0.1)
    out.mux(stream.encode(None))
"""


def pyav_publish(url: str, *options: str) -> tuple[str, ...]:
    return (sys.executable, "-c", PYAV_PUBLISHER, url, *options)


def pyav_read(url: str, found: Callable[[int], None]) -> None:
    """Count the pictures; the options are those of the ingest."""
    import av

    options = {"rtsp_transport": "tcp", "analyzeduration": "1", "fpsprobesize": "0", "probesize": "32768"}
    count = 0
    with av.open(url, options=options, timeout=(12, 20)) as container:
        for packet in container.demux():
            if packet.size:
                count += len(packet.decode())
        count += len(container.streams.video[0].codec_context.decode(None))
    found(count)


async def read_while(told: Told, publishing: asyncio.Task[tuple[int, str]]) -> int:
    """The pictures that a PyAV reader sees which comes once there is something."""
    counts: list[int] = []
    await asyncio.wait_for(told.recorded.wait(), 20)
    reader = threading.Thread(target=pyav_read, args=(told.url, counts.append), daemon=True)
    reader.start()
    status, said = await publishing
    assert status == 0, said
    await asyncio.to_thread(reader.join, 20)
    return counts[0]


@programs
@pytest.mark.parametrize("transport", [["-rtsp_transport", "tcp"], []], ids=["tcp", "udp first"])
async def test_ffmpeg_publishes_every_frame(program: str, transport: list[str]) -> None:
    async with serving() as server:
        told = Told(server, "video")
        publishing = asyncio.ensure_future(run(*ffmpeg_publish(program, told.url, *transport)))
        assert await read_while(told, publishing) == FRAMES


async def test_pyav_publishes_every_frame() -> None:
    async with serving() as server:
        told = Told(server, "video")
        publishing = asyncio.ensure_future(run(*pyav_publish(told.url)))
        assert await read_while(told, publishing) == FRAMES


@programs
async def test_ffmpeg_reads(program: str, tmp_path: Path) -> None:
    async with serving() as server:
        told = Told(server, "video")
        target = tmp_path / "read.mp4"
        reading = asyncio.ensure_future(
            run(program, "-loglevel", "error", "-rtsp_transport", "tcp", "-i", told.url, "-c", "copy", str(target))
        )
        status, said = await run(*ffmpeg_publish(WHEEL, told.url, "-rtsp_transport", "tcp"))
        assert status == 0, said
        await reading
        counts: list[int] = []
        await asyncio.to_thread(pyav_read, str(target), counts.append)
        assert counts[0] >= FRAMES - 1  # ffmpeg 5.1 drops a frame with a stamp like the one before


@programs
async def test_a_stranger_is_refused(program: str) -> None:
    async with serving() as server:
        status, said = await run(*ffmpeg_publish(program, server.own_url("guess"), "-rtsp_transport", "tcp"))
        assert status != 0
        assert "403" in said


@programs
async def test_a_publisher_may_encrypt(program: str, tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        told = Told(server, "video")
        url = server.url(told.channel.token, "127.0.0.1")
        assert url.startswith("rtsps://")
        verified = ["-rtsp_transport", "tcp", "-tls_verify", "1", "-ca_file", str(tmp_path / "rtsp-cert.pem")]
        publishing = asyncio.ensure_future(run(*ffmpeg_publish(program, url, *verified)))
        assert await read_while(told, publishing) == FRAMES  # in the clear, on the same port


async def test_a_certificate_that_is_not_known_is_not_trusted(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        told = Told(server, "video")
        url = server.url(told.channel.token, "127.0.0.1")
        status, said = await run(*ffmpeg_publish(WHEEL, url, "-rtsp_transport", "tcp"))
        assert status != 0
        assert "certificate" in said
        assert told.channel.publishers == 0


async def test_pyav_may_encrypt(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        told = Told(server, "video")
        url = server.url(told.channel.token, "127.0.0.1")
        publishing = asyncio.ensure_future(run(*pyav_publish(url, "tls_verify=0")))
        assert await read_while(told, publishing) == FRAMES
