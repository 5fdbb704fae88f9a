#!/usr/bin/env python3
"""What does a listener lose? The loop in use today and `videodb listen`, through the same troubles, in one run.

    python scripts/reliability.py [--events 150] [--only close,cut]

Each row is a trouble that was seen with today's listeners. A stream of an embedded service speaks a steady number of
times while the trouble strikes; what is not in the listener's log at the end is lost. "Told" says whether the log says
that something is missing. The loop below is the baseline: the official SDK's receive loop, with naive retry. Needs the
test extras (`pip install -e '.[all,test]'`).
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.e2e.conftest import Sources
from tests.fakes.stage import Stage
from videodb_cli.local.faults.plan import Fault
from videodb_cli.local.http.server import Running, running
from videodb_cli.local.service import Service

LOG = "videodb_events.jsonl"

BASELINE = """
import asyncio, json, sys
from datetime import datetime, timezone
import videodb

async def main():
    connection = videodb.connect(api_key=sys.argv[2], base_url=sys.argv[1])
    while True:
        try:
            ws = await connection.connect_websocket().connect()
            print("WS_ID=" + ws.connection_id, flush=True)
            open(sys.argv[3] + "/videodb_ws_id", "w").write(ws.connection_id)
            async for msg in ws.receive():
                now = datetime.now(timezone.utc)
                with open(sys.argv[3] + "/videodb_events.jsonl", "a") as log:
                    log.write(json.dumps({"ts": now.isoformat(), "unix_ts": now.timestamp(), **msg}) + "\\n")
        except Exception as error:
            print(error, file=sys.stderr)
        await asyncio.sleep(0.2)

asyncio.run(main())
"""


@dataclass(frozen=True)
class Row:
    """One trouble: its name, what strikes, and what its row is called in docs/reliability.md."""

    name: str
    title: str
    faults: tuple[Fault, ...]


ROWS = (
    Row("none", "no trouble at all", ()),
    Row("close", "server closes with 1001", (Fault("close", after=40),)),
    Row("close-1000", "server closes with 1000, three times", (Fault("close", after=20, code=1000, times=3),)),
    Row("close-1011", "server closes with 1011", (Fault("close", after=40, code=1011),)),
    Row("cut", "TCP cut", (Fault("cut", after=40),)),
    Row("half-open", "half open: cable pulled", (Fault("half_open", after=40, seconds=3.0),)),
    Row("refused", "cut, then refused twice", (Fault("cut", after=40), Fault("refuse", times=2, path="/websocket"))),
    Row(
        "http",
        "cut, then 429, 500, 503",
        (
            Fault("cut", after=40),
            *(Fault("status", status=status, path="/websocket", retry_after=0.2) for status in (429, 500, 503)),
        ),
    ),
    Row("oversize", "a message of 3 MiB", (Fault("oversize", after=40, size=3 << 20),)),
    Row("odd", "list, null, no JSON, invalid UTF-8", (Fault("garbage", after=40),)),
    Row("binary", "an event in a binary frame", (Fault("binary", after=40),)),
    Row("no-id", "cut, then no first frame", (Fault("cut", after=40), Fault("no_first_frame"))),
    Row("early", "cut, then an event before the id", (Fault("cut", after=40), Fault("event_first"))),
    Row(
        "stall",
        "cut, then the call stalls 2 s",
        (Fault("cut", after=40), Fault("stall", seconds=2.0, path="/websocket")),
    ),
    Row("id-change", "the id is replaced", (Fault("id_change", after=40),)),
)


def main() -> int:
    """Run the rows, print the table; the status says whether ours lost anything in silence."""
    # The services of the rows complain about what is done to them.
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=150)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    chosen = [row for row in ROWS if not arguments.only or row.name in arguments.only.split(",")]
    print(f"{arguments.events} things said in each row; lost = not in the log at the end")
    print(f"{'trouble':44} {'today: lost':>12} {'told':>5} {'ours: lost':>11} {'told':>5} {'read back':>10}")
    worst = 0
    for row in chosen:
        theirs = run(row, arguments.events, ours=False)
        mine = run(row, arguments.events, ours=True)
        worst = max(worst, mine.lost if not mine.told else 0)
        print(
            f"{row.title:44} {theirs.lost:>12} {'yes' if theirs.told else 'no':>5} "
            f"{mine.lost:>11} {'yes' if mine.told else '-':>5} {mine.read_back:>10}",
            flush=True,
        )
    for title, probe in PROBES:
        print(f"{title:44} {probe(ours=False):>18} {probe(ours=True):>29}", flush=True)
    return 1 if worst else 0


@dataclass(frozen=True)
class Outcome:
    """What became of one run."""

    lost: int
    told: bool
    read_back: int


def run(row: Row, count: int, *, ours: bool) -> Outcome:
    """Let a stream speak ``count`` times while the row's faults strike."""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "events"
        directory.mkdir(mode=0o700)
        with running(Path(scratch) / "local", make_source=Sources()) as service:
            listener = start(service, directory, ours=ours)
            try:
                first = wait_for_id(directory)
                stage = Stage(service)
                stream = stage.stream()
                stage.transcribe(stream, first)
                service.call(lambda running_service: speak(running_service, stage, stream, row, count))
                wait_until(lambda: len(texts(directory)) == count, 12.0 if ours else 2.0)
            finally:
                end(listener)
        events = lines(directory)
        told = any(event.get("event") == "listener.gap" for event in events)
        read_back = sum(1 for event in events if event.get("recovered"))
        return Outcome(count - len(texts(directory)), told, read_back)


async def speak(service: Service, stage: Stage, stream: object, row: Row, count: int) -> None:
    """Say something every 15 ms."""
    service.faults.set(list(row.faults))
    for number in range(count):
        stage.say_on_loop(service, stream, f"word {number}", time.time() - 0.5, 0.5)  # type: ignore[arg-type]
        await asyncio.sleep(0.015)
    service.faults.set([])


def start(service: Running, directory: Path, *, ours: bool) -> subprocess.Popen[bytes]:
    """Start a listener in a group of its own."""
    quick = ("--ping-interval=0.3", "--ping-timeout=0.7", "--id-timeout=1", "--first-retry=0.2", "--hold=2")
    command = (
        [sys.executable, "-m", "videodb_cli", "listen", "--dir", str(directory), "--quiet", *quick]
        if ours
        else [sys.executable, "-c", BASELINE, service.url, service.key, str(directory)]
    )
    environment = {**os.environ, "VIDEO_DB_API_KEY": service.key, "VIDEO_DB_API": service.url, "HOME": str(directory)}
    return subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment, start_new_session=True
    )


def end(listener: subprocess.Popen[bytes]) -> float:
    """Ask it to end, kill it if it does not; returns the seconds that it took."""
    began = time.monotonic()
    if listener.poll() is None:
        listener.send_signal(signal.SIGTERM)
    try:
        listener.wait(5)
    except subprocess.TimeoutExpired:
        listener.kill()
        listener.wait()
    return time.monotonic() - began


def wait_for_id(directory: Path) -> str:
    """Return the id that the listener has published."""
    wait_until((directory / "videodb_ws_id").exists, 20.0)
    wait_until(lambda: (directory / "videodb_ws_id").read_text().strip() != "", 5.0)
    return (directory / "videodb_ws_id").read_text().strip()


def wait_until(condition: object, seconds: float) -> None:
    """Wait for a condition, but no longer."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # type: ignore[operator]
        time.sleep(0.05)


def lines(directory: Path) -> list[dict[str, object]]:
    """Return what the log holds."""
    try:
        content = (directory / LOG).read_bytes()
    except FileNotFoundError:
        return []
    return [event for line in content.splitlines() if isinstance(event := json.loads(line), dict)]


def texts(directory: Path) -> set[str]:
    """Return the different things said that are in the log."""
    said = (event.get("data") for event in lines(directory) if event.get("channel") == "transcript")
    return {str(data["text"]) for data in said if isinstance(data, dict) and "text" in data}


# ---- rows that are no losses -------------------------------------------------------------------------------------


def stale_id(*, ours: bool) -> str:
    """After the end, is there an id that wires the next pipelines to a dead socket?"""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "events"
        directory.mkdir(mode=0o700)
        with running(Path(scratch) / "local", make_source=Sources()) as service:
            listener = start(service, directory, ours=ours)
            wait_for_id(directory)
            end(listener)
        return "stale id left" if (directory / "videodb_ws_id").exists() else "no id left"


def own_ts(*, ours: bool) -> str:
    """An event that carries its own ``ts``: is that kept?"""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "events"
        directory.mkdir(mode=0o700)
        with running(Path(scratch) / "local", make_source=Sources()) as service:
            listener = start(service, directory, ours=ours)
            connection = wait_for_id(directory)
            event = {"channel": "transcript", "ts": "theirs", "data": {"text": "x"}}
            Stage(service).do(lambda it: it.hub.send(connection, event))
            wait_until(lambda: texts(directory) == {"x"}, 5.0)
            end(listener)
        found = next((event for event in lines(directory) if event.get("channel") == "transcript"), {})
        stamp_is_ours = found.get("ts") != "theirs"
        return "both kept" if stamp_is_ours and found.get("source_ts") == "theirs" else "one is lost"


def link_followed(*, ours: bool) -> str:
    """A symbolic link in the place of the log: is what it points to written?"""
    with tempfile.TemporaryDirectory() as scratch:
        directory = Path(scratch) / "events"
        directory.mkdir(mode=0o700)
        victim = Path(scratch) / "victim"
        victim.write_text("precious\n")
        (directory / LOG).symlink_to(victim)
        with running(Path(scratch) / "local", make_source=Sources()) as service:
            listener = start(service, directory, ours=ours)
            wait_until(lambda: (directory / "videodb_ws_id").exists() or listener.poll() is not None, 20.0)
            if listener.poll() is None:
                event = {"channel": "transcript", "data": {"text": "x"}}
                connection = wait_for_id(directory)
                Stage(service).do(lambda it: it.hub.send(connection, event))
                wait_until(lambda: victim.read_text() != "precious\n", 2.0)
            end(listener)
        return "refused" if victim.read_text() == "precious\n" else "followed"


PROBES = (
    ("the id file after the end", stale_id),
    ("an event with a ts of its own", own_ts),
    ("a symbolic link in place of the log", link_followed),
)

if __name__ == "__main__":
    sys.exit(main())
