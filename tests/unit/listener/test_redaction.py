"""Records that are read back are redacted before they are compared with the log, so that both sides agree."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

from videodb_cli.api.control_plane import ControlPlane
from videodb_cli.eventlog.query.redact import Redactor
from videodb_cli.eventlog.write.record import compose
from videodb_cli.listener.recovery.evidence import event_fingerprint
from videodb_cli.listener.recovery.records import live_event, record_of
from videodb_cli.listener.redaction import Redaction

RECORD = {"text": "mail bob@example.com", "start": 1_700_000_000.0, "end": 1_700_000_002.0}


class Service:
    """Answers the one call of recovery."""

    async def call(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        assert (method, body) == ("GET", None)
        assert "/transcription" in path
        return {"transcription_records": [RECORD]}


def test_a_record_and_its_live_event_are_the_same_after_redaction() -> None:
    redaction = Redaction(Redactor.from_names("email"))
    calls = redaction.calls(cast("ControlPlane", Service()))
    (item,) = asyncio.run(calls.transcription_records("rts-1", 0.0))
    assert item["text"] == "mail [email]"
    record = record_of(item)
    assert record is not None
    live = live_event("transcript", "rts-1", None, record)
    sent = {key: value for key, value in live_event("transcript", "rts-1", None, record).items() if key != "recovered"}
    sent["data"] = {**sent["data"], "text": RECORD["text"]}
    rest, event = redaction.composed(*compose(json.dumps(sent).encode()))
    assert b"bob@example.com" not in rest
    assert rest.startswith(b'"redacted":["email"],')
    assert event is not None
    assert event_fingerprint(event) == event_fingerprint(live)
    assert redaction.counts == {"email": 1}


def test_a_recovered_event_is_marked_and_counted() -> None:
    redaction = Redaction(Redactor.from_names("email,cards"))
    event = {"channel": "transcript", "data": {"text": "mail [email] or a@b.example"}, "recovered": True}
    found = redaction.recovered(event)
    assert next(iter(found)) == "redacted"
    assert found["redacted"] == ["email"]
    assert found["data"] == {"text": "mail [email] or [email]"}
    assert redaction.counts == {"email": 2}
    clean = {"channel": "transcript", "data": {"text": "nothing"}, "recovered": True}
    assert redaction.recovered(clean) is clean
