"""Detection rules at work: records of an index are looked at for each of its alerts, and what matches is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from videodb_cli.local import events
from videodb_cli.local.matching import Occurrences, Rule

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.local.analysis.base import AnalysisRecord
    from videodb_cli.local.matching import RuleMatch
    from videodb_cli.local.sockets import Hub
    from videodb_cli.local.state.jobs import Alert, Index
    from videodb_cli.local.state.records import RTStream
    from videodb_cli.local.state.service_state import ServiceState
    from videodb_cli.local.webhooks import Webhooks

_LOOK_BACK_S: Final = 5.0


class AlertDesk:
    """Tells an alert on its socket, to its callback URL, or both; once for each occurrence, while it is enabled.

    An alert also sees the record that came within the last five seconds before it was made: whoever makes an index and
    then its alert must not miss what is on the screen at that very moment.

    ``addresses(stream, start, end)`` gives the stream and player URL of a span of unix seconds, None if it is not
    recorded.
    """

    def __init__(
        self,
        state: ServiceState,
        hub: Hub,
        webhooks: Webhooks,
        addresses: Callable[[RTStream, float, float], tuple[str, str] | None],
    ) -> None:
        self._addresses = addresses
        self._state = state
        self._hub = hub
        self._webhooks = webhooks
        self._watches: dict[str, Occurrences] = {}
        self._latest: dict[
            str, tuple[float, AnalysisRecord]
        ] = {}  # of each index, with the monotonic time of its coming

    def made(self, stream: RTStream, index: Index, alert: Alert) -> None:
        """A new alert."""
        self._watches[alert.id] = Occurrences(Rule(alert.rule.prompt))
        came, record = self._latest.get(index.id, (0.0, None))
        if record is not None and time.monotonic() - came <= _LOOK_BACK_S:
            self._look(stream, index, alert, record)

    def take(self, stream: RTStream, index: Index, record: AnalysisRecord) -> None:
        """A record that ``index`` has found."""
        self._latest[index.id] = (time.monotonic(), record)
        for alert in index.alerts.values():
            self._look(stream, index, alert, record)

    def _look(self, stream: RTStream, index: Index, alert: Alert, record: AnalysisRecord) -> None:
        match = self._watches[alert.id].look(*_texts(record))
        if match is not None and alert.status == "enabled":
            self._tell(stream, index, alert, record, match)

    def _tell(self, stream: RTStream, index: Index, alert: Alert, record: AnalysisRecord, match: RuleMatch) -> None:
        now = self._state.clock()
        event = events.alert(stream, index, alert, record, confidence=match.confidence, now=now)
        self._hub.send(alert.ws_connection_id, event)
        if alert.callback_url is None:
            return
        session = self._state.session_of(stream)
        addresses = self._addresses(stream, record.start, record.end)
        self._webhooks.send(alert.callback_url, events.alert_webhook(event, session, addresses, now))


def _texts(record: AnalysisRecord) -> tuple[str, str | None]:
    """What a record adds, and for a screen all that is on it."""
    if record.kind != "visual_index":
        return f"{record.text} {record.detail.get('transcript', '')}", None
    lines, new = record.detail.get("lines"), record.detail.get("new_lines")
    if isinstance(lines, list) and isinstance(new, list):
        return " ".join(map(str, new)), " ".join(map(str, lines))
    return record.text, record.text
