"""The values of a log, the most useful first."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from videodb_cli.completion.line import Asked
from videodb_cli.completion.values import Value, values_of


def asked(kind: str, directory: Path, text: str = "") -> Asked:
    made = Asked(text)
    made.kind, made.directory = kind, str(directory)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    now = time.time()
    rows = [
        {"unix_ts": now - 7300, "event": "capture_session.active", "capture_session_id": "cap-1"},
        {"unix_ts": now - 200, "event": "capture_session.exported", "capture_session_id": "cap-1"},
        {
            "unix_ts": now - 130,
            "event": "capture_session.active",
            "capture_session_id": "cap-2",
            "data": {"rtstreams": [{"id": "r1", "name": "mic:default"}]},
        },
        {"unix_ts": now - 70, "channel": "alert", "rtstream_id": "r1", "rtstream_name": "mic:default"},
    ]
    (tmp_path / "videodb_events.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_sessions_newest_first(place: Path) -> None:
    assert values_of(asked("session", place)) == [
        Value("cap-2", "active · 2 min ago · mic:default"),
        Value("cap-1", "exported · 3 min ago"),
        Value("last", "the newest session"),
    ]


def test_the_name_that_was_seen_last_comes_first(place: Path) -> None:
    assert values_of(asked("channel", place))[:2] == [
        Value("alert", "1 min ago"),
        Value("capture_session", "2 min ago"),
    ]
    assert values_of(asked("event", place))[:2] == [Value("active", "2 min ago"), Value("exported", "3 min ago")]


def test_stream_ids_only_when_one_is_typed(place: Path) -> None:
    assert values_of(asked("stream", place)) == [Value("mic:default", "1 min ago")]
    assert Value("r1", "mic:default, 1 min ago") in values_of(asked("stream", place, "r"))


def test_choices(place: Path) -> None:
    assert values_of(asked("choices:a|b", place)) == [Value("a"), Value("b")]
    assert values_of(asked("", place)) == []
