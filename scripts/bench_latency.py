#!/usr/bin/env python3
"""Measure how long a received line waits in memory before it is in the file, while other processes take the processors.

    python scripts/bench_latency.py [--events 5000] [--loads none,nice,busy,crowded,disk] [--only with] [--json]

`videodb listen` hears 1,000 events a second while other processes want its processors or its disk. It notes when it has
queued each line and when the system call that wrote it has returned. "Without" is the writing thread alone; "with" is
as it is shipped: the receiver writes itself while the thread gets no turn. All times are milliseconds.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench_listen import Server, end, videodb_listen  # type: ignore[import-not-found]  # it lies beside this file

_HOG = """
import os, sys
parent = int(sys.argv[1])
while os.getppid() == parent:
    for _ in range(100_000):
        pass
"""
# Large files, one after another, each brought to the disk.
_DISK = """
import os, sys
parent, block = int(sys.argv[1]), os.urandom(1 << 20)
while os.getppid() == parent:
    with open(sys.argv[2], "wb") as file:
        for _ in range(64):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
"""
# Name: (processes for each core, what they do, niceness).
LOADS = {
    "none": (0, _HOG, 0),
    "nice": (4, _HOG, 19),
    "busy": (2, _HOG, 0),
    "crowded": (8, _HOG, 0),
    "disk": (1, _DISK, 0),
}


# ---- in the listener's process ---------------------------------------------------------------------------------------


class Probe:
    """Notes when lines are queued and written in this process."""

    def __init__(self) -> None:
        self.queued: list[int] = []
        # Begin and end of each write, how many lines it ended, and whether the receiver did it.
        self.writes: list[tuple[int, int, int, bool]] = []
        self.syncs: list[tuple[int, int]] = []

    def attach(self) -> None:
        """Look at every line of the log from now on."""
        from videodb_cli.eventlog.write import store
        from videodb_cli.eventlog.write import sync as syncing

        for name in ("append", "record", "recovered"):
            setattr(store.LogStore, name, self._noting(getattr(store.LogStore, name)))
        real_write, real_sync = os.write, syncing.sync

        class System:
            """The module `os` as the store sees it."""

            def __getattr__(self, name: str) -> Any:
                return getattr(os, name)

        def write(fd: int, data: memoryview) -> int:
            began = time.monotonic_ns()
            count = real_write(fd, data)
            ended = time.monotonic_ns()
            by_receiver = threading.current_thread() is threading.main_thread()
            self.writes.append((began, ended, bytes(data[:count]).count(b"\n"), by_receiver))
            return count

        def sync(fd: int) -> None:
            began = time.monotonic_ns()
            real_sync(fd)
            self.syncs.append((began, time.monotonic_ns()))

        system: Any = System()
        system.write = write
        store.os = system
        syncing.sync = sync

    def _noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def noting(*arguments: Any) -> Any:
            # Before the line can be written by anybody.
            self.queued.append(time.monotonic_ns())
            return method(*arguments)

        return noting

    def as_json(self) -> str:
        return json.dumps({"queued": self.queued, "writes": self.writes, "syncs": self.syncs})


def listen_probed(place: Path, arguments: list[str], *, watchdog: bool) -> None:
    from videodb_cli import __main__ as program
    from videodb_cli.eventlog.write.watchdog import WriteWatchdog

    if not watchdog:
        WriteWatchdog.start = lambda _: None  # type: ignore[method-assign,assignment]
    probe = Probe()
    probe.attach()
    leave = os._exit

    def leave_with_word(status: int) -> None:
        place.write_text(probe.as_json())
        leave(status)

    os._exit = leave_with_word  # type: ignore[assignment]
    sys.argv = ["videodb", *arguments]
    try:
        program.run()
    finally:
        place.write_text(probe.as_json())


# ---- outside ---------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def loaded(name: str, directory: Path) -> Iterator[None]:
    """Put a load on the machine within the block."""
    per_core, program, niceness = LOADS[name]
    started = [
        subprocess.Popen(
            ["nice", "-n", str(niceness), sys.executable, "-c", program, str(os.getpid()), str(directory / f"l{n}")]
        )
        for n in range(per_core * (os.cpu_count() or 1))
    ]
    try:
        yield
    finally:
        for process in started:
            process.kill()
        for process in started:
            process.wait()


def run(server: Server, load: str, count: int, *, watchdog: bool) -> dict[str, Any]:
    """Hear so many events under a load. Returns what `summary` says."""
    server.order("pace", count)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        place = directory / "probe.json"
        command, environment = videodb_listen(server, directory / "events")
        mode = "with" if watchdog else "without"
        command = [sys.executable, __file__, "--probe", str(place), mode, *command[1:]]
        with loaded(load, directory):
            child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            try:
                assert child.stdout is not None
                assert child.stdout.readline().startswith(b"WS_ID=")
                log = directory / "events" / "videodb_events.jsonl"
                deadline = time.monotonic() + 30 + count / 50
                while log.read_bytes().count(b"sent_ns") < count and time.monotonic() < deadline:
                    time.sleep(0.3)
            finally:
                end(child)
            assert log.read_bytes().count(b"sent_ns") == count, "events are missing"
        return {"load": load, "watchdog": mode, **summary(json.loads(place.read_text()))}


def summary(probed: dict[str, Any]) -> dict[str, Any]:
    waits: list[float] = []
    by_receiver = 0
    for _, ended, lines, is_receiver in probed["writes"]:
        first = len(waits)
        waits += [(ended - queued) / 1e6 for queued in probed["queued"][first : first + lines]]
        by_receiver += lines * is_receiver
    assert len(waits) == len(probed["queued"]), "a line was never written"
    waits.sort()
    found = {name: round(waits[int(len(waits) * share)], 2) for name, share in _SHARES.items()}
    longest_write = max(ended - began for began, ended, *_ in probed["writes"]) / 1e6
    longest_sync = max((ended - began for began, ended in probed["syncs"]), default=0) / 1e6
    return {
        **found,
        "max": round(waits[-1], 2),
        "longest_write": round(longest_write, 2),
        "longest_sync": round(longest_sync, 2),
        "by_receiver": round(by_receiver / len(waits), 3),
        "lines": len(waits),
    }


_SHARES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999}
_COLUMNS = ("load", "watchdog", *_SHARES, "max", "longest_write", "longest_sync", "by_receiver")


def main() -> int:
    if sys.argv[1:2] == ["--probe"]:
        listen_probed(Path(sys.argv[2]), sys.argv[4:], watchdog=sys.argv[3] == "with")
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--loads", default=",".join(LOADS))
    parser.add_argument("--only", choices=("with", "without"))
    parser.add_argument("--json", action="store_true", help="one object a line")
    arguments = parser.parse_args()
    modes = [arguments.only] if arguments.only else ["without", "with"]
    server = Server()
    try:
        if not arguments.json:
            print("".join(f"{name:>15}" for name in _COLUMNS))
        for load in arguments.loads.split(","):
            for mode in modes:
                found = run(server, load, arguments.events, watchdog=mode == "with")
                line = json.dumps(found) if arguments.json else "".join(f"{found[name]:>15}" for name in _COLUMNS)
                print(line, flush=True)
    finally:
        server.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
