"""Counting whole blocks gives what counting decoded lines one by one gives, for lines of any shape."""

from __future__ import annotations

import json
from collections import Counter

from hypothesis import assume, given

from tests.fakes.event_logs import logs
from videodb_cli.eventlog.names.counting import KindCounter
from videodb_cli.eventlog.names.tally import LineKind, Tally
from videodb_cli.eventlog.query.scan import is_utf8
from videodb_cli.eventlog.read.block import Block
from videodb_cli.eventlog.read.decode import decode


def counted(log: bytes) -> Tally:
    tally = Tally()
    end = log.rfind(b"\n") + 1
    if end:
        KindCounter(tally).add(Block(0, log[:end]))
    return tally


@given(logs())
def test_as_one_by_one(log: bytes) -> None:
    assume(is_utf8(log))  # the encoding of what is not decoded is not checked, as in `stats`
    expected: Counter[LineKind] = Counter()
    for raw in log[: log.rfind(b"\n") + 1].split(b"\n"):
        try:
            event = decode(raw)
        except ValueError:
            continue
        if isinstance(event, dict):
            expected[LineKind.of(event)] += 1
    assert {kind: seen.count for kind, seen in counted(log).kinds.items()} == expected


def test_times_are_those_of_the_first_and_last_line_of_a_kind() -> None:
    lines = [{"unix_ts": float(at), "channel": name} for at, name in enumerate("abbab")]
    found = counted(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert {kind.channel: (seen.first, seen.last) for kind, seen in found.kinds.items()} == {"a": (0, 3), "b": (1, 4)}


def test_what_life_cycle_events_tell_is_learnt() -> None:
    def life(at: float, session: str, status: str, **data: object) -> dict[str, object]:
        return {"unix_ts": at, "event": f"capture_session.{status}", "capture_session_id": session, "data": data}

    lines = [
        life(1.0, "cap-1", "active", rtstreams=[{"rtstream_id": "r1", "name": "mic:default"}]),
        life(2.0, "cap-1", "failed", error={"message": "no disk"}),
        life(3.0, "cap-2", "exported", exported_video_id="m-1", player_url="https://x.y/p"),
        {"unix_ts": 1e400, "channel": "capture_session", "capture_session_id": "cap-3"},
    ]
    found = counted(b"".join(json.dumps(line).encode() + b"\n" for line in lines)).sessions
    assert (found["cap-1"].status, found["cap-1"].streams, found["cap-1"].error) == (
        "failed",
        {"r1": "mic:default"},
        "no disk",
    )
    assert found["cap-2"].export == {"exported_video_id": "m-1", "player_url": "https://x.y/p"}
