"""A listener's parts around a recovery, with a log on disk, and connections that come and go, in virtual time.

Everything is the listener's own, but for the sockets and the service behind them.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from tests.fakes.stream_service import FakePipeline, StreamService
from tests.fakes.virtual_time import VirtualTime, at_once
from videodb_cli.eventlog.write.store import Keeping, LogStore
from videodb_cli.listener.clock_watch import ClockWatch
from videodb_cli.listener.connection import Connection, Ended
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.gaps import GapTracker
from videodb_cli.listener.intake import ConnectionHandler, CrossSocketDuplicates, Intake
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.log import ListenerLog
from videodb_cli.listener.recovery.gap import RecoveryPolicy
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.recovery.writer import RecoveryContext
from videodb_cli.rundir.paths import RunDir


@dataclass
class FakeConnection:
    """One socket. ``deaf_since``: nothing that is sent to it arrives any more (uptime seconds)."""

    connection_id: str
    deaf_since: float | None = None
    last_message_at: float | None = None
    extra: dict[str, Any] | None = None


class Listening:
    """One run of a listener: its log, what it knows, its recovery and its gaps."""

    def __init__(self, directory: Path, service: Any, time: VirtualTime, policy: RecoveryPolicy) -> None:
        self.store = LogStore(directory / "videodb_events.jsonl", keeping=Keeping(sync="none"), clock=time.time)
        self.store.open()
        clock = time.clock()
        self.counters = Counters(clock.uptime())
        history = StreamHistory(clock.corrected)
        self.journal = Journal(self.store, "service", None, clock)
        self.intake = Intake(self.store, self.counters, history, None)
        context = RecoveryContext(
            run_dir=RunDir(directory),
            collection="default",
            history=history,
            journal=self.journal,
            counters=self.counters,
            on_update=lambda _: None,
            watch_with=self.intake.watch_with,
            absorb_with=self.intake.absorb_with,
            flush=self.store.flush,
            has_room=lambda: True,
            clock=clock,
            in_thread=at_once,
        )
        self.recoverer = Recoverer(service, context, policy)
        log = ListenerLog(self.store, clear=False)
        log.is_open = True
        self.watch = ClockWatch(clock, log, self.journal, self.recoverer, lambda _: None)
        self.gaps = GapTracker(self.store, self.journal, self.counters, self.recoverer, lambda _: None, self.watch)
        self.youngest: FakeConnection | None = None
        self.draining: list[tuple[FakeConnection, str]] = []

    def lines(self) -> list[dict[str, Any]]:
        """Everything that is in the log, rotated files included: a clock that falls begins a new one."""
        self.store.flush(10.0)
        name = self.store.path.name
        logs = [path for path in self.store.path.parent.iterdir() if path.name.startswith(name)]
        return [json.loads(line) for log in logs for line in log.read_bytes().splitlines()]


class World:
    """A service, and a listener that may be started again."""

    def __init__(self, policy: RecoveryPolicy | None = None) -> None:
        self.time = VirtualTime()
        self.service = StreamService(self.time)
        self._policy = policy or RecoveryPolicy()
        self._directory = tempfile.TemporaryDirectory(prefix="videodb-recovery-")
        self.path = Path(self._directory.name)
        self._connections = 0
        self.listening = self._start()

    def close(self) -> None:
        """End everything."""
        self.listening.store.close()
        self.time.close()
        self._directory.cleanup()

    # ---- the listener --------------------------------------------------------------------------------------------

    def _start(self) -> Listening:
        listening = Listening(self.path, self.service, self.time, self._policy)
        self.time.run(listening.gaps.look_at_last_run())
        self.time.call(listening.recoverer.start)
        return listening

    def restart(self, *, is_killed: bool) -> None:
        """End the listener and start it again, without a connection."""
        for connection in self.open_connections():
            self.service.connections.pop(connection.connection_id, None)
        listening = self.listening
        if is_killed:
            recoverer: Any = listening.recoverer
            for task in (recoverer._adopting, recoverer._task, recoverer._session_ends._task):
                if task is not None:
                    task.cancel()
            self.time.pass_(0)
        else:
            self.time.run(listening.recoverer.stop())
            listening.journal.stopped(listening.counters.statement(self.time.monotonic()))
        listening.store.close()
        self.listening = self._start()

    def open_connections(self) -> list[FakeConnection]:
        """All connections that the listener has open."""
        listening = self.listening
        found = [connection for connection, _ in listening.draining]
        return [*found, listening.youngest] if listening.youngest is not None else found

    def _open(self) -> FakeConnection:
        self._connections += 1
        connection = FakeConnection(f"ws-{self._connections}")
        listening = self.listening
        handler = ConnectionHandler(
            cast(Connection, connection),
            listening.intake,
            on_healthy=lambda: None,
            on_new_id=listening.gaps.note_new_id,
        )

        def receive(raw: bytes) -> None:
            if connection.deaf_since is None:
                connection.last_message_at = self.time.monotonic()
                handler.handle(raw)
            else:
                self.service.sent.pop()

        self.service.connections[connection.connection_id] = receive
        return connection

    def connect(self) -> None:
        """Open a connection where none stood."""
        listening = self.listening
        connection = self._open()
        listening.youngest = connection
        self.time.call(listening.gaps.note_connection, connection)

    def go_deaf(self, connection: FakeConnection) -> None:
        """Let a connection die without anybody noticing."""
        connection.deaf_since = self.time.monotonic()

    def drop(self) -> None:
        """The youngest connection is gone."""
        listening = self.listening
        connection = listening.youngest
        assert connection is not None
        listening.youngest = None
        self.service.connections.pop(connection.connection_id, None)
        self.time.call(
            lambda: listening.gaps.note_loss(cast(Connection, connection), self._ended(connection), for_log=False)
        )

    def renew(self) -> None:
        """Open a connection beside the youngest one, which goes on until it ends."""
        listening = self.listening
        older = listening.youngest
        assert older is not None
        if listening.intake.duplicates is None:
            listening.intake.duplicates = CrossSocketDuplicates(self.time.monotonic)
        connection = self._open()
        listening.youngest = connection
        listening.draining.append((older, connection.connection_id))
        self.time.call(listening.gaps.note_renewal, connection, older)

    def end_draining(self, number: int) -> None:
        """A connection ends from which a younger one has taken over."""
        listening = self.listening
        connection, younger_id = listening.draining.pop(number)
        self.service.connections.pop(connection.connection_id, None)
        self.time.call(
            lambda: listening.gaps.note_drained(
                cast(Connection, connection), self._ended(connection), younger_id, for_log=False
            )
        )

    def replace_id(self, connection: FakeConnection) -> None:
        """The service gives an open connection another id; nothing goes to the old one any more."""
        self._connections += 1
        new = f"ws-{self._connections}"
        receive = self.service.connections.pop(connection.connection_id)
        self.service.connections[new] = receive
        self.time.call(receive_id, receive, new)

    def _ended(self, connection: FakeConnection) -> Ended:
        alive_at = connection.deaf_since or self.time.monotonic()
        return Ended("closed" if connection.deaf_since is None else "half_open", "it ended", None, alive_at)

    def set_clock(self, step_s: float) -> None:
        """Set the clock of our machine, forward or (negative) back; the service's stays."""

        def set_and_look() -> None:
            self.time.is_set(step_s)
            self.service.skew_s -= step_s
            self.listening.watch.look()

        self.time.call(set_and_look)

    # ---- what is true --------------------------------------------------------------------------------------------

    def hears(self, pipeline: FakePipeline) -> bool:
        """Whether what a pipeline makes reaches the listener."""
        return any(c.connection_id == pipeline.bound_to and c.deaf_since is None for c in self.open_connections())

    def dead(self) -> set[tuple[str, str | None]]:
        """What `status` says is dead: stream and index id."""
        return {(item["rtstream_id"], item["rtstream_index_id"]) for item in self.listening.recoverer.dead_pipelines()}

    def logged(self) -> tuple[Counter[str], Counter[str], Counter[str]]:
        """How often each text is in the log, how often it was received, and how often it is there as late."""
        lines = self.listening.lines()
        found: Counter[str] = Counter(_name(line) for line in lines if line.get("channel") != "videodb_cli")
        late: Counter[str] = Counter(
            _name(json.loads(line["data"]["message"])) for line in lines if line.get("event") == "listener.late"
        )
        return found, Counter(_name(event) for event in self.service.sent), late


def receive_id(receive: Any, connection_id: str) -> None:
    """Deliver the frame that gives a connection another id."""
    receive(json.dumps({"connection_id": connection_id}).encode())


def _name(event: dict[str, Any]) -> str:
    text = event.get("data", {}).get("text")
    return text if isinstance(text, str) else f"{event.get('event')} of {event.get('capture_session_id')}"
