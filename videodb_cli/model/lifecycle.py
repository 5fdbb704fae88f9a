"""The life cycle of a capture session: its statuses in their order, and what each of them means.

The service may send statuses that are not listed here: they are kept and shown, but nothing depends on them.
"""

from __future__ import annotations

from typing import Any, Final

from videodb_cli.model.event import channel_of, data_of, name_of

CHANNEL: Final = "capture_session"
FAILED: Final = "failed"
# In the order in which a session goes through them. It can fail in each of them.
STEPS: Final = ("created", "starting", "active", "stopping", "stopped", "exported")
STATUSES: Final = frozenset((*STEPS, FAILED))
# The capture has not come to its end yet.
RUNNING: Final = frozenset(("created", "starting", "active", "stopping"))
# The service accepts no more media. It may still process what it has.
CLOSED: Final = frozenset(("stopping", "stopped", "exported", FAILED))
# The streams make no more events. After `stopped` the export may still come.
OVER: Final = frozenset(("stopped", "exported", FAILED))
# No other status follows.
FINAL: Final = frozenset(("exported", FAILED))

_RANKS: Final = {name: rank for rank, name in enumerate(STEPS)}
_PREFIX: Final = f"{CHANNEL}."


def is_over(status: str | None) -> bool:
    """Tell whether the streams of a session with this status make no more events; False for an unknown status."""
    return status in OVER


def is_later(status: str, known: str | None) -> bool:
    """Tell whether a status comes after another one. False for an unknown status."""
    if known in FINAL:
        return False
    return status == FAILED or _RANKS.get(status, -1) > _RANKS.get(known or "", -1)


def event_name(status: str) -> str:
    """Return the name of the event that tells of a status."""
    return f"{_PREFIX}{status}"


def is_about_session(event: dict[str, Any]) -> bool:
    """Tell whether an event is one of the life cycle: by its channel, or by its name."""
    return channel_of(event) == CHANNEL


def status_of(event: dict[str, Any]) -> str | None:
    """Return the status that a life-cycle event tells of: the last word of its name, else its ``status``."""
    name = name_of(event)
    if name is not None and name.startswith(_PREFIX):
        return name.removeprefix(_PREFIX)
    stated = (event.get("status"), data_of(event).get("status"))
    return next((status for status in stated if isinstance(status, str) and status), None)
