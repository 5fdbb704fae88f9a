"""How far back a gap is looked into, and what is reported of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from videodb_cli.listener.recovery.gap import (
    KNOWN_BEFORE_S,
    OVERLAP_S,
    Gap,
    GapReport,
    LastEvent,
    RecoveryPolicy,
    query_start,
)

T = 1772446530.0
POLICY = RecoveryPolicy()


def gap(length: float = 10.0) -> Gap:
    return Gap(T, T + length, "ws-1", "ws-2")


def last(end: float | None, received: float) -> LastEvent:
    return LastEvent("rts-1", "transcript", "transcript", "mic", received, end)


def test_a_span_begins_before_the_last_word() -> None:
    assert query_start(gap(), POLICY, last(T - 5, T - 4), 0.0, None) == T - 5 - OVERLAP_S


def test_a_quiet_stream_is_not_asked_about_hours() -> None:
    since = query_start(gap(), POLICY, last(T - 7200, T - 7199), 0.0, None)
    assert T - 800 < since < T - 700
    assert since > T - KNOWN_BEFORE_S


@pytest.mark.parametrize("skew", [-5000.0, 5000.0])
def test_the_service_has_a_clock_of_its_own(skew: float) -> None:
    since = query_start(gap(), POLICY, last(T + skew - 5, T - 4), 0.0, None)
    assert since == pytest.approx(T + skew - 5 - OVERLAP_S, abs=1)
    assert query_start(gap(), POLICY, None, skew, None) == T + skew - OVERLAP_S


def test_a_clock_that_was_not_set_yet_tells_nothing_of_the_service() -> None:
    """The event came while ours showed 1970; by now it is right, and years would be added to what is asked for."""
    early = last(T - 5, 300.0)
    assert early.ahead_s is None
    assert last(T - 5, T - 4).ahead_s == -1
    assert query_start(gap(), POLICY, early, 0.0, None) == T - 5 - OVERLAP_S


@pytest.mark.parametrize("step_s", [3600.0, -3600.0])
def test_a_gap_by_a_clock_that_was_set_since(step_s: float) -> None:
    """Of an earlier boot, the beginning is never moved forward: that could leave out what was missed."""
    found = Gap(T, T + 5, "ws-1", "ws-2", lost_at=T).after_step(step_s)
    assert (found.started, found.ended, found.lost_at) == (T + step_s, T + step_s + 5, T + step_s)
    found = Gap(T, T + 5, "ws-1", "ws-2", lost_at=T, is_of_boot=False).after_step(step_s)
    assert (found.started, found.ended, found.lost_at) == (
        min(T, T + step_s),
        T + step_s + 5,
        min(T, T + step_s),
    )


def test_by_a_clock_that_was_wrong_the_log_is_read_as_far_back_as_anything_was_seen() -> None:
    vague = Gap(0.0, T, "ws-1", "ws-2", lost_at=300.0, is_vague=True)
    assert vague.asked_since(600) == T - 600
    assert vague.known_since(600) == vague.seen_since(600) - KNOWN_BEFORE_S


def test_a_gap_longer_than_the_window_is_still_looked_into() -> None:
    long = Gap(T, T + 5000, "ws-1", "ws-2")
    assert long.asked_since(600) == T + 4400
    assert long.seen_since(600) <= T - 3600, "a stream that spoke before the gap may have spoken in it"
    unmended = Gap(T - 7 * 86400, T + 5, "ws-1", "ws-2", lost_at=T)
    assert unmended.seen_since(86400) == T - 86400, "an old gap must not have months of log read at each start"


def test_window_and_clearing_are_limits() -> None:
    assert query_start(gap(5000), replace(POLICY, window_s=600), None, 0.0, None) == T + 5000 - 600
    assert query_start(gap(), POLICY, None, 0.0, T - 3) == T - 3


def test_what_came_after_a_gap_does_not_hide_it() -> None:
    """A pipeline that is found when others have spoken on its channel for an hour is asked from the gap on."""
    assert query_start(gap(), POLICY, last(T + 3600, T + 3601), 0.0, None) < T


def test_what_was_read_back_does_not_tell_the_time() -> None:
    """It was received long after it was made, and no clock is wrong for it."""
    old = replace(last(T - 5, T + 3000), is_recovered=True)
    assert old.ahead_s is None
    assert query_start(Gap(T + 3600, T + 3601, "ws-2", "ws-3"), POLICY, old, 0.0, None) == T + 3600 - 600 - OVERLAP_S


def test_a_report_says_what_is_missing() -> None:
    report = GapReport(gap())
    report.update({})
    assert report.make([])[1]["complete"] is False, "nothing was asked yet"
    report.is_asked = True
    report.update({})
    assert not report.is_current
    report.counts["transcript"] += 2
    text, data = report.make([])
    assert data["complete"] is True
    assert data["counts"] == {"transcript": 2}
    assert "2 events recovered" in text
    assert report.is_current
    assert "asked_since" not in data
    assert "unknown" not in data


def test_a_report_says_what_was_not_asked_for() -> None:
    report = GapReport(gap(5000), window_s=600)
    report.is_asked = True
    report.update({}, ["session cap-1"])
    text, data = report.make([])
    assert data["asked_since"] == "2026-03-02T11:28:50.000Z"
    assert "nothing before 2026-03-02T11:28:50.000Z was asked for" in text
    assert data["unknown"] == ["session cap-1"]
    assert "the service no longer knows: session cap-1" in text
    assert report.is_current
