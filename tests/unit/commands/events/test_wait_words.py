"""A wait says what it waits for, in the words of its flags, and until when."""

from __future__ import annotations

import math
import re

from videodb_cli.commands.events.wait_words import did_not_come, waiting_for
from videodb_cli.eventlog.query.criteria import Criteria

EXPORTED = Criteria(event=["exported"], session="last", grep=["two words"], live=True)
FLAGS = "--event exported --session last --grep 'two words' --live"


def test_what_is_waited_for() -> None:
    said = waiting_for(EXPORTED, count=2, fail_on=["failed"], timeout_s=300, now=1772446530)
    assert re.fullmatch(rf"waiting for 2 events with {FLAGS}; fails on failed, until \d\d:\d\d:\d\d \(5 min\)", said)
    assert waiting_for(Criteria(), count=1, fail_on=[], timeout_s=None, now=0) == "waiting for 1 event; Ctrl-C ends it"
    assert waiting_for(Criteria(), count=1, fail_on=[], timeout_s=math.inf, now=0) == "waiting for 1 event"


def test_what_did_not_come() -> None:
    assert did_not_come(EXPORTED, 3.0) == f"timed out after 3 s: no event with {FLAGS}"
    assert did_not_come(Criteria(), 0.5) == "timed out after 0.5 s: no event came"
