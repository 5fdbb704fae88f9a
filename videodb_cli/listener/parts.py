"""The parts of a listener. `assembly` makes them; nothing is added to one later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.announcer import Announcer
from videodb_cli.listener.clock_watch import ClockWatch
from videodb_cli.listener.connect import Connector
from videodb_cli.listener.counters import Counters
from videodb_cli.listener.current import CurrentConnection
from videodb_cli.listener.gaps import GapTracker
from videodb_cli.listener.intake import Intake, LineGate
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.log import ListenerLog
from videodb_cli.listener.policy import ListenerPolicy
from videodb_cli.listener.recovery.recoverer import Recoverer
from videodb_cli.listener.renewal import DrainingConnections
from videodb_cli.listener.retries import Retries
from videodb_cli.listener.run_files import RunFilesWriter
from videodb_cli.listener.trouble import TroubleInbox, TroubleTeller
from videodb_cli.listener.updates import (
    ListenerUpdate,
)


@dataclass(frozen=True, slots=True)
class ListenerParts:
    """What a listener is made of.

    Attributes:
        stopping: Set when the run is to end.
        came_back: Returns when there is reason to try again before the next attempt is due.
    """

    policy: ListenerPolicy
    on_update: Callable[[ListenerUpdate], None]
    stopping: asyncio.Event
    clock: ClockWatch
    counters: Counters
    store: LogStore
    log: ListenerLog
    gate: LineGate | None
    journal: Journal
    intake: Intake
    connector: Connector
    retries: Retries
    came_back: Callable[[], Awaitable[None]] | None
    gaps: GapTracker
    recoverer: Recoverer | None
    current: CurrentConnection
    draining: DrainingConnections
    files: RunFilesWriter
    announcer: Announcer
    troubles: TroubleInbox
    teller: TroubleTeller
