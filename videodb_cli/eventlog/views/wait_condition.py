"""Decides what an event means to ``events wait``: success, failure or nothing."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from videodb_cli.model import event as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.model.event import Event

# Recovered events that are older than this do not count for a wait, unless the user asks for them.
OLD_S = 60.0


class Verdict(Enum):
    """What one event means for a wait."""

    NOTHING = 0
    COUNTS = 1
    FAILS = 2


class WaitCondition:
    """Distinguishes the events that are waited for from those that mean failure."""

    def __init__(self, selection: Selection, fail_on: tuple[str, ...], *, recovered: bool) -> None:
        self._tests = selection._replace(without_own=True).tests()
        self._fails: list[Callable[[Event], bool]] = []
        if fail_on:
            of_session = type(selection)(events=fail_on, session=selection.session, since=selection.since)
            self._fails = of_session.tests()
        self._recovered = recovered

    def check(self, event: Any) -> Verdict:
        """Return what a decoded line means."""
        if not isinstance(event, dict) or (not self._recovered and is_old(event)):
            return Verdict.NOTHING
        # An event that is selected by name is a success, even if it also means failure.
        if all(test(event) for test in self._tests):
            return Verdict.COUNTS
        if self._fails and all(test(event) for test in self._fails):
            return Verdict.FAILS
        return Verdict.NOTHING


def is_old(event: Event) -> bool:
    """Tell whether an event was recovered more than a minute after it had happened."""
    if not ev.is_recovered(event):
        return False
    happened, received = ev.happened_at(event), ev.received_at(event)
    return happened is not None and received is not None and received - happened > OLD_S
