"""What a capture costs and how soon it is heard, measured in one run on a fake desktop (packages: see .ci/run).

1. CPU of a 720p publisher at 5, 10, 15 and 30 frames a second, as a share of one core, next to a plain ffmpeg doing the
   same capture: x11grab → libx264 with the same preset and rate → RTSP, without our filters and counting.
   Alternating runs, medians; the promise is at most 1.15 times, and under 15 % of a core at 10 frames a second.
2. A whole capture against the embedded service: from text on the screen to `visual_index` in the log, from the end of a
   sentence to its `transcript`, and the CPU of the background process.

    python scripts/bench_capture.py [--quick]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.e2e.desktop import Desktop, missing_programs, running_desktop, wait_until
from tests.e2e.place import Place
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import PublishTarget, Quality, publisher_arguments
from videodb_cli.capture.ffmpeg.program import find_ffmpeg
from videodb_cli.local.rtsp.server import RtspServer

TICKS = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """CPU time of a process so far, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class RtspThread:
    """An RTSP server in a thread of this process, which reads and throws away."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self._ready.wait(10)

    def _run(self) -> None:
        async def serve() -> None:
            self._end = asyncio.Event()
            self.server = RtspServer(socket.create_server(("127.0.0.1", 0)))
            self.server.start()
            self._ready.set()
            await self._end.wait()
            await self.server.close()

        self._loop.run_until_complete(serve())

    def place(self) -> str:
        channel = self.server.relay.expect("video", on_record=lambda _: None, on_lost=lambda _: None)
        return f"rtsp://127.0.0.1:{self.server.port}/{channel.token}"

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(10)


def share_of_core(command: list[str], seconds: float) -> float:
    """Run a publisher, let it settle, and return its CPU over some seconds as a share of one core."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        drain = threading.Thread(target=lambda: process.stdout and process.stdout.read(), daemon=True)
        drain.start()
        time.sleep(1.5)
        before, began = cpu_s(process.pid), time.monotonic()
        time.sleep(seconds)
        used = (cpu_s(process.pid) - before) / (time.monotonic() - began)
        process.communicate(b"q", timeout=10)
    return used


def plain(ffmpeg: str, desktop: Desktop, fps: int, url: str) -> list[str]:
    """The same capture by ffmpeg alone."""
    return [
        ffmpeg, "-hide_banner", "-loglevel", "error", "-nostats",
        "-f", "x11grab", "-framerate", str(fps), "-draw_mouse", "1", "-video_size", "1280x720",
        "-i", f"{desktop.display}.0+0,0", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
        "-pix_fmt", "yuv420p", "-g", str(fps * 2), "-crf", "25", "-maxrate", "3000k", "-bufsize", "6000k",
        "-f", "rtsp", "-rtsp_transport", "tcp", url,
    ]  # fmt: skip


def bench_publishers(desktop: Desktop, rates: list[int], rounds: int, seconds: float) -> Iterator[tuple[str, Any]]:
    ffmpeg = find_ffmpeg("x11grab")
    server = RtspThread()
    details = {"x_display": f"{desktop.display}.0", "x": 0, "y": 0, "width": 1280, "height": 720}
    channel = Channel("display:1", "display", "d", details=details)
    os.environ.update(desktop.environment)
    desktop.run(
        "xterm", "-geometry", "150x45", "-e", "sh", "-c", "while :; do ls -l /usr/bin | head -40; sleep 0.3; done"
    )
    time.sleep(1.0)
    try:
        for fps in rates:
            ours: list[float] = []
            theirs: list[float] = []
            for _ in range(rounds):
                target = PublishTarget(server.place())
                ours.append(share_of_core(publisher_arguments(ffmpeg, channel, target, Quality(fps=fps)), seconds))
                theirs.append(share_of_core(plain(ffmpeg.path, desktop, fps, server.place()), seconds))
            mine, other = statistics.median(ours), statistics.median(theirs)
            yield f"720p {fps:2} fps", f"{mine:6.1%} of a core · plain ffmpeg {other:6.1%} · ratio {mine / other:.2f}"
    finally:
        server.close()


@contextmanager
def capturing(desktop: Desktop, directory: Path, *arguments: str) -> Iterator[Place]:
    place = Place(directory, VIDEODB_LOCAL="1", HOME=os.environ["HOME"], **desktop.environment)
    try:
        place.json("capture", "start", *arguments)
        yield place
    finally:
        place.clean_up()


def until(place: Place, matches: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    found: list[dict[str, Any]] = []

    def look() -> bool:
        found[:] = [event for event in place.events() if matches(event)]
        return bool(found)

    wait_until(look, 30, "the event")
    return found[0]


def is_seen(word: str, event: dict[str, Any]) -> bool:
    return event.get("channel") == "visual_index" and word in str(event["data"].get("text"))


def is_heard(since: float, event: dict[str, Any]) -> bool:
    return (
        event.get("channel") == "transcript"
        and event["data"].get("is_final") is True
        and event["unix_ts"] > since - 1.0
        and str(event.get("rtstream_name")).startswith("mic")
    )


def bench_whole(desktop: Desktop, directory: Path, samples: int) -> Iterator[tuple[str, Any]]:
    with capturing(desktop, directory, "--transcribe", "--index-visuals", "What is on screen?") as place:
        pid = place.info["pid"]
        seen, heard = [], []
        for number in range(samples):
            word = f"BUILD {7000 + number * 13}"
            began = time.time()
            terminal = desktop.show(word)
            event = until(place, partial(is_seen, word))
            seen.append(event["unix_ts"] - began)
            terminal.terminate()
            terminal.wait(5)
            speech = desktop.say(f"Number {number + 1}. The deployment failed this morning.", microphone=True)
            speech.wait(20)
            ended = time.time()
            event = until(place, partial(is_heard, ended))
            heard.append(event["unix_ts"] - ended)
        yield (
            "screen to visual_index",
            f"{statistics.median(seen):.2f} s (median of {samples}, xterm's start included)",
        )
        yield "speech to transcript", f"{statistics.median(heard):.2f} s (median of {samples}, from the end of paplay)"
        before, began = cpu_s(pid), time.monotonic()
        time.sleep(15)
        yield (
            "background process",
            f"{(cpu_s(pid) - before) / (time.monotonic() - began):.2%} of a core, three channels",
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter runs")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if missing_programs():
        sys.stderr.write(f"not installed: {', '.join(missing_programs())} (see .ci/run)\n")
        return 7
    rates = [10, 30] if options.quick else [5, 10, 15, 30]
    rounds, seconds, samples = (1, 4.0, 2) if options.quick else (3, 6.0, 5)
    results: dict[str, Any] = {}

    def tell(name: str, value: Any) -> None:
        results[name] = value
        if not options.json:
            sys.stdout.write(f"{name:<24} {value}\n")
            sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="vdb") as first, running_desktop(Path(first)) as desktop:
        for name, value in bench_publishers(desktop, rates, rounds, seconds):
            tell(name, value)
    with tempfile.TemporaryDirectory(prefix="vdb") as second, running_desktop(Path(second)) as desktop:
        for name, value in bench_whole(desktop, Path(second) / "events", samples):
            tell(name, value)
    if options.json:
        sys.stdout.write(json.dumps(results) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
