"""What follows a failed attempt or a lost connection: another attempt, when, or the end."""

from __future__ import annotations

import time

from videodb_cli.api.failures import KeyRefusedError
from videodb_cli.errors import UnreachableError
from videodb_cli.listener.backoff import Backoff
from videodb_cli.listener.policy import ListenerPolicy
from videodb_cli.network.failures import FINAL


class Retries:
    """Decides which failure ends the listener, and how long to wait after any other.

    Attributes:
        has_stood: Whether a connection stood in this run. A refusal before that ends it at once.
    """

    def __init__(self, policy: ListenerPolicy, backoff: Backoff) -> None:
        self._policy = policy
        self._backoff = backoff
        self._refused_since: float | None = None
        self.has_stood = False

    def judge(self, error: Exception) -> None:
        """Take the failure of an attempt. Raises it if it is final."""
        if isinstance(error, KeyRefusedError):
            # A refusal is final before any connection has stood, or after ten minutes of nothing else.
            now = time.monotonic()
            if self._refused_since is None:
                self._refused_since = now
            if not self.has_stood or now - self._refused_since >= self._policy.final_refusal_after_s:
                raise error
            return
        if isinstance(error, FINAL) and not self.has_stood:
            raise error
        self._refused_since = None

    def connected(self) -> None:
        """An attempt succeeded."""
        self._refused_since = None

    def forgive(self) -> None:
        """A connection has proved healthy: the next failure is the first one again."""
        self._backoff.forgive()

    def next_delay_s(self, reason: str, retry_after_s: float | None) -> float:
        """Return the seconds until the next attempt. Raises UnreachableError after the last one."""
        delay_s = self._backoff.next_delay_s(retry_after_s)
        limit = self._policy.max_retries
        if limit is not None and self._backoff.failures > limit:
            tries = "without a retry" if limit == 0 else "after 1 retry" if limit == 1 else f"after {limit} retries"
            raise UnreachableError(f"gave up {tries}: {reason}", code="gave_up", hint="videodb doctor")
        return delay_s
