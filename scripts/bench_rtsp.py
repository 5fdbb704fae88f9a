"""What the RTSP relay costs and how late its pictures are: CPU of its process, and publisher → decoded frame.

``python scripts/bench_rtsp.py [--seconds 10]``. The publisher is ffmpeg (libx264 ultrafast, zerolatency, 720p), the
reader is PyAV with the options of the ingest; both run outside the relay's process. Latency is measured on pictures
that turn from black to white once a second: from the moment when the white picture is given to ffmpeg to the moment
when Python has it decoded, the encoder's time included.
"""

import argparse
import os
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import imageio_ffmpeg

WIDTH, HEIGHT = 1280, 720
RELAY = """
import asyncio, socket, sys
from videodb_cli.local.rtsp.server import RtspServer

async def main():
    server = RtspServer(socket.create_server(("127.0.0.1", 0)))
    server.start()
    told = lambda channel: None
    print(server.own_url(server.relay.expect("video", on_record=told, on_lost=told).token), flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def publish(url: str, fps: int, source: list[str]) -> subprocess.Popen[bytes]:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-loglevel", "error", *source, "-c:v", "libx264", "-preset"]
    command += ["ultrafast", "-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", str(2 * fps)]
    return subprocess.Popen([*command, "-f", "rtsp", "-rtsp_transport", "tcp", url], stdin=subprocess.PIPE)


class Reader(threading.Thread):
    """Decodes everything; remembers when the picture became white, and when it began."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url = url
        self.frames = 0
        self.whites: list[float] = []

    def run(self) -> None:
        import av

        options = {"rtsp_transport": "tcp", "flags": "low_delay", "analyzeduration": "0", "fpsprobesize": "0"}
        was_white = True
        with av.open(self.url, options=options | {"probesize": "32768"}, timeout=(20, 20)) as container:
            container.streams.video[0].thread_type = "SLICE"
            for frame in container.decode(video=0):
                self.frames += 1
                is_white = memoryview(frame.planes[0])[0] > 128
                if is_white and not was_white:
                    self.whites.append(time.perf_counter())
                was_white = is_white


def measure_cost(fps: int, motion: str, seconds: float) -> None:
    size = f"size={WIDTH}x{HEIGHT}:rate={fps}"
    picture = f"testsrc2={size}" if motion == "moving" else f"color=gray:{size}"
    with relay() as (process, url):
        publisher = publish(url, fps, ["-re", "-f", "lavfi", "-i", picture])
        reader = Reader(url)
        reader.start()
        time.sleep(2)
        before, began, frames = cpu_s(process.pid), time.perf_counter(), reader.frames
        time.sleep(seconds)
        cost = (cpu_s(process.pid) - before) / (time.perf_counter() - began)
        publisher.communicate(b"q", timeout=20)
        shown = (reader.frames - frames) / seconds
        print(f"{fps:>3} fps {motion:<7}  relay {100 * cost:4.1f} % of a core  {shown:5.1f} frames/s decoded")


def measure_latency(fps: int, seconds: float) -> None:
    black, white = bytes(WIDTH * HEIGHT), b"\xff" * (WIDTH * HEIGHT)
    source = ["-f", "rawvideo", "-pix_fmt", "gray", "-video_size", f"{WIDTH}x{HEIGHT}", "-framerate", str(fps)]
    with relay() as (_, url):
        publisher = publish(url, fps, [*source, "-i", "pipe:0"])
        reader = Reader(url)
        reader.start()
        given: list[float] = []
        began = time.perf_counter()
        pipe = publisher.stdin
        assert pipe is not None
        for number in range(round(seconds * fps)):
            time.sleep(max(0.0, began + number / fps - time.perf_counter()))
            is_white = number % fps >= fps // 2
            if is_white and number % fps == fps // 2:
                given.append(time.perf_counter())
            pipe.write(white if is_white else black)
            pipe.flush()
        publisher.communicate(timeout=20)
        time.sleep(0.5)
        late = sorted(1000 * (seen - next(at for at in reversed(given) if at < seen)) for seen in reader.whites)
        print(f"{fps:>3} fps  latency mean {statistics.mean(late):.0f} ms, worst {late[-1]:.0f} ms of {len(late)}")


class relay:  # noqa: N801 - used as a context manager
    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        self.process = subprocess.Popen(
            [sys.executable, "-c", RELAY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        return self.process, self.process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    seconds = parser.parse_args().seconds
    for fps in (10, 30):
        for motion in ("still", "moving"):
            measure_cost(fps, motion, seconds)
    for fps in (10, 30):
        measure_latency(fps, seconds)


if __name__ == "__main__":
    main()
