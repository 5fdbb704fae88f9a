"""A tally adds up whatever way lines are counted, and in parts."""

from __future__ import annotations

import json
from collections import Counter
from math import isfinite
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.event_logs import logs
from videodb_cli.eventlog.query.fast import parallel
from videodb_cli.eventlog.query.fast.counting import count_parts
from videodb_cli.eventlog.query.fast.group_count import BY, NONE
from videodb_cli.eventlog.query.run import SourceRange
from videodb_cli.eventlog.query.scan import SelectionPlan, countable_lines
from videodb_cli.eventlog.read.blocks import line_numbers
from videodb_cli.eventlog.read.sources import LogSource
from videodb_cli.eventlog.views.stats import EventCounts
from videodb_cli.model.event import channel_of, happened_at


@given(log=logs(), by=st.sampled_from(BY))
def test_counts_equal_a_plain_loop(tmp_path_factory: object, log: bytes, by: str) -> None:
    path = tmp_path_factory.mktemp("log") / "log"  # type: ignore[attr-defined]
    path.write_bytes(log)
    tally = EventCounts(by)
    broken = count_parts([SourceRange(LogSource(path), 0, len(log))], SelectionPlan(), tally)
    values, bad = [], 0
    for line in log.removeprefix(b"\xef\xbb\xbf").split(b"\n"):
        try:
            values.append(json.loads(line.decode()))
        except ValueError:
            bad += bool(line.strip())
    report = tally.report(broken.count)
    assert (report["count"], report["broken"]) == (len(values), bad)
    events = [value if isinstance(value, dict) else {} for value in values]
    assert report["recovered"] == sum(event.get("recovered") is True for event in events)
    times = [at for event in events if (at := happened_at(event)) is not None and isfinite(at)]
    assert (report["first"], report["last"]) == ((min(times), max(times)) if times else (None, None))
    if by == "channel":
        counted = Counter(channel_of(event) or NONE for event in events)
        assert {group["name"]: group["count"] for group in report["groups"]} == counted


@given(log=logs(), by=st.sampled_from(BY))
def test_blocks_count_as_their_lines_do(log: bytes, by: str) -> None:
    whole = log[: log.rfind(b"\n") + 1]
    by_block, by_line = EventCounts(by), EventCounts(by)
    # The second time, the names of the channels are known.
    for _ in range(2):
        if by_block.add_block(memoryview(whole), countable_lines(whole, thorough=True)):
            by_line.add_lines(line for line in whole.split(b"\n") if line.strip())
    assert by_block.report(0) == by_line.report(0)


@pytest.mark.parametrize("by", BY)
def test_a_block_is_counted_at_once_with_odd_lines_in_it(by: str) -> None:
    odd = (
        {"unix_ts": 1772446540, "event": "capture_session.active", "capture_session_id": "cap-1"},
        {"unix_ts": 1772446540, "data": {}},
        {"unix_ts": 1772446540, "channel": "videodb_cli", "event": "listener.gap", "data": {"seconds": 2}},
        {"unix_ts": 1772446540, "channel": "c1", "recovered": True, "data": {"start": 1772446500000}},
        {"unix_ts": 1772446540, "channel": "a new one"},
        {"channel": "c1"},
    )
    log = _made(10) + b"".join(json.dumps(line).encode() + b"\n" for line in odd) + _made(20, start=10)
    by_block, by_line = EventCounts(by), EventCounts(by)
    for _ in range(2):
        assert by_block.add_block(log, log.count(b"\n"))
        by_line.add_lines(log.splitlines())
    assert by_block.report(0) == by_line.report(0)
    if by == "channel":
        assert {"c0", "c1", "c2", "capture_session", NONE, "videodb_cli", "a new one"} == set(by_block.groups)
    assert (by_block.gaps, by_block.recovered) == (2, 2)


def _made(count: int, start: int = 0) -> bytes:
    lines = (
        {"ts": "2026-03-02T10:15:30.123Z", "unix_ts": 1772446530.5 + n, "channel": f"c{n % 3}", "data": {"text": "x y"}}
        for n in range(start, start + count)
    )
    return b"".join(json.dumps(line, separators=(",", ":")).encode() + b"\n" for line in lines)


def test_two_processes_count_the_same_as_one(tmp_path: Path, monkeypatch: object) -> None:
    path = tmp_path / "log"
    path.write_bytes(_made(3000) + b"broken\n" + _made(10))
    part = SourceRange(LogSource(path), 0, path.stat().st_size)
    one, two = EventCounts("channel"), EventCounts("channel")
    broken_one = count_parts([part], SelectionPlan(), one)
    monkeypatch.setattr(parallel, "WORTH_IT", 0)  # type: ignore[attr-defined]
    monkeypatch.setattr(parallel, "CHUNK", 1 << 14)  # type: ignore[attr-defined]
    broken_two = count_parts([part], SelectionPlan(), two)
    assert two.report(broken_two.count) == one.report(broken_one.count)
    assert (
        list(line_numbers(broken_two.take_places()))
        == list(line_numbers(broken_one.take_places()))
        == [(str(path), 3001)]
    )


def test_gaps_recovered_and_what_full_adds() -> None:
    tally = EventCounts("channel", full=True)
    tally.add({"channel": "videodb_cli", "event": "listener.gap", "unix_ts": 5.0, "data": {"seconds": 1.2}})
    tally.add({"channel": "transcript", "unix_ts": 1772446530, "data": {"text": "two words", "end": 1772446529750}})
    tally.add({"channel": "transcript", "unix_ts": 1772446999, "recovered": True, "data": {"start": 1772446500000}})
    report = tally.report(0)
    assert report["gaps"] == {"count": 1, "seconds": 1.2}
    assert report["recovered"] == 1
    spoken = report["groups"][0]
    assert (spoken["name"], spoken["count"], spoken["first"], spoken["words"]) == ("transcript", 2, 1772446500.0, 2)
    assert spoken["latency_p50_s"] == 0.25


def test_there_is_no_rate_over_a_short_time() -> None:
    def rates(by: str, *times: float) -> list[float | None]:
        counts = EventCounts(by)
        counts.add_lines(json.dumps({"unix_ts": at, "channel": "alert"}).encode() for at in times)
        report = counts.report(0)
        return [report["rate"], *(group["rate"] for group in report["groups"])]

    assert rates("channel", 0.0) == [None, None]
    assert rates("channel", 0.0, 9.9) == [None, None]
    assert rates("channel", 0.0, 10.0) == [0.2, 0.2]
    assert rates("minute", 0.0, 1.0, 2.0, 60.0) == [0.067, 0.05, 0.017]
