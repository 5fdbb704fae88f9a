"""Says what `videodb events wait` waits for, and until when."""

from __future__ import annotations

import shlex
from datetime import datetime
from typing import TYPE_CHECKING

from videodb_cli.eventlog.query.criteria import Criteria
from videodb_cli.quantities import count_of, span

if TYPE_CHECKING:
    from collections.abc import Sequence


def waiting_for(criteria: Criteria, *, count: int, fail_on: Sequence[str], timeout_s: float | None, now: float) -> str:
    """Return a sentence: ``waiting for 1 event with --event exported, until 10:20:30 (5 min)``."""
    flags = _flags(criteria)
    said = f"waiting for {count_of(count, 'event')}" + (f" with {flags}" if flags else "")
    if fail_on:
        said += f"; fails on {' or '.join(fail_on)}"
    if timeout_s is None:
        return f"{said}; Ctrl-C ends it"
    try:
        until = datetime.fromtimestamp(now + timeout_s).strftime("%H:%M:%S")  # noqa: DTZ006 - local time is meant
    except (OverflowError, ValueError, OSError):
        return said
    return f"{said}, until {until} ({span(timeout_s)})"


def did_not_come(criteria: Criteria, timeout_s: float) -> str:
    """Return the sentence for a wait that timed out."""
    flags = _flags(criteria)
    names = criteria.event or ()
    if len(names) == 1 and flags == _flags(Criteria(event=names)):
        return f"timed out after {timeout_s:g} s: no {names[0]!r} event"
    return f"timed out after {timeout_s:g} s: no event" + (f" with {flags}" if flags else " came")


def _flags(criteria: Criteria) -> str:
    """Return the flags as they can be typed."""
    words: list[str] = []
    for name, value in criteria._asdict().items():
        option = f"--{name.replace('_', '-')}"
        if isinstance(value, bool):
            words += [option] * value
        elif isinstance(value, str):
            words.append(f"{option} {shlex.quote(value)}")
        else:
            words += [f"{option} {shlex.quote(item)}" for item in value or ()]
    return " ".join(words)
