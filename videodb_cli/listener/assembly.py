"""Puts a listener together. Each part is made once, from parts that are there already."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from videodb_cli.api.streams import StreamCalls
from videodb_cli.eventlog.write.store import LogStore, LogTrouble
from videodb_cli.listener.announcer import Announcer
from videodb_cli.listener.backoff import CAP_S, FIRST_S, Backoff
from videodb_cli.listener.clock_watch import ClockWatch
from videodb_cli.listener.connect import Connector
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.current import CurrentConnection
from videodb_cli.listener.gaps import GapTracker
from videodb_cli.listener.intake import MAX_PENDING_BYTES, Intake, LineGate
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.listener import Listener
from videodb_cli.listener.log import ListenerLog
from videodb_cli.listener.parts import ListenerParts
from videodb_cli.listener.policy import ListenerPolicy
from videodb_cli.listener.recovery.gap import RecoveryPolicy
from videodb_cli.listener.recovery.history import StreamHistory
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.recovery.writer import RecoveryContext
from videodb_cli.listener.renewal import DrainingConnections
from videodb_cli.listener.retries import Retries
from videodb_cli.listener.run_files import RunFiles, RunFilesWriter
from videodb_cli.listener.state_report import StateReport
from videodb_cli.listener.trouble import TroubleInbox, TroubleTeller
from videodb_cli.listener.updates import ListenerUpdate
from videodb_cli.model.event import Event
from videodb_cli.process.clock import Clock
from videodb_cli.rundir.paths import RunDir

if TYPE_CHECKING:
    # Imported by those who redact only: its rules take time to compile.
    from videodb_cli.listener.redaction import Redaction


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenerInputs:
    """What a listener needs from outside.

    Attributes:
        run_dir: Where its files are written.
        store: The log, which is not open yet.
        troubles: Where the store leaves word when it cannot write.
        host: The service, for the log and `status`.
        fresh_url: Asks the control plane for a socket URL.
        policy: How the run behaves.
        on_update: Gets what happens.
        on_line: Gets every line as it is logged.
        output_dropped: Returns how many of those lines were not shown.
        calls: The control plane, to read back what a gap lost.
        recovery: How to read back; None reads nothing back. Needs ``calls``.
        collection: The collection of capture sessions whose own is not known.
        redaction: Redacts what is written; None writes everything as it came.
        backoff: When to try again; by default as the policy says.
        came_back: Returns when there is reason to try again at once; None: there is never one.
    """

    run_dir: RunDir
    store: LogStore
    troubles: TroubleInbox
    host: str
    fresh_url: Callable[[], Awaitable[str]]
    policy: ListenerPolicy
    on_update: Callable[[ListenerUpdate], None]
    on_line: Callable[[bytes, Event | None], None] | None = None
    output_dropped: Callable[[], int] = lambda: 0
    calls: StreamCalls | None = None
    recovery: RecoveryPolicy | None = None
    collection: str = "default"
    backoff: Backoff | None = None
    came_back: Callable[[], Awaitable[None]] | None = None
    redaction: Redaction | None = None


def assemble(given: ListenerInputs) -> Listener:
    """Return a listener that is ready to run. To be called where the event loop runs."""
    policy, store, on_update = given.policy, given.store, given.on_update
    clock = Clock()
    counters = Counters(clock.uptime())
    gate = LineGate(given.on_line) if given.on_line is not None else None
    redaction = given.redaction
    journal = Journal(store, given.host, gate, clock, redaction)
    history = StreamHistory(clock.corrected)
    intake = Intake(store, counters, history, gate, redaction)
    recoverer = _recoverer(given, clock, counters, journal, history, intake)
    log = ListenerLog(store, clear=policy.clear)
    clock_watch = ClockWatch(clock, log, journal, recoverer, on_update)
    gaps = GapTracker(store, journal, counters, recoverer, on_update, clock_watch)
    draining = DrainingConnections(intake, gaps)
    current = CurrentConnection()
    report = StateReport(
        host=given.host,
        timing=policy.timing,
        store=store,
        counters=counters,
        recoverer=recoverer,
        current=current,
        draining=draining,
        clock=clock_watch,
        output_dropped=given.output_dropped,
        redacted=lambda: {} if redaction is None else dict(redaction.counts),
    )
    troubles = given.troubles
    files = RunFilesWriter(RunFiles(given.run_dir), report.state, lambda reason: troubles.put(LogTrouble(reason)))
    default = Backoff(policy.first_retry_s, policy.first_retry_s * CAP_S / FIRST_S)
    return Listener(
        ListenerParts(
            policy=policy,
            on_update=on_update,
            stopping=asyncio.Event(),
            clock=clock_watch,
            counters=counters,
            store=store,
            log=log,
            gate=gate,
            journal=journal,
            intake=intake,
            connector=Connector(given.fresh_url, policy.timing, intake),
            retries=Retries(policy, given.backoff or default),
            came_back=given.came_back,
            gaps=gaps,
            recoverer=recoverer,
            current=current,
            draining=draining,
            files=files,
            announcer=Announcer(store, files, gate, current, on_update),
            troubles=troubles,
            teller=TroubleTeller(store, policy.log_warning_s, on_update),
        )
    )


def _recoverer(
    given: ListenerInputs, clock: Clock, counters: Counters, journal: Journal, history: StreamHistory, intake: Intake
) -> Recoverer | None:
    if given.calls is None or given.recovery is None:
        return None
    store = given.store
    context = RecoveryContext(
        run_dir=given.run_dir,
        collection=given.collection,
        history=history,
        journal=journal,
        counters=counters,
        on_update=given.on_update,
        watch_with=intake.watch_with,
        absorb_with=intake.absorb_with,
        flush=store.flush,
        has_room=lambda: store.pending_bytes < MAX_PENDING_BYTES // 2,
        clock=clock,
    )
    return Recoverer(given.calls, context, given.recovery)
