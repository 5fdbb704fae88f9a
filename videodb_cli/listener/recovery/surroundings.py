"""What a recovery needs of the listener that it belongs to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from videodb_cli.listener.counters import Counters
from videodb_cli.listener.journal import Journal
from videodb_cli.listener.recovery.seen import Seen
from videodb_cli.listener.updates import ListenerUpdate
from videodb_cli.model.event import Event
from videodb_cli.process.clock import Clock
from videodb_cli.rundir.paths import RunDir


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a recovery finds in its listener.

    ``watch_with`` takes who is to see every live event, or None; ``absorb_with`` who takes those that are in the log as
    recovered, instead of the log; ``flush`` waits, in a thread, until everything that was received is in the log;
    ``has_room`` says whether the log takes more at the moment.
    """

    run_dir: RunDir
    collection: str
    seen: Seen
    journal: Journal
    counters: Counters
    on_update: Callable[[ListenerUpdate], None]
    watch_with: Callable[[Callable[[Event], None] | None], None]
    absorb_with: Callable[[Callable[[Event, bytes], bool]], None]
    flush: Callable[[float], bool]
    has_room: Callable[[], bool]
    clock: Clock
