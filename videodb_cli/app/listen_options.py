"""The options of `videodb listen`: one object for the command, the background process and the listener."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from videodb_cli.eventlog.write.store import Keeping
    from videodb_cli.listener.policy import ListenerPolicy
    from videodb_cli.listener.recovery.gap import RecoveryPolicy
    from videodb_cli.listener.redaction import Redaction


@dataclass(frozen=True, slots=True)
class ListenOptions:
    """How one listener behaves. Times are seconds, sizes bytes.

    Attributes:
        collection: The collection to listen in.
        clear: Clear the log after the first connection succeeds.
        local: Listen to the embedded service, and look for it again when it comes back at another address.
        max_retries: Give up after so many retries in a row; None never gives up.
        max_age_s: Open the next connection when one is this old; 0 never does.
        recover_window_s: How far back to read what a gap lost.
        no_recover: Recover nothing after a gap.
        sync: When lines are brought to the disk: ``none``, ``interval`` or ``always``.
        max_size: Begin a new log when one is so large; None never does.
        keep: With ``max_size``, how many older logs stay.
        max_seconds: End after so long; None: never.
        max_bytes: End once so many bytes were logged; None: never.
        redact: What is replaced before anything is written, as `Redactor.from_names` takes it.
    """

    collection: str = "default"
    clear: bool = False
    local: bool = False
    max_retries: int | None = None
    max_age_s: float = 6600.0
    recover_window_s: float = 86400.0
    no_recover: bool = False
    sync: str = "interval"
    max_size: int | None = None
    keep: int = 5
    max_seconds: float | None = None
    max_bytes: int | None = None
    redact: str | None = None
    poll_interval_s: float = 5.0
    settle_s: float = 60.0
    hold_s: float = 5.0
    overlap_s: float = 120.0
    first_retry_s: float = 1.0
    ping_interval_s: float = 15.0
    ping_timeout_s: float = 15.0
    healthy_after_s: float = 30.0
    id_timeout_s: float = 10.0

    def replaced(self, **changes: Any) -> Self:
        """Returns the same options with some changed."""
        return replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        """Returns the options as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """Reads what `to_json` returned."""
        return cls(**fields)

    def policy(self) -> ListenerPolicy:
        """Returns when to connect, to give up and to renew."""
        from videodb_cli.listener.connection import Timing
        from videodb_cli.listener.policy import ListenerPolicy

        return ListenerPolicy(
            clear=self.clear,
            max_retries=self.max_retries,
            healthy_after_s=self.healthy_after_s,
            max_age_s=self.max_age_s or None,
            max_seconds=self.max_seconds,
            max_bytes=self.max_bytes,
            first_retry_s=self.first_retry_s,
            timing=Timing(
                id_timeout_s=self.id_timeout_s,
                ping_interval_s=self.ping_interval_s,
                ping_timeout_s=self.ping_timeout_s,
            ),
        )

    def recovery(self) -> RecoveryPolicy | None:
        """Returns how to read back what a gap lost; None if nothing is to be read back."""
        from videodb_cli.listener.recovery.gap import RecoveryPolicy

        if self.no_recover:
            return None
        return RecoveryPolicy(
            window_s=self.recover_window_s,
            poll_s=self.poll_interval_s,
            settle_s=self.settle_s,
            hold_s=self.hold_s,
            hold_dead_s=min(2.0, self.hold_s / 2.5),
            overlap_s=self.overlap_s,
        )

    def redaction(self) -> Redaction | None:
        """Returns what replaces things before they are written; None if nothing does. Raises UsageError."""
        if self.redact is None:
            return None
        from videodb_cli.eventlog.query.redact import Redactor
        from videodb_cli.listener.redaction import Redaction

        return Redaction(Redactor.from_names(self.redact))

    def keeping(self) -> Keeping:
        """Returns how the log is synced and rotated."""
        from videodb_cli.eventlog.write.store import Keeping

        return Keeping(self.sync, self.max_size, self.keep if self.max_size is not None else None)
