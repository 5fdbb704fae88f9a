"""Garbage collection for processes that run for days."""

from __future__ import annotations

import gc

_THRESHOLDS = (1000, 10, 10)


def tune_for_long_running() -> None:
    """Set the usual thresholds of the collector, and exclude the objects of the start-up, which stay anyway.

    `__main__` raises the thresholds so that a command starts without a collection. With these a listener would keep the
    cycles of tens of thousands of calls, which looks like a leak of megabytes a minute.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
