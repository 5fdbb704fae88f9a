"""Forwards events from the log in order to a URL or a command, with retries and a cursor.

The listener only writes the log; events are forwarded by a reader of the log. An endpoint that was down gets everything
once it is up again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Protocol

from videodb_cli.eventlog.matches import Batch
from videodb_cli.eventlog.read.cursor import Cursor
from videodb_cli.eventlog.read.sources import LogSource, open_source
from videodb_cli.eventlog.views.wait_condition import is_old

_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Delivery:
    """One or more events that are sent together. ``key`` is the same for the same events in every attempt and run."""

    lines: tuple[bytes, ...]
    events: tuple[dict[str, Any], ...]
    key: str

    @property
    def webhook_id(self) -> str:
        """The delivery's id by the Standard Webhooks scheme."""
        return f"msg_{self.key}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The receiver took the delivery: its answer, such as ``200``, and how long that took."""

    answer: str
    took_s: float


@dataclass(frozen=True, slots=True)
class Refused:
    """The receiver refused the delivery for good; ``why`` in words. ``status`` is that of HTTP or of the command."""

    why: str
    status: int | None = None


class StoppedError(Exception):
    """The forwarder was asked to end before the delivery was accepted."""


class DeliveryTarget(Protocol):
    """The receiver of deliveries. It waits and retries by itself until a delivery is accepted or refused."""

    def deliver(self, delivery: Delivery) -> Accepted | Refused:
        """Deliver, and return whether it was accepted. Raises StoppedError when asked to end."""


class Forwarder:
    """Forwards selected lines batch by batch. Old recovered events are left out unless ``recovered``.

    After each delivery the cursor is saved. What ``on_refused`` raises ends the run before the refused event.
    """

    def __init__(
        self,
        target: DeliveryTarget,
        *,
        recovered: bool = False,
        batch: int = 1,
        limit: int | None = None,
        cursor: Cursor | None = None,
        accepts: Callable[[bytes], bool] = lambda _line: True,
        on_accepted: Callable[[Delivery, Accepted], None] = lambda _delivery, _accepted: None,
        on_refused: Callable[[Delivery, Refused], None] = lambda _delivery, _refused: None,
    ) -> None:
        self._target = target
        self._recovered = recovered
        self._batch = batch
        self._left = limit
        self._cursor = cursor
        self._accepts = accepts
        self._on_accepted = on_accepted
        self._on_refused = on_refused

    @property
    def is_done(self) -> bool:
        """Whether the limit is reached."""
        return self._left == 0

    def take(self, lines: Batch) -> None:
        """Forwards the events of a batch. Raises StoppedError, with the cursor before the first event not accepted."""
        source = lines.source
        if source is None:
            return
        head = _first_line(source) if lines.lines else b""
        chosen: list[tuple[int, bytes, dict[str, Any]]] = []
        for line in lines.lines:
            event = line.decode()
            if not isinstance(event, dict) or (not self._recovered and is_old(event)):
                continue
            if not self._accepts(line.raw):
                continue
            chosen.append((line.offset, line.raw, event))
            if len(chosen) in {self._batch, self._left}:
                self._hand_over(source, head, chosen)
                chosen = []
                if self.is_done:
                    return  # the rest is for the next run
        if chosen:
            self._hand_over(source, head, chosen)
        if self._cursor is not None:
            self._cursor.save(source, lines.end)

    def _hand_over(self, source: LogSource, head: bytes, chosen: Sequence[tuple[int, bytes, dict[str, Any]]]) -> None:
        digest = sha256(head)
        for offset, line, _ in chosen:
            digest.update(b"%d:" % offset + line)
        delivery = Delivery(
            tuple(line for _, line, _ in chosen), tuple(event for _, _, event in chosen), digest.hexdigest()[:32]
        )
        outcome = self._target.deliver(delivery)
        if isinstance(outcome, Refused):
            self._on_refused(delivery, outcome)
        else:
            self._on_accepted(delivery, outcome)
        if self._left is not None:
            self._left -= len(chosen)
        if self._cursor is not None:
            offset, line, _ = chosen[-1]
            self._cursor.save(source, offset + len(line) + 1)


def _first_line(source: LogSource) -> bytes:
    """Return the first line, which identifies a file: another file may have an equal line at the same offset."""
    if source.is_stream:
        return b""
    with open_source(source) as file:
        head = file.read(_HEAD)
    return head[: head.find(b"\n") + 1] or head


class Stop:
    """A request to end, and a sleep that it interrupts."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        # Monotonic seconds.
        self.asked_at = 0.0

    def ask(self, *_: object) -> None:
        """Ask to end. May be called from a signal handler."""
        if not self._asked.is_set():
            self.asked_at = time.monotonic()
        self._asked.set()

    @property
    def is_asked(self) -> bool:
        """Whether somebody has asked to end."""
        return self._asked.is_set()

    def sleep(self, seconds: float) -> None:
        """Wait. Raises StoppedError when asked to end."""
        if self._asked.wait(seconds):
            raise StoppedError

    def check(self) -> None:
        """Raises StoppedError when asked to end."""
        if self.is_asked:
            raise StoppedError

    def check_after(self, grace_s: float) -> None:
        """Raises StoppedError if asked to end at least so many seconds ago."""
        if self.is_asked and time.monotonic() >= self.asked_at + grace_s:
            raise StoppedError
