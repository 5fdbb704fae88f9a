"""VideoDB at the command line, and for Python programs: hear every event, keep it, find it, and capture.

The public names are `EventLog`, `Event`, `Selection` and `listen`, and the errors in `videodb_cli.errors`. Everything
else may change in any release. See docs/python-api.md.
"""

from typing import TYPE_CHECKING, Any

from videodb_cli.version import __version__

if TYPE_CHECKING:
    from videodb_cli.app.embed import Listening, listen
    from videodb_cli.eventlog.log import EventLog
    from videodb_cli.eventlog.query.selection import Selection
    from videodb_cli.model.logged import Event

__all__ = ["Event", "EventLog", "Listening", "Selection", "__version__", "listen"]

# Imported at first use, so that `videodb --version` is fast.
_HOMES = {
    "Event": "videodb_cli.model.logged",
    "EventLog": "videodb_cli.eventlog.log",
    "Listening": "videodb_cli.app.embed",
    "Selection": "videodb_cli.eventlog.query.selection",
    "listen": "videodb_cli.app.embed",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'videodb_cli' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
