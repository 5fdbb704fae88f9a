"""What a process does once it is to live for days, not for the blink of a command."""

from __future__ import annotations

import gc

_THRESHOLDS = (1000, 10, 10)


def tune_for_long_running() -> None:
    """Collect garbage as long-lived processes do, and leave out what the start has made: that stays anyway.

    `__main__` lets a command's start-up pass without a collection. A listener that went on so would keep the cycles of
    tens of thousands of calls before it looked for them, which looks, and feels, like a leak of megabytes a minute.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
