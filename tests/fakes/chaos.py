"""One run of a listener against a service that misbehaves, and the law that it is held to.

Delivered means: sent before a ping that was answered. What came after the last one before a connection ended belongs to
the gap. The law: delivered and not in the log, in the log twice, out of order, produced in a gap and neither recovered
nor declared lost: none of each.

``kill -9`` takes what a process holds in its memory. What was delivered shortly before it may therefore be missing, but
only as the end of what that connection brought, and only within the gap that the next run declares for it. That holds
on every machine. How long before is `Chaos.late_losses`, which depends on how many turns the machine gives a process.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from tests.fakes.listener_process import ListenerProcess, read_log
from tests.fakes.stage import Stage
from videodb_cli.local.faults.plan import Fault, Frame
from videodb_cli.local.http.server import Running
from videodb_cli.local.service import Service
from videodb_cli.local.state.jobs import SceneIndex
from videodb_cli.local.state.records import RTStream

OPTIONS = ("--first-retry=0.1", "--quiet")
# A line that was received so long before a kill should be in the file.
WRITTEN_WITHIN_S = 0.1
_PING_EVERY_S = 0.03


@dataclass
class Journal:
    """What went out, by connection, and how much of it is known to have arrived."""

    sent: dict[str, list[Frame]] = field(default_factory=dict)
    proven: dict[str, int] = field(default_factory=dict)
    # When the first so many frames were known to have arrived (Unix seconds), by connection.
    proofs: dict[str, list[tuple[float, int]]] = field(default_factory=dict)
    # When its receiver was killed.
    killed: dict[str, float] = field(default_factory=dict)

    def on_frame(self, connection: str, frame: Frame) -> None:
        self.sent.setdefault(connection, []).append(frame)

    def on_proof(self, connection: str, count: int) -> None:
        # Also after a kill: the answer was given before it.
        self.proven[connection] = max(self.proven.get(connection, 0), count)
        self.proofs.setdefault(connection, []).append((time.time(), count))

    def note_kill(self, moment: float) -> None:
        """The receiver of all connections so far was killed then, or before."""
        for connection in self.sent:
            self.killed.setdefault(connection, moment)

    def proven_at(self, connection: str, number: int) -> float:
        """When a frame of a connection was known to have arrived."""
        return min(at for at, count in self.proofs[connection] if count > number)


@dataclass(frozen=True)
class Produced:
    """One thing that a pipeline made."""

    text: str
    kind: str
    at: float
    connection: str | None = None


class Chaos:
    """Produces events at a steady rate while faults strike, then lets everything settle."""

    def __init__(
        self,
        running: Running,
        directory: Path,
        *,
        rate: float = 150.0,
        kinds: tuple[str, ...] = ("transcript", "visual_index", "alert"),
    ) -> None:
        self._running = running
        self._stage = Stage(running)
        self._directory = directory
        self._rate = rate
        self._kinds = kinds
        # Called every `strike_every_s` for one more fault.
        self.next_fault: Callable[[], Fault] | None = None
        self.strike_every_s = 3.0
        # Entered around each end of `run_ends`, and the moment before it.
        self.strain: Callable[[], AbstractContextManager[object]] = contextlib.nullcontext
        # Called every second with the listener's pid.
        self.on_second: Callable[[int], None] = lambda _pid: None
        self.journal = Journal()
        self.produced: list[Produced] = []
        self.settle_timeout_s = 25.0
        # For each kill that cost something that was delivered too long before it: how long.
        self.late_losses: list[float] = []
        self._stopping = False
        self._pid = 0

    @property
    def environment(self) -> dict[str, str]:
        return self._stage.environment

    def run(self, plan: list[Fault], *, seconds: float, options: tuple[str, ...] = ()) -> list[dict[str, Any]]:
        """Run one listener through a plan. Returns the lines of its log."""
        with ListenerProcess(self._directory, self.environment, *OPTIONS, *options) as listener:
            first = listener.wait_for_id()
            self._pid = listener.process.pid
            stream = self._stage.stream()
            self._stage.session(stream, first)
            self._stage.transcribe(stream, first)
            index = self._stage.index(stream, first)
            work = self._produce(self._running.service, stream, index, plan, seconds)
            asyncio.run_coroutine_threadsafe(work, self._running.loop).result(seconds * 2 + 30)
            self._wait_until_settled(listener)
            status = listener.stop()
            assert status == 0, listener.output.decode()
        return read_log(self._directory)

    def run_ends(self, ends: int, dice: random.Random, number: int = signal.SIGKILL) -> list[dict[str, Any]]:
        """End the listener at random moments of a flood, start it again, and return the lines of its log.

        Every fifth kill strikes one that may not have connected yet.
        """
        stream = index = None
        flood = None
        connection = None
        for count in range(ends):
            with ListenerProcess(self._directory, self.environment, *OPTIONS) as listener:
                if number != signal.SIGKILL or count % 5 != 4:
                    # A kill leaves the id of the one before in its place.
                    connection = listener.wait_for_id(other_than=connection, timeout_s=60.0)
                if stream is None or index is None:
                    stream = self._stage.stream()
                    assert connection is not None
                    self._stage.session(stream, connection)
                    self._stage.transcribe(stream, connection)
                    index = self._stage.index(stream, connection)
                    flood = asyncio.run_coroutine_threadsafe(
                        self._produce(self._running.service, stream, index, [], 3600.0), self._running.loop
                    )
                with self.strain():
                    time.sleep(dice.uniform(0.05, 0.5))
                    ended_at = time.time()
                    status = listener.stop(number)
                if number == signal.SIGKILL:
                    self.journal.note_kill(ended_at)
                else:
                    assert status == 0, listener.output.decode()
        with ListenerProcess(self._directory, self.environment, *OPTIONS) as listener:
            listener.wait_for_id(other_than=connection, timeout_s=60.0)
            self._stopping = True
            assert flood is not None
            flood.result(10)
            self._wait_until_settled(listener)
            assert listener.stop() == 0
        return read_log(self._directory)

    async def _produce(
        self, service: Service, stream: RTStream, index: SceneIndex, plan: list[Fault], seconds: float
    ) -> None:
        service.faults.on_frame = self.journal.on_frame
        service.faults.set(plan)
        proving = asyncio.create_task(self._prove(service))
        numbers = range(int(seconds * self._rate))
        began = time.time()
        for number in numbers:
            if self._stopping:
                break
            await asyncio.sleep(max(0.0, began + number / self._rate - time.time()))
            self._make(service, stream, index, number)
            if self.next_fault is not None and number % int(self._rate * self.strike_every_s) == 0:
                service.faults.set([self.next_fault()])
            if number % int(self._rate) == 0:
                self.on_second(self._pid)
        service.faults.set([])
        await asyncio.sleep(0.3)
        proving.cancel()

    def _make(self, service: Service, stream: RTStream, index: SceneIndex, number: int) -> None:
        now = time.time()
        kind = self._kinds[number % len(self._kinds)]
        text = f"{kind} {number}"
        connection = None
        if kind == "transcript":
            self._stage.say_on_loop(service, stream, text, now - 0.5, 0.5)
        elif kind == "visual_index":
            self._stage.show_on_loop(service, stream, index, text, now - 0.5, 0.5)
        else:
            # An alert goes to the connection that is open now, and cannot be read back.
            connections = list(service.hub.connections)
            if not connections:
                return
            event = {"channel": "alert", "rtstream_id": stream.id, "data": {"text": text, "label": "x"}}
            connection = connections[-1]
            service.hub.send(connection, event)
        self.produced.append(Produced(text, kind, now, connection))

    async def _prove(self, service: Service) -> None:
        while True:
            for connection in list(service.hub.connections.values()):
                count = len(self.journal.sent.get(connection.id, ()))
                if connection.wire is not None:
                    connection.wire.prove(partial(self.journal.on_proof, connection.id, count))
            await asyncio.sleep(_PING_EVERY_S)

    def _wait_until_settled(self, listener: ListenerProcess) -> None:
        """Wait until everything that can be read back is there, or it is too late for that."""
        deadline = time.monotonic() + self.settle_timeout_s
        wanted = {item.text for item in self.produced if item.kind != "alert"}
        while time.monotonic() < deadline:
            if self._running.service.faults.delayed == 0 and wanted <= {
                line.get("data", {}).get("text") for line in listener.lines() if "raw" not in line
            }:
                # What is in flight twice would come now.
                time.sleep(0.6)
                return
            time.sleep(0.05)

    # ---- the law -------------------------------------------------------------------------------------------------

    def broken_laws(self, lines: list[dict[str, Any]]) -> list[str]:
        """Hold the log to what went out; returns a sentence for each breach."""
        live = list(filter(_is_live, lines))
        recovered = [line for line in lines if line.get("recovered")]
        # What came after it had been read back stands in the log as what it is, and not as the event again.
        received = [
            json.loads(line["data"]["message"]) if line.get("event") == "listener.late" else line
            for line in lines
            if _is_live(line) or line.get("event") == "listener.late"
        ]
        return [
            *self._connection_breaches(received, lines),
            *self._double_breaches(live, recovered),
            *self._loss_breaches(lines),
            *_order_breaches(lines),
        ]

    def _connection_breaches(self, live: list[dict[str, Any]], lines: list[dict[str, Any]]) -> list[str]:
        """Of each connection, the log holds a beginning of what went out, in order, and at least what was proven."""
        logged: dict[str, list[str]] = {connection: [] for connection in self.journal.sent}
        owners = {
            key: connection
            for connection, frames in self.journal.sent.items()
            for frame in frames
            if (key := _key_of_frame(frame)) is not None
        }
        for line in live:
            key = _key_of_line(line)
            if key in owners:
                logged[owners[key]].append(key)
        breaches = []
        for connection, frames in self.journal.sent.items():
            keys = [key for frame in frames if (key := _key_of_frame(frame)) is not None]
            keys = [key for key in keys if owners[key] == connection]
            got = logged[connection]
            if got != keys[: len(got)]:
                breaches.append(
                    f"{connection}: not in the order of arrival, or with holes: {_first_difference(got, keys)}"
                )
            proven_frames = frames[: self.journal.proven.get(connection, 0)]
            proven = [key for frame in proven_frames if (key := _key_of_frame(frame)) is not None]
            missing = Counter(proven) - Counter(got)
            missing = Counter({key: count for key, count in missing.items() if owners[key] == connection})
            if missing and not self._is_declared(connection, set(missing), lines):
                breaches.append(f"{connection}: delivered and not in the log: {list(missing)[:5]} of {len(missing)}")
        return breaches

    def _is_declared(self, connection: str, missing: set[str], lines: list[dict[str, Any]]) -> bool:
        """Tell whether a kill took it, and the next run declared a gap that had begun before the first of it came."""
        killed_at = self.journal.killed.get(connection)
        if killed_at is None:
            return False
        frames = self.journal.sent[connection]
        first = next(number for number, frame in enumerate(frames) if _key_of_frame(frame) in missing)
        proven_at = self.journal.proven_at(connection, first)
        known = _known_connections(lines)
        gaps = [line["data"] for line in lines if line.get("event") == "listener.gap"]
        declared = any(
            _unix(gap["from"]) <= proven_at
            and (gap["old_connection_id"] == connection or (connection not in known and killed_at <= _unix(gap["to"])))
            for gap in gaps
        )
        if declared and killed_at - proven_at > WRITTEN_WITHIN_S:
            self.late_losses.append(killed_at - proven_at)
        return declared

    def _double_breaches(self, live: list[dict[str, Any]], recovered: list[dict[str, Any]]) -> list[str]:
        sent = Counter(key for frames in self.journal.sent.values() for f in frames if (key := _key_of_frame(f)))
        had = Counter(key for line in live if (key := _key_of_line(line)))
        streams = [line for line in recovered if line.get("channel") != "capture_session"]
        again = Counter(key for line in streams if (key := _key_of_line(line)))
        doubles = [key for key, count in had.items() if key in sent and count > sent[key]]
        doubles += [key for key, count in again.items() if count > 1 or key in had]
        return [f"in the log twice: {doubles[:5]} of {len(doubles)}"] if doubles else []

    def _loss_breaches(self, lines: list[dict[str, Any]]) -> list[str]:
        texts = {line.get("data", {}).get("text") for line in lines if isinstance(line.get("data"), dict)}
        lost = [item for item in self.produced if item.text not in texts]
        # An alert cannot be read back: it may be lost with a connection whose end the log tells of. Of one that was cut
        # down before the log had even a line of it, the log tells only that nothing was heard at that time.
        ended, known, gaps = _ended_connections(lines), _known_connections(lines), _gaps(lines)
        silent = [
            item
            for item in lost
            if item.kind != "alert"
            or (
                item.connection not in ended
                if item.connection in known
                else not any(a <= item.at <= b for a, b in gaps)
            )
        ]
        return [f"lost in silence: {[item.text for item in silent[:5]]} of {len(silent)}"] if silent else []


def _is_live(line: dict[str, Any]) -> bool:
    return line.get("channel") != "videodb_cli" and not line.get("recovered")


def _ended_connections(lines: list[dict[str, Any]]) -> set[str]:
    """Connections of which the log says that alerts to them are lost. A replaced id belongs to its connection."""
    ended = set()
    for line in lines:
        data = line.get("data") or {}
        if line.get("event") == "listener.gap":
            assert data["unrecoverable"] == ["alert"]
            ended.add(data["old_connection_id"])
        elif line.get("event") == "listener.disconnected" and "renewed_by" in data:
            assert data["unrecoverable"] == ["alert"]
            ended.add(data["connection_id"])
    return ended | {"-".join(connection.split("-")[:2]) for connection in ended}


def _known_connections(lines: list[dict[str, Any]]) -> set[str]:
    named = (line["data"].get("connection_id") for line in lines if line.get("event") == "listener.connected")
    return {name for name in named if name} | _ended_connections(lines)


def _gaps(lines: list[dict[str, Any]]) -> list[tuple[float, float]]:
    """Unix seconds."""
    told = [line["data"] for line in lines if line.get("event") == "listener.gap"]
    return [(_unix(gap["from"]), _unix(gap["to"])) for gap in told]


def _unix(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _order_breaches(lines: list[dict[str, Any]]) -> list[str]:
    stamps = [line["unix_ts"] for line in lines]
    return [] if stamps == sorted(stamps) else ["stamps decrease"]


def _key_of_frame(frame: Frame) -> str | None:
    """What a frame is known by in the log; None for one that brings an id, and for what is not unique."""
    raw = frame.encode() if isinstance(frame, str) else frame
    try:
        event = json.loads(raw)
    except ValueError:
        return None
    return _key_of_line(event) if isinstance(event, dict) and "connection_id" not in event else None


def _key_of_line(event: dict[str, Any]) -> str | None:
    data = event.get("data")
    text = data.get("text") if isinstance(data, dict) else None
    if event.get("channel") not in {"transcript", "visual_index", "alert"}:
        return None
    return text if isinstance(text, str) else None


def _first_difference(got: list[str], wanted: list[str]) -> str:
    for number, (one, other) in enumerate(zip(got, wanted, strict=False)):
        if one != other:
            return f"at {number}: {one!r} for {other!r}"
    return f"{len(got)} for {len(wanted)}"


def random_plan(seed: int) -> list[Fault]:
    """A few faults of any kind, at any time, from a seed."""
    dice = random.Random(seed)
    kinds = (
        ["close", "cut"] * 3
        + ["half_open", "pause", "duplicate", "out_of_order", "oversize", "binary", "garbage", "id_change", "late"]
        + ["refuse", "status", "stall", "slow", "garbage_body", "token_expiry"]
        + ["reject", "no_first_frame", "event_first", "clock_skew"]
    )
    return [random_fault(dice, dice.choice(kinds)) for _ in range(dice.randint(2, 7))]


def _seconds(dice: random.Random, kind: str) -> float:
    if kind == "clock_skew":
        return dice.choice([-100.0, -5.0, 5.0, 100.0])
    # A late event is one that comes after its record was read back: records wait for two seconds here.
    return dice.uniform(1.0, 4.0) if kind == "late" else dice.uniform(0.1, 1.2)


def random_fault(dice: random.Random, kind: str) -> Fault:
    path = dice.choice(["/websocket", "/transcription", "/index", "/capture/session", ""])
    return Fault(
        kind,
        times=dice.randint(1, 2),
        after=dice.randint(0, 150),
        path=path if kind in {"refuse", "status", "stall", "slow", "garbage_body", "token_expiry"} else "",
        status=dice.choice([400, 402, 403, 404, 429, 500, 502, 503]),
        retry_after=dice.choice([None, None, 0, 0.2]),
        seconds=_seconds(dice, kind),
        code=dice.choice([1000, 1001, 1008, 1011, 1012, 4000]),
        size=dice.choice([1 << 12, 1 << 17, 3 << 20]),
    )
