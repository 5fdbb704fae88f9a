"""Whether an endpoint is worth a question now. One log line for each change of state."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

FIRST_PAUSE_S: Final = 5.0
LONGEST_PAUSE_S: Final = 60.0


class Circuit:
    """After a failure nothing is asked for a while; then one question tries, and its answer decides.

    Args:
        place: The endpoint's address for the log.
        clock: Monotonic seconds.
    """

    def __init__(self, place: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._place = place
        self._clock = clock
        self._reason: str | None = None
        self._pause_s = FIRST_PAUSE_S
        self._next = 0.0
        self._is_trying = False
        self._failing_since = 0.0

    @property
    def reason(self) -> str | None:
        """Why the endpoint is not asked; None while it answers."""
        return self._reason

    def may_ask(self) -> bool:
        """Whether to ask now. While it fails, only one question tries again."""
        if self._reason is None:
            return True
        if self._is_trying or self._clock() < self._next:
            return False
        self._is_trying = True
        return True

    def succeeded(self) -> None:
        """A question was answered."""
        if self._reason is not None:
            log.warning("the endpoint %s answers again, after %.0f s", self._place, self._clock() - self._failing_since)
        self._reason, self._is_trying, self._pause_s = None, False, FIRST_PAUSE_S

    def failed(self, reason: str, retry_after_s: float | None = None) -> None:
        """A question was not answered."""
        now = self._clock()
        if self._reason is None:
            self._failing_since = now
            log.warning(
                "the endpoint %s does not describe: %s; until it answers, text recognition and word matching do",
                self._place,
                reason,
            )
        elif self._is_trying:
            self._pause_s = min(LONGEST_PAUSE_S, 2 * self._pause_s)
        self._reason, self._is_trying = reason, False
        self._next = now + min(LONGEST_PAUSE_S, max(self._pause_s, retry_after_s or 0.0))
