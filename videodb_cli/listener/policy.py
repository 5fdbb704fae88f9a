"""How one run of the listener behaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from videodb_cli.listener.backoff import FIRST_S
from videodb_cli.listener.connection import Timing


@dataclass(frozen=True, slots=True)
class ListenerPolicy:
    """How one run behaves. Times are seconds.

    Attributes:
        clear: Clear the log after the first connection succeeds.
        max_retries: Give up after so many retries in a row; None never gives up.
        final_refusal_after_s: After a connection stood, a refused key is final when nothing else came for so long.
        max_age_s: When a connection is that old, the next one is opened beside it; None: never.
        max_seconds: End after so long; None: never.
        max_bytes: End once so many bytes were logged in this run; None: never.
    """

    clear: bool = False
    max_retries: int | None = None
    healthy_after_s: float = 30.0
    final_refusal_after_s: float = 600.0
    heartbeat_s: float = 5.0
    log_warning_s: float = 60.0
    max_age_s: float | None = 6600.0
    max_seconds: float | None = None
    max_bytes: int | None = None
    first_retry_s: float = FIRST_S
    timing: Timing = field(default_factory=Timing)
