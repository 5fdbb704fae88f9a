"""A summary holds its budget, tells of every part, and is the same for the same events."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videodb_cli.eventlog.views.next_commands import Origin
from videodb_cli.eventlog.views.summary import LEAST_TOKENS, Summary, summarize
from videodb_cli.model.logged import Event

_DAY = 1_772_446_530.0
CHINESE = "数据库迁移失败了。我们回滚吧\uff01"
WORDS = st.text(min_size=0, max_size=400) | st.sampled_from(
    [CHINESE, "The deploy failed. Roll back now!", "x" * 3000, "\x1b[31mred\n\ud800", ""]
)
NAMES = st.text(max_size=30) | st.sampled_from(["mic:default", "display:1", "長" * 200])


def said(text: str, at: float = _DAY, stream: str = "mic:default") -> dict[str, Any]:
    return {"unix_ts": at, "channel": "transcript", "rtstream_name": stream, "data": {"text": text, "is_final": True}}


def screen(text: str, at: float) -> dict[str, Any]:
    return {"unix_ts": at, "channel": "visual_index", "rtstream_name": "display:1", "data": {"text": text}}


@st.composite
def an_event(draw: st.DrawFn) -> dict[str, Any]:
    event: dict[str, Any] = {
        "unix_ts": draw(st.floats(0, 4e9) | st.none() | st.just(1e300)),
        "channel": draw(
            st.sampled_from(["transcript", "visual_index", "alert", "capture_session", "videodb_cli"]) | NAMES
        ),
        "rtstream_name": draw(NAMES),
        "data": {"text": draw(WORDS), "is_final": draw(st.booleans()), "label": draw(NAMES | st.integers())},
    }
    if draw(st.booleans()):
        event["capture_session_id"] = draw(NAMES)
        event["event"] = draw(
            st.sampled_from(["capture_session.failed", "capture_session.exported", "listener.gap", "capture.stalled"])
        )
        event["data"] |= {"error": {"code": "X", "message": draw(WORDS)}, "seconds": draw(st.floats() | st.none())}
    return event


@given(st.lists(an_event(), max_size=30), st.integers(LEAST_TOKENS, 3000), NAMES)
@settings(max_examples=60, deadline=None)
def test_any_budget_is_held_in_bytes_of_utf8(events: list[dict[str, Any]], budget: int, name: str) -> None:
    origin = Origin(("--dir", name), (name,))
    text = summarize(events, budget, origin=origin).text()
    assert len(text.encode(errors="surrogatepass")) <= budget * 4
    assert text.endswith("\n")
    answer = {**summarize(events, budget, form="json", origin=origin).to_json(), "schema": 1}
    assert (
        len(json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode(errors="surrogatepass")) <= budget * 4
    )


def test_the_least_budget_holds_the_largest_counts() -> None:
    part = {"count": 10**7}
    full = msgspec.convert(
        {
            "events": 10**8, "first": 1772446530.123, "last": 1872446530.123,
            **dict.fromkeys(("channels", "streams", "said", "screens", "alerts", "sessions", "errors"), part),
            "gaps": {"count": 10**4, "seconds": 123456.789},
        },
        Summary,
    )  # fmt: skip
    assert len(full.text().encode()) <= LEAST_TOKENS * 4


def test_every_part_is_told() -> None:
    events = [
        said("We deploy the database migration now.", _DAY),
        said("The database migration has failed, and users see errors.", _DAY + 10),
        said("Yes.", _DAY + 12),
        screen("Terminal: migration failed, see the log", _DAY),
        screen("Terminal: migration failed, see the logs", _DAY + 30),
        screen("Browser with the dashboard of incidents", _DAY + 40),
        {"unix_ts": _DAY + 20, "channel": "alert", "data": {"label": "error dialog", "text": "A dialog says: failed"}},
        {"unix_ts": _DAY + 21, "channel": "capture_session", "event": "capture_session.active",
         "capture_session_id": "cap-1", "data": {}},
        {"unix_ts": _DAY + 22, "channel": "capture_session", "event": "capture_session.exported",
         "capture_session_id": "cap-1", "data": {"exported_video_id": "m-1"}},
        {"unix_ts": _DAY + 25, "channel": "videodb_cli", "event": "listener.gap", "data": {"seconds": 12.5}},
        {"unix_ts": _DAY + 26, "channel": "videodb_cli", "event": "capture.failed",
         "data": {"text": "the capture failed: disk full"}},
    ]  # fmt: skip
    summary = summarize(events, 1000, origin=Origin(("--dir", "/a b")))
    assert (summary.events, summary.said.count, summary.alerts.count, summary.sessions.count) == (9, 3, 1, 1)
    assert [one.text for one in summary.said.shown][1] == "The database migration has failed, and users see errors."
    assert [(one.text, one.share) for one in summary.screens.shown] == [
        ("Terminal: migration failed, see the log", 0.889),
        ("Browser with the dashboard of incidents", 0.111),
    ]
    (session,) = summary.sessions.shown
    assert (session.id, session.status, session.video_id) == ("cap-1", "exported", "m-1")
    assert (summary.gaps.count, summary.gaps.seconds, summary.errors.count) == (1, 12.5, 1)
    text = summary.text()
    for expected in ("error dialog 1", "A dialog says: failed", "disk full", "for 12.5 s", "as they were said"):
        assert expected in text
    assert f"videodb events transcript --since {_DAY:.0f} --until {_DAY + 41:.0f} --dir '/a b'" in summary.next
    assert "videodb events filter --session cap-1 --dir '/a b'" in summary.next


def test_what_is_new_is_chosen_before_what_was_said_already() -> None:
    many = [said(f"The budget of the release is tight, number {word}.", _DAY + at) for at, word in enumerate("abcdef")]
    other = said("Postgres replication lags behind on the release cluster.", _DAY + 9)
    chosen = summarize([*many, other], 400).said.shown
    assert other["data"]["text"] in [one.text for one in chosen[-2:]]


def test_sentences_of_scripts_without_spaces_are_split_and_weighed() -> None:
    summary = summarize([said(CHINESE + "好。"), said("用户看到数据库错误。")], 400)
    assert summary.said.count == 4
    assert "数据库迁移失败了。" in [one.text for one in summary.said.shown]


def test_events_of_the_log_and_decoded_ones_give_the_same_answer() -> None:
    events = [said(f"Sentence number {number} about topic {number % 7}.", _DAY + number) for number in range(500)]
    lines = (Event(json.dumps(event).encode()) for event in events)
    assert summarize(events, 300).text() == summarize(lines, 300).text()


def test_commands_quote_what_events_say() -> None:
    hostile = {"unix_ts": _DAY, "channel": "capture_session", "event": "capture_session.active",
               "capture_session_id": "x; rm -rf ~", "data": {}}  # fmt: skip
    (command,) = summarize([hostile], 400).next
    assert command == "videodb events filter --session 'x; rm -rf ~'"


def test_a_budget_below_the_least_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 60"):
        summarize([], LEAST_TOKENS - 1)
