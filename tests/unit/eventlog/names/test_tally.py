"""A tally survives its JSON, refuses what is none, and derives a session's status from its times."""

from __future__ import annotations

import json
from typing import Any

import pytest

from videodb_cli.eventlog.names.tally import LineKind, SessionFacts, Tally, iter_owned, merged


def life(status: str, **data: Any) -> dict[str, Any]:
    return {"event": f"capture_session.{status}", "capture_session_id": "cap-1", "data": data}


@pytest.fixture
def tally() -> Tally:
    made = Tally()
    made.count(LineKind("capture_session", "capture_session.active", "cap-1", None, None), 1, 10.0, 10.0)
    made.count(LineKind("transcript", None, None, "rts-1", "mic:default"), 5, 11.0, 15.0)
    made.count(LineKind("alert", None, None, "rts-9", None), 2, None, None)
    made.learn("cap-1", life("active", rtstreams=[{"rtstream_id": "rts-1", "name": "mic:default"}]), 10.0)
    return made


def test_json_and_back(tally: Tally) -> None:
    again = Tally.from_json(json.loads(json.dumps(tally.to_json())))
    assert again.to_json() == tally.to_json()
    assert tally.to_json()["kinds"]
    assert tally.to_json()["sessions"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"kinds": [], "sessions": []},
        {"kinds": [[1, None, None, None, None, 1, 0, 0]], "sessions": {}},
        {"kinds": [["a", None]], "sessions": {}},
        {"kinds": [["a", None, None, None, None, "x", 0, 0]], "sessions": {}},
        {"kinds": 5, "sessions": {}},
        {"kinds": [], "sessions": {"a": [{"active": "x"}, {}, {}, None]}},
        {"kinds": [], "sessions": {"a": [1, 2, 3, 4]}},
    ],
)
def test_what_is_no_tally_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError, AttributeError)):
        Tally.from_json(fields)


def test_names(tally: Tally) -> None:
    assert tally.channels() == {"capture_session": 10.0, "transcript": 15.0, "alert": 0.0}
    assert tally.stream_names() == {"mic:default": 15.0}
    assert tally.stream_ids() == {"rts-1": ("mic:default", 15.0), "rts-9": ("", 0.0)}
    assert tally.events() == {"capture_session.active": 10.0}
    assert not tally.is_empty


def test_a_session_owns_the_events_of_its_streams(tally: Tally) -> None:
    assert sum(seen.count for _, seen in iter_owned(tally, "cap-1")) == 6
    assert list(iter_owned(tally, "cap-2")) == []


def test_merging_adds_counts_and_widens_times(tally: Tally) -> None:
    later = Tally()
    later.count(LineKind("transcript", None, None, "rts-1", "mic:default"), 2, 20.0, 21.0)
    later.learn("cap-1", life("exported", player_url="https://example.com/p"), 30.0)
    whole = merged([tally, later])
    seen = whole.kinds[LineKind("transcript", None, None, "rts-1", "mic:default")]
    assert (seen.count, seen.first, seen.last) == (7, 11.0, 21.0)
    assert whole.sessions["cap-1"].status == "exported"
    assert whole.sessions["cap-1"].export == {"player_url": "https://example.com/p"}


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ({}, None),
        ({"created": 1, "active": 2}, "active"),
        ({"exported": 9, "stopped": 8, "active": 2}, "exported"),
        ({"active": 2, "failed": 3}, "failed"),
        ({"thinking": 2}, "thinking"),
        ({"active": 1, "thinking": 2}, "active"),
    ],
)
def test_the_status_is_the_last_one_of_the_life_cycle(statuses: dict[str, float], expected: str | None) -> None:
    assert SessionFacts(statuses=statuses).status == expected


def test_the_newest_session_began_last() -> None:
    made = Tally()
    for session, first, last in (("a", 1.0, 99.0), ("b", 5.0, 6.0), ("c", 5.0, 5.0)):
        made.count(LineKind(None, None, session, None, None), 1, first, last)
    assert list(made.session_times()) == ["c", "b", "a"]
