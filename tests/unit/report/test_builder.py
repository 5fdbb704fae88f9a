"""The law of the builder: every event is counted, whatever its shape, and stands where it happened."""

import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.pages import page_data, rows_of
from videodb_cli.report.builder import MAX_PAGE_BYTES, ReportBuilder

AT = 1772446530.0


def said(at: float, text: str = "hello", **data: Any) -> dict[str, Any]:
    members = {"text": text, "is_final": True, **data}
    return {"unix_ts": at, "channel": "transcript", "rtstream_name": "mic:default", "rtstream_id": "r", "data": members}


def built(*events: dict[str, Any], **options: Any) -> ReportBuilder:
    builder = ReportBuilder(**options)
    for event in events:
        builder.add(event)
    return builder


@pytest.mark.parametrize(
    ("event", "at"),
    [
        (said(AT), AT),
        (said(AT, start=(AT - 3) * 1000, end=(AT - 1) * 1000), AT - 3),
        (said(AT, start=AT - 3, end=AT - 1), AT - 3),
        (said(AT, start=12, end=14), AT - 2),
        (said(AT, start=AT - 90_000), AT),
        ({**said(AT, start=AT - 90_000), "recovered": True}, AT - 90_000),
        (said(AT, start="soon", end=None), AT),
        (said(AT, start=1e400, end=-1e400), AT),
        (said(AT, start=True), AT),
    ],
)
def test_an_event_stands_where_it_happened(event: dict[str, Any], at: float) -> None:
    (entry,) = built(event).content().entries
    assert entry.at == pytest.approx(at)
    assert entry.until >= entry.at


def test_events_without_a_time_stand_where_the_one_before_them_does() -> None:
    content = built(said(AT), {"channel": "alert", "data": {"label": "x"}}, said(1e400), said(-5)).content()
    assert [entry.at for entry in content.entries] == [AT] * 4
    assert "3 events without a time" in content.notes[0]


def test_gaps_are_no_events_and_say_from_when_to_when() -> None:
    data = {"from": "2026-03-02T10:15:30Z", "to": "2026-03-02T10:15:42Z", "seconds": 12, "reason": "closed"}
    gap = {"unix_ts": AT, "channel": "videodb_cli", "event": "listener.gap", "data": data}
    broken = {**gap, "data": {"from": "never", "to": 5, "seconds": 2.5}}
    content = built(gap, broken).content()
    assert content.events == 0
    assert [(found.end - found.start, found.text) for found in content.gaps] == [(2.5, ""), (12.0, "closed")]


def test_the_title_names_the_sessions() -> None:
    def life(name: str) -> dict[str, Any]:
        return {"unix_ts": AT, "event": "capture_session.active", "capture_session_id": name}

    titles = [built(*(life(f"cap-{n}") for n in range(count))).content().title for count in range(6)]
    assert titles == [
        "Events",
        "Session cap-0",
        "Sessions cap-0 and cap-1",
        "Sessions cap-0, cap-1 and cap-2",
        "Sessions cap-0, cap-1 and more",
        "Sessions cap-0, cap-1 and more",
    ]


def test_a_page_stays_small_and_says_what_it_leaves_out() -> None:
    builder = ReportBuilder(budget=100_000_000)
    for number in range(4000):
        builder.add(said(AT + number, " ".join(str(hash((number, k))) for k in range(20))))
    content, pieces = builder.page(max_bytes=300_000)
    assert sum(map(len, pieces)) <= 300_000
    assert content.events == 4000
    assert len(content.entries) < 4000
    assert any("transcript: 1 of every" in note for note in content.notes)
    assert len(rows_of(b"".join(pieces))) == len(content.entries)


def test_memory_does_not_grow_with_the_log() -> None:
    builder = ReportBuilder(budget=500_000)
    tracemalloc.start()
    try:
        for number in range(30_000):
            builder.add(said(AT + number, f"words that nobody said before {number} " * 5))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 12_000_000
    assert builder.content().events == 30_000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
KEYS = (
    "channel",
    "event",
    "type",
    "unix_ts",
    "ts",
    "data",
    "rtstream_id",
    "rtstream_name",
    "recovered",
    "raw",
    "status",
)
DATA = ("text", "start", "end", "is_final", "label", "confidence", "from", "to", "seconds", "stream_url", "error")
CHANNELS = st.sampled_from(["transcript", "alert", "visual_index", "capture_session", "videodb_cli"])


@given(
    st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                **dict.fromkeys(KEYS, JSON),
                "channel": CHANNELS | JSON,
                "event": st.sampled_from(["listener.gap", "capture_session.exported"]) | JSON,
                "data": st.fixed_dictionaries({}, optional=dict.fromkeys(DATA, JSON)) | JSON,
            },
        ),
        max_size=8,
    )
)
def test_no_shape_of_an_event_stops_it(events: list[dict[str, Any]]) -> None:
    builder = built(*events)
    content, pieces = builder.page()
    assert content.events + len(content.gaps) == len(events)
    assert page_data(b"".join(pieces))["events"] == content.events


def test_an_hour_of_events_is_built_in_no_time() -> None:
    began = time.process_time()
    builder = ReportBuilder()
    for number in range(20_000):
        builder.add(said(AT + number / 4, f"words {number % 4000}", start=(AT + number / 4) * 1000))
    _, pieces = builder.page()
    assert time.process_time() - began < 4
    assert sum(map(len, pieces)) < MAX_PAGE_BYTES / 2


def test_texts_are_redacted_and_the_page_says_so() -> None:
    builder = built(
        said(AT, "call alice"), said(AT + 1, "nothing"), redact=lambda text: text.replace("alice", "[name]")
    )
    content = builder.content(notes=("made here",))
    assert [entry.text for entry in content.entries] == ["call [name]", "nothing"]
    assert content.notes == ["made here", "1 event has parts that were redacted; --no-redact shows them."]
