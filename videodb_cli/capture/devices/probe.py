"""What a look at one kind of device gives: channels, or one sentence that says why there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from videodb_cli.capture.channels import Channel


@dataclass(frozen=True, slots=True)
class Probe:
    """Channels of one look; ``reason`` is set when there are none."""

    channels: tuple[Channel, ...] = ()
    reason: str | None = None

    @classmethod
    def none(cls, reason: str) -> Self:
        """Nothing, because of this."""
        return cls((), reason)


def with_deadline(ask: Callable[[], Probe], seconds: float, otherwise: str) -> Probe:
    """Ask in a thread of its own: a server that accepts and then says nothing must not hang us.

    The thread is a daemon, because nothing can end a read that never returns.
    """
    answers: list[Probe] = []
    thread = threading.Thread(target=lambda: answers.append(ask()), name="device probe", daemon=True)
    thread.start()
    thread.join(seconds)
    return answers[0] if answers else Probe.none(otherwise)
