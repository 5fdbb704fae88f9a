"""When to try again: exponential backoff with full jitter, forgiven late. Pure: the random source is an argument."""

from __future__ import annotations

import random
from collections.abc import Callable

FIRST_S = 1.0
CAP_S = 60.0


class Backoff:
    """Counts failures in a row and says how long to wait before the next attempt.

    A server that accepts and closes at once would be hammered if every accepted connection counted as a success, so
    only `forgive`, called when a connection has proved healthy, starts the count anew.
    """

    def __init__(
        self,
        first_s: float = FIRST_S,
        cap_s: float = CAP_S,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self._first_s = first_s
        self._cap_s = cap_s
        self._uniform = uniform
        self.failures = 0

    def next_delay_s(self, retry_after_s: float | None = None) -> float:
        """Count one failure and return the seconds to wait: a draw from 0 to the doubled ceiling.

        What the server asked for is a floor, with up to a tenth more, so that a crowd does not come back as one.
        """
        ceiling = min(self._cap_s, self._first_s * 2.0 ** min(self.failures, 32))
        self.failures += 1
        delay = self._uniform(0.0, ceiling)
        if retry_after_s is not None and delay < retry_after_s:
            delay = retry_after_s + self._uniform(0.0, min(retry_after_s * 0.1, 1.0))
        return delay

    def forgive(self) -> None:
        """A connection has proved healthy: the next failure is the first one again."""
        self.failures = 0
