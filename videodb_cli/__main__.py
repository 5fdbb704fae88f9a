"""``python -m videodb_cli`` and the ``videodb`` script."""

from __future__ import annotations

import gc
import os
import sys

# Commands that only read the log, and `events` in front of them left out.
_READING = frozenset({"events", "tail", "filter", "search", "stats", "transcript", "wait"})


def run() -> None:
    """Run the command line of this process and end it with the right exit status."""
    # Imports create tens of thousands of lasting objects; garbage collections among them cost a tenth of the start-up.
    gc.set_threshold(50_000, 10, 10)
    if sys.argv[1:2] == ["__complete"]:
        _complete()
    from videodb_cli.main import main

    status = main(sys.argv[1:])
    if not _READING.isdisjoint(sys.argv[1:2]) or _has_stuck_worker():
        _leave_at_once(status)
    sys.exit(status)


def _complete() -> None:
    """Answer a shell that completes a command line, and end. The commands are not imported: that takes too long."""
    from videodb_cli.completion.answer import answer

    # The words of a command line, and the names of a log, may be any bytes.
    content = answer(sys.argv[2:]).encode("utf-8", "surrogateescape")
    try:
        while content:
            content = content[os.write(1, content) :]
    except OSError:
        pass  # nobody waits for the answer any more
    os._exit(0)


def _has_stuck_worker() -> bool:
    """Tell whether a thread still waits, for example for a name server; a normal exit would wait for it."""
    threading = sys.modules.get("threading")
    return threading is not None and any(thread.name.startswith("asyncio_") for thread in threading.enumerate())


def _leave_at_once(status: int) -> None:
    """End without the finalisation of the interpreter, which takes a tenth of the time of a short command."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return  # the normal exit reports it
    os._exit(status)


if __name__ == "__main__":
    run()
