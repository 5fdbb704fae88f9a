"""An event loop whose time passes only while everybody waits: hours take milliseconds, and every run is the same."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from videodb_cli.process.clock import Clock

T = TypeVar("T")


class _Selector(selectors.SelectSelector):
    """Waits for nothing but threads: a timeout is over at once, and time has passed."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            return super().select(10.0)
        ready = super().select(0)
        if not ready and timeout > 0:
            self.now += timeout
        return ready


class VirtualTime:
    """A loop with a clock of its own. ``wall_at_start`` is in Unix seconds."""

    def __init__(self, wall_at_start: float = 1772446530.0) -> None:
        self._selector = _Selector()
        self._loop = asyncio.SelectorEventLoop(self._selector)
        self._loop.time = lambda: self._selector.now  # type: ignore[method-assign]
        self._wall_at_start = wall_at_start

    def time(self) -> float:
        """Unix seconds."""
        return self._wall_at_start + self._selector.now

    def monotonic(self) -> float:
        """Seconds that are never set."""
        return 1000.0 + self._selector.now

    def clock(self) -> Clock:
        """Return the clock of a process that starts now."""
        return Clock(wall=self.time, uptime=self.monotonic)

    def is_set(self, step_s: float) -> None:
        """Set the wall clock, forward or (negative) back."""
        self._wall_at_start += step_s

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run what is given to its end, and everything else meanwhile."""
        return self._loop.run_until_complete(work)

    def call(self, work: Any, *arguments: Any) -> Any:
        """Call a function inside the loop."""

        async def call() -> Any:
            return work(*arguments)

        return self.run(call())

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.run(asyncio.sleep(seconds))

    def later(self, seconds: float, work: Any, *arguments: Any) -> None:
        """Call a function when so much time has passed."""
        self._loop.call_later(seconds, work, *arguments)

    def close(self) -> None:
        """End what still waits, and the loop."""
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        if tasks:
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()


async def at_once(work: Any, *arguments: Any, **named: Any) -> Any:
    """Stand in for `asyncio.to_thread`: without a thread, so that every run is the same."""
    return work(*arguments, **named)
