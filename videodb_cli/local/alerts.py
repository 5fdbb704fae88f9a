"""Detection rules at work: records of an index are looked at for each of its alerts, and what matches is told."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from videodb_cli.local import events
from videodb_cli.local.analysis.base import OCR
from videodb_cli.local.events import Judgement
from videodb_cli.local.matching import Occurrences, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from videodb_cli.local.analysis.base import AnalysisRecord
    from videodb_cli.local.describe.describer import Describer
    from videodb_cli.local.describe.prompts import RuleAnswer
    from videodb_cli.local.events import Event
    from videodb_cli.local.state.jobs import Alert, Index
    from videodb_cli.local.state.records import RTStream
    from videodb_cli.local.state.service_state import ServiceState

_LOOK_BACK_S: Final = 5.0
_WORDS: Final = "words"  # the model of an alert that word matching has found, where another might have


class AlertDesk:
    """Tells an alert on its socket, to its callback URL, or both; once for each occurrence, while it is enabled.

    An alert also sees the record that came within the last five seconds before it was made: whoever makes an index and
    then its alert must not miss what is on the screen at that very moment.

    ``send(connection_id, event)`` reaches a socket, ``deliver(url, body)`` a callback URL. ``addresses(stream, start,
    end)`` gives the stream and player URL of a span of unix seconds, None if it is not recorded. With a ``describer``
    its model judges the rules; word matching does when that fails.
    """

    def __init__(
        self,
        state: ServiceState,
        send: Callable[[str | None, Event], object],
        deliver: Callable[[str, Mapping[str, object]], None],
        addresses: Callable[[RTStream, float, float], tuple[str, str] | None],
        describer: Describer | None = None,
    ) -> None:
        self._addresses = addresses
        self._state = state
        self._send = send
        self._deliver = deliver
        self._describer = describer
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
        if self._describer is None or alert.status != "enabled":
            self._match(stream, index, alert, record, None)
            return

        def judged(verdict: RuleAnswer | None) -> None:
            assert self._describer is not None  # noqa: S101 - see above
            if verdict is None:
                self._match(stream, index, alert, record, _WORDS)
            elif self._watches[alert.id].judged(verdict.is_match, lasts=is_state):
                why = Judgement(verdict.confidence, verdict.explanation, self._describer.model)
                self._tell(stream, index, alert, record, why)

        is_state = record.kind == "visual_index"
        self._describer.judge(alert.id, alert.rule.prompt, _observed(record), judged, is_state=is_state)

    def _match(self, stream: RTStream, index: Index, alert: Alert, record: AnalysisRecord, model: str | None) -> None:
        match = self._watches[alert.id].look(*_texts(record))
        if match is not None:
            self._tell(stream, index, alert, record, Judgement(match.confidence, model=model))

    def _tell(self, stream: RTStream, index: Index, alert: Alert, record: AnalysisRecord, why: Judgement) -> None:
        if alert.status != "enabled":
            return
        now = self._state.clock()
        event = events.alert(stream, index, alert, record, why=why, now=now)
        self._send(alert.ws_connection_id, event)
        if alert.callback_url is None:
            return
        session = self._state.session_of(stream)
        addresses = self._addresses(stream, record.start, record.end)
        self._deliver(alert.callback_url, events.alert_webhook(event, session, addresses, now))


def _texts(record: AnalysisRecord) -> tuple[str, str | None]:
    """What a record adds, and for a screen all that is on it."""
    if record.kind != "visual_index":
        return f"{record.text} {record.detail.get('transcript', '')}", None
    lines, new = record.detail.get("lines"), record.detail.get("new_lines")
    if isinstance(lines, list) and isinstance(new, list):
        described = [] if record.model == OCR else [record.text]
        return " ".join(map(str, [*described, *new])), " ".join(map(str, [*described, *lines]))
    return record.text, record.text


def _observed(record: AnalysisRecord) -> str:
    """What a model judges: the description, and beside it the words that were read or heard."""
    lines, said = record.detail.get("lines"), record.detail.get("transcript")
    parts = [record.text]
    if isinstance(lines, list) and lines:
        parts.append("Text on the screen: " + " · ".join(map(str, lines)))
    if said:
        parts.append(f"What was said: {said}")
    return "\n".join(parts)
