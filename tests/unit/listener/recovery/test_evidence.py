"""What the log holds, and what proves that an index speaks to us."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.listener.recovery.evidence import (
    Fingerprint,
    KnownRecords,
    LiveEvidence,
    UnattributedEvent,
    event_fingerprint,
    normalised,
)
from videodb_cli.listener.recovery.gap import RecoveryPolicy
from videodb_cli.listener.recovery.pipeline import Pipeline, State
from videodb_cli.model.event import Event

T = 1772446530.0


def said(text: str, start: float = T, stream: str = "rts-1", **more: Any) -> Event:
    data = {"text": text, "is_final": True, "start": int(start * 1000), "end": int((start + 2) * 1000), **more}
    return {"channel": "transcript", "rtstream_id": stream, "rtstream_name": "mic:default", "data": data}


def fingerprint(text: str, start: float, end: float, stream: str = "rts-1", channel: str = "transcript") -> Fingerprint:
    return Fingerprint((stream, channel, normalised(text)), (start, end))


def known_of(*events: Event) -> KnownRecords:
    known = KnownRecords()
    for event in events:
        known.add(event_fingerprint(event))
    return known


# ---- what the log holds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start", "end", "is_known"),
    [
        ("Hello there", T, T + 2, True),
        ("  hello \u00a0THERE\n", T + 0.9994, T + 2.9994, True),
        ("Hello there", T + 1.0, T + 2, False),
        ("Hello there", T, T + 3.0, False),
        ("Hello, there", T, T + 2, False),
    ],
)
def test_what_is_the_same(text: str, start: float, end: float, is_known: bool) -> None:
    known = known_of(said("Hello there"))
    assert (fingerprint(text, start, end) in known) is is_known
    assert fingerprint(text, start, end, stream="rts-2") not in known
    assert fingerprint(text, start, end, channel="audio_index") not in known


def test_an_interim_transcript_is_not_its_final() -> None:
    assert event_fingerprint(said("Hello", is_final=False)) is None


def test_scene_index_is_visual_index() -> None:
    known = known_of({**said("A slide"), "channel": "scene_index"})
    assert fingerprint("A slide", T, T + 2, channel="visual_index") in known


def test_what_is_added_again_takes_no_more_room() -> None:
    known, other = known_of(said("x"), said("x")), known_of(said("x"), said("x"))
    known.add_all(other)
    assert len(known) == 1


def test_forgetting() -> None:
    known = known_of(said("old"), said("new", T + 100), said("elsewhere", stream="rts-2"))
    known.drop_before(lambda stream, _: T + 50 if stream == "rts-1" else T)
    assert len(known) == 2
    assert fingerprint("new", T + 100, T + 102) in known
    known.clear()
    assert len(known) == 0


@given(st.text())
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalised(text)
    assert " ".join(once.split()) == once


# ---- what proves something ---------------------------------------------------------------------------------------

POLICY = RecoveryPolicy()


class Channel:
    """Indexes of one channel, and live events that do not say of which of them they are."""

    def __init__(self, *indexes: str) -> None:
        self.evidence = LiveEvidence()
        self.pipelines = [Pipeline("rts-1", "visual_index", "visual_index", i, T - 100, 0.0, POLICY) for i in indexes]
        self.is_listed = True

    def came(self, text: str | None = "seen", at: float = 100.0) -> UnattributedEvent:
        said = None if text is None else fingerprint(text, T, T + 2, channel="visual_index")
        event = UnattributedEvent("rts-1", "visual_index", said, "ws-2", at, T)
        self.evidence.add(event)
        return event

    def asked(self, at: float) -> None:
        for pipeline in self.pipelines:
            pipeline.asked_at = at

    def live(self) -> list[str | None]:
        self.evidence.attribute(lambda _: self.pipelines if self.is_listed else None)
        return [pipeline.index_id for pipeline in self.pipelines if pipeline.state is State.LIVE]


def test_the_only_index_made_it() -> None:
    channel = Channel("idx-1")
    channel.is_listed = False
    channel.came(None)
    assert channel.live() == [], "there may be another one by now"
    channel.is_listed = True
    assert channel.live() == ["idx-1"]
    assert channel.pipelines[0].connection_id == "ws-2"
    assert len(channel.evidence) == 0


def test_of_two_the_one_whose_records_hold_it() -> None:
    channel = Channel("idx-1", "idx-2")
    channel.came().held_by.add("idx-2")
    channel.asked(150.0)
    assert channel.live() == [], "the record of the other one may still appear"
    channel.asked(160.0)
    assert channel.live() == ["idx-2"]


@pytest.mark.parametrize("holders", [(), ("idx-1", "idx-2")])
def test_of_two_that_say_the_same_none(holders: tuple[str, ...]) -> None:
    channel = Channel("idx-1", "idx-2")
    channel.came().held_by.update(holders)
    channel.asked(500.0)
    assert channel.live() == []
    assert len(channel.evidence) == 0


@pytest.mark.parametrize("why", ["no words", "not asked for that time"])
def test_what_no_record_can_tell_proves_nothing(why: str) -> None:
    channel = Channel("idx-1", "idx-2")
    channel.came(None if why == "no words" else "seen").held_by.add("idx-2")
    channel.asked(500.0)
    if why == "not asked for that time":
        channel.pipelines[0].since = T + 1
    assert channel.live() == []
    assert len(channel.evidence) == 0


def test_what_came_over_a_connection_that_is_closed_proves_nothing() -> None:
    channel = Channel("idx-1")
    channel.came()
    channel.evidence.on_connection_closed("ws-1")
    assert len(channel.evidence) == 1
    channel.evidence.on_connection_closed("ws-2")
    assert channel.live() == []


def test_the_oldest_of_too_many_are_forgotten() -> None:
    channel = Channel("idx-1", "idx-2")
    for number in range(1100):
        channel.came(at=float(number))
    assert len(channel.evidence) == 1000
    assert len(channel.evidence.of(channel.pipelines[0])) == 1000
    channel.evidence.clear()
    assert len(channel.evidence) == 0
