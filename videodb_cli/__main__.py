"""``python -m videodb_cli`` and the ``videodb`` script."""

from __future__ import annotations

import gc
import os
import sys


def run() -> None:
    """Run the command line of this process and end it with the right exit status."""
    # Imports make tens of thousands of objects that stay: collecting among them costs a tenth of the start-up time.
    gc.set_threshold(50_000, 10, 10)
    from videodb_cli.main import main

    status = main(sys.argv[1:])
    if sys.argv[1:2] == ["events"] or _has_stuck_worker():
        _leave_at_once(status)
    sys.exit(status)


def _has_stuck_worker() -> bool:
    """Tell whether a thread still waits for the system, say for a name server: the usual way out would join it."""
    threading = sys.modules.get("threading")
    return threading is not None and any(thread.name.startswith("asyncio_") for thread in threading.enumerate())


def _leave_at_once(status: int) -> None:
    """End without taking the interpreter apart, which would cost a reader of the log another tenth."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # the usual way out knows how to tell
    os._exit(status)


if __name__ == "__main__":
    run()
