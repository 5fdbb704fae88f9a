#!/usr/bin/env python3
"""How fast does `videodb listen` hear? Ratios against the loop in use today and a bare receive loop, in one run.

    python scripts/bench_listen.py [--events 300000] [--runs 7] [--only throughput,latency,memory,startup]

Throughput is CPU time (user+sys) of the whole listening process, start-up included, for the same flood over loopback;
the three listeners take turns and medians are compared. Needs the test extras (the official SDK is the baseline).
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

KEY = "sk-bench-0123456789abcdef"

# The loop that people use today: official SDK, json both ways, the file opened and closed for each event.
SDK_LOOP = """
import asyncio, json, sys
from datetime import datetime, timezone
import videodb

async def main():
    socket = await videodb.connect(api_key=sys.argv[2], base_url=sys.argv[1]).connect_websocket().connect()
    print("WS_ID=" + socket.connection_id, flush=True)
    async for message in socket.receive():
        now = datetime.now(timezone.utc)
        record = {"ts": now.isoformat(), "unix_ts": now.timestamp(), **message}
        with open(sys.argv[3], "a") as log:
            log.write(json.dumps(record) + "\\n")

asyncio.run(main())
"""

# As little as a client can do: no parsing, no log.
BARE_LOOP = """
import asyncio, json, sys, urllib.request
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

async def main():
    url = sys.argv[1] + "/collection/default/websocket"
    answer = urllib.request.urlopen(urllib.request.Request(url, headers={"x-access-token": sys.argv[2]}))
    url = json.load(answer)["data"]["websocket_url"]
    async with connect(url) as socket:
        print("WS_ID=" + json.loads(await socket.recv())["connection_id"], flush=True)
        try:
            while True:
                await socket.recv()
        except ConnectionClosed:
            pass

asyncio.run(main())
"""


# ---- the server: a process of its own, so that its work is nobody's CPU time -----------------------------------------


def events(count: int) -> list[bytes]:
    """Events of about 350 bytes, as the service sends them, numbered so that order can be checked."""
    words = "the customer asked whether the invoice for march was paid before the release was rolled back to staging"
    made = []
    for number in range(count):
        text = f"{words} {words[: 80 + number % 60]}"
        event = {
            "channel": ("transcript", "visual_index", "audio_index")[number % 3],
            "rtstream_id": "rts-5f2c1d",
            "rtstream_name": "mic:default",
            "data": {"text": text, "is_final": True, "start": 1710000001234 + number, "end": 1710000002345 + number},
        }
        made.append(json.dumps(event, separators=(",", ":")).encode())
    return made


def frame(payload: bytes) -> bytes:
    """One unmasked text frame (RFC 6455 §5.2) of up to 64 KiB."""
    size = len(payload)
    return b"\x81" + (bytes((size,)) if size < 126 else b"\x7e" + size.to_bytes(2, "big")) + payload


async def serve(pipe: Connection) -> None:
    import http

    from websockets.asyncio.server import ServerConnection
    from websockets.asyncio.server import serve as serve_socket
    from websockets.datastructures import Headers
    from websockets.exceptions import ConnectionClosed
    from websockets.http11 import Request, Response

    flood = b""
    plan: tuple[str, int] = ("idle", 0)

    async def rest(_: ServerConnection, request: Request) -> Response | None:
        if request.path == "/socket":
            return None
        body = json.dumps({"success": True, "data": {"websocket_url": f"ws://127.0.0.1:{port}/socket"}}).encode()
        headers = Headers({"Content-Type": "application/json", "Content-Length": str(len(body)), "Connection": "close"})
        return Response(200, http.HTTPStatus.OK.phrase, headers, body)

    async def handle(socket: ServerConnection) -> None:
        await socket.send('{"connection_id":"ws-bench"}')
        kind, amount = plan
        if kind == "flood":
            await asyncio.sleep(0.5)
            for start in range(0, len(flood), 1 << 16):
                if socket.transport.is_closing():
                    return
                socket.transport.write(flood[start : start + (1 << 16)])
                while socket.transport.get_write_buffer_size() > 1 << 18:  # noqa: ASYNC110 - it has no event
                    await asyncio.sleep(0.0005)
            await socket.close(1000)
        elif kind == "pace":
            await asyncio.sleep(0.5)
            began = time.perf_counter()
            for number in range(amount):
                due = began + number / 1000
                while (now := time.perf_counter()) < due:  # noqa: ASYNC110 - a clock has no event
                    await asyncio.sleep(max(0.0, due - now - 0.0002))
                with contextlib.suppress(ConnectionClosed):
                    await socket.send(
                        json.dumps({"channel": "transcript", "sent_ns": time.time_ns(), "pad": "x" * 250})
                    )
        await socket.wait_closed()

    loop = asyncio.get_running_loop()
    async with serve_socket(
        handle, "127.0.0.1", 0, process_request=rest, compression=None, ping_interval=None
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        pipe.send(port)
        while (order := await loop.run_in_executor(None, pipe.recv)) is not None:
            plan = order
            if order[0] == "flood":
                flood = b"".join(frame(event) for event in events(order[1]))
            pipe.send("ready")


def server_process(pipe: Connection) -> None:
    asyncio.run(serve(pipe))


class Server:
    """The server, and orders to it."""

    def __init__(self) -> None:
        self._pipe, theirs = multiprocessing.Pipe()
        self._process = multiprocessing.get_context("spawn").Process(target=server_process, args=(theirs,), daemon=True)
        self._process.start()
        self.url = f"http://127.0.0.1:{self._pipe.recv()}"

    def order(self, kind: str, amount: int = 0) -> None:
        self._pipe.send((kind, amount))
        self._pipe.recv()

    def close(self) -> None:
        self._pipe.send(None)
        self._process.join(5)
        self._process.terminate()


# ---- measurements ----------------------------------------------------------------------------------------------------


def videodb_listen(server: Server, directory: Path, *more: str) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "VIDEO_DB_API_KEY": KEY, "VIDEO_DB_API": server.url}
    command = [str(Path(sys.executable).with_name("videodb")), "listen", "--quiet", "--dir", str(directory), *more]
    return command, environment


def run_to_end(command: list[str], environment: dict[str, str]) -> float:
    """Run a process to its end and return its CPU time, user+sys, in seconds."""
    child = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_utime + usage.ru_stime


def check_log(log: Path, count: int) -> None:
    """The log holds every event once, in order."""
    starts = [
        record["data"]["start"]
        for record in map(json.loads, log.read_bytes().splitlines())
        if record["channel"] != "videodb_cli"
    ]
    assert starts == list(range(1710000001234, 1710000001234 + count)), f"{len(starts)} of {count}, or out of order"


def throughput(server: Server, count: int, runs: int) -> bool:
    server.order("flood", count)
    seconds: dict[str, list[float]] = {"videodb listen": [], "SDK loop in use today": [], "bare websockets loop": []}
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as name:
            directory = Path(name)
            command, environment = videodb_listen(server, directory / "ours", "--max-retries", "0")
            seconds["videodb listen"].append(run_to_end(command, environment))
            check_log(directory / "ours" / "videodb_events.jsonl", count)
            log = directory / "sdk.jsonl"
            loop = [sys.executable, "-c", SDK_LOOP, server.url, KEY, str(log)]
            seconds["SDK loop in use today"].append(run_to_end(loop, dict(os.environ)))
            check_log(log, count)
            bare = [sys.executable, "-c", BARE_LOOP, server.url, KEY]
            seconds["bare websockets loop"].append(run_to_end(bare, dict(os.environ)))
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    print(f"throughput, {count} events of {len(events(1)[0])}+ bytes, CPU seconds of the process, median of {runs}:")
    for name, median in medians.items():
        print(f"  {name:<24}{median:7.2f} s  {count / median / 1000:7.1f} k events/s")
    ours = medians["videodb listen"]
    against_sdk = medians["SDK loop in use today"] / ours
    against_bare = medians["bare websockets loop"] / ours
    print(f"  {against_sdk:.2f} × the SDK loop (goal ≥ 3) · {against_bare:.2f} of the bare loop (goal ≥ 0.5)")
    return against_sdk >= 3 and against_bare >= 0.5


def resident_mb(pid: int, field: str = "VmRSS") -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise LookupError(field)


def listening(server: Server, directory: Path) -> subprocess.Popen[bytes]:
    command, environment = videodb_listen(server, directory)
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert child.stdout is not None
    assert child.stdout.readline().startswith(b"WS_ID=")
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=20)


def wait_for_lines(log: Path, count: int, deadline_s: float = 120) -> None:
    limit = time.monotonic() + deadline_s
    while time.monotonic() < limit:
        if log.exists() and log.read_bytes().count(b"\n") > count:
            return
        time.sleep(0.2)
    raise TimeoutError(f"{log} never had {count} lines")


def memory(server: Server, count: int) -> bool:
    server.order("flood", count)
    with tempfile.TemporaryDirectory() as name:
        child = listening(server, Path(name))
        try:
            idle = resident_mb(child.pid)
            wait_for_lines(Path(name) / "videodb_events.jsonl", count)
            peak = resident_mb(child.pid, "VmHWM")
        finally:
            end(child)
    print(
        f"memory: idle {idle:.1f} MB (goal < 45) · peak under the flood {peak:.1f} MB, +{peak - idle:.1f} (goal < 20)"
    )
    return idle < 45 and peak - idle < 20


def latency(server: Server, count: int = 5000) -> bool:
    server.order("pace", count)
    late: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        child = listening(server, Path(name))
        try:
            with (Path(name) / "videodb_events.jsonl").open("rb") as log:
                deadline = time.monotonic() + count / 1000 + 30
                torn = b""
                while len(late) < count and time.monotonic() < deadline:
                    lines = (torn + log.read()).splitlines(keepends=True)
                    now = time.time_ns()
                    torn = lines.pop() if lines and not lines[-1].endswith(b"\n") else b""
                    late.extend((now - json.loads(line)["sent_ns"]) / 1e6 for line in lines if b"sent_ns" in line)
                    if not lines:
                        time.sleep(0.00005)
        finally:
            end(child)
    late.sort()
    p50, p99 = late[len(late) // 2], late[int(len(late) * 0.99)]
    print(
        f"latency at 1,000 events/s, send to line in the file: "
        f"p50 {p50:.2f} ms (goal < 0.5) · p99 {p99:.2f} ms (goal < 5)"
    )
    return len(late) == count and p50 < 0.5 and p99 < 5


def startup(server: Server, runs: int = 20) -> bool:
    server.order("idle")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        log = directory / "videodb_events.jsonl"
        log.write_text(
            "".join(f'{{"ts":"2026-03-02T10:15:30.123Z","unix_ts":{n}.000,"channel":"x"}}\n' for n in range(100))
        )
        videodb = str(Path(sys.executable).with_name("videodb"))
        tail = [videodb, "events", "tail", "-n", "10", "--dir", str(directory)]
        typer = [sys.executable, "-c", "import typer"]
        pairs = [(run_to_end(tail, dict(os.environ)), run_to_end(typer, dict(os.environ))) for _ in range(runs)]
        ratio = statistics.median(a for a, _ in pairs) / statistics.median(b for _, b in pairs)
        child = listening(server, directory)
        try:
            fields = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()
            until_id = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        finally:
            end(child)
    print(
        f"start-up: events tail -n 10 is {ratio:.2f} × `import typer` (goal ≤ 1.5) · listen prints its id after "
        f"{until_id:.2f} s of CPU time (goal ≤ 0.6)"
    )
    return ratio <= 1.5 and until_id <= 0.6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", default="throughput,memory,latency,startup")
    arguments = parser.parse_args()
    if shutil.which("videodb", path=str(Path(sys.executable).parent)) is None:
        sys.exit("install this checkout first: pip install -e '.[test]'")
    server = Server()
    parts: dict[str, Callable[[], bool]] = {
        "throughput": lambda: throughput(server, arguments.events, arguments.runs),
        "memory": lambda: memory(server, arguments.events),
        "latency": lambda: latency(server),
        "startup": lambda: startup(server),
    }
    try:
        held = [parts[name]() for name in arguments.only.split(",")]
    finally:
        server.close()
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
