"""How the last run ended, as its log says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.listener.journal import iso
from videodb_cli.listener.last_run import ClockMark, last_run

T = 1772446530.0


def write(path: Path, *events: dict[str, Any]) -> None:
    with path.open("a") as log:
        for number, event in enumerate(events):
            line = {"ts": "2026-03-02T10:15:30.000Z", "unix_ts": T + number, **event}
            log.write(json.dumps(line, separators=(",", ":")) + "\n")


def own(event: str, **data: Any) -> dict[str, Any]:
    return {"channel": "videodb_cli", "event": event, "data": {"text": "…", **data}}


CONNECTED = own("listener.connected", connection_id="ws-7")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([{"channel": "x"}], (T, None, "ended", None)),
        ([CONNECTED, {"channel": "x"}], (T + 1, "ws-7", "ended", None)),
        ([CONNECTED, {"channel": "x"}, own("listener.stopped")], (T + 2, "ws-7", "stopped", None)),
        (
            [
                CONNECTED,
                own("listener.disconnected", connection_id="ws-7", reason="cut", alive_at="2026-03-02T10:15:25.000Z"),
            ],
            (1772446525.0, "ws-7", "cut", None),
        ),
        (
            [CONNECTED, own("listener.gap", **{"from": "2026-03-02T10:15:20.000Z"}), {"channel": "x"}],
            (T + 2, "ws-7", "ended", 1772446520.0),
        ),
        (
            [
                CONNECTED,
                own("listener.gap", **{"from": "2026-03-02T10:15:20.000Z"}),
                own("listener.recovered", complete=True, new_connection_id="ws-7"),
            ],
            (T + 2, "ws-7", "ended", None),
        ),
    ],
)
def test_how_the_last_run_ended(tmp_path: Path, events: list[dict[str, Any]], expected: Any) -> None:
    log = tmp_path / "videodb_events.jsonl"
    log.touch()
    write(log, *events)
    found = last_run(log, log.stat().st_size)
    assert (None if found is None else (found.heard_until, found.connection_id, found.reason, found.unmended_from)) == (
        expected
    )


def test_a_log_that_was_just_rotated_says_little(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    write(tmp_path / "videodb_events.jsonl.1", CONNECTED, {"channel": "x"})
    write(log, own("log.rotated", reason="size"), {"channel": "x"})
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.heard_until, found.connection_id) == (T + 1, "ws-7")


def test_logs_of_older_scripts_are_read(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    log.write_text(
        '{"channel": "transcript", "data": {}, "ts": "2026-03-02T10:15:30.123456+00:00", "unix_ts": 1772446530}\n'
    )
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert found.heard_until == T


def gap_from(moment: str) -> dict[str, Any]:
    return own("listener.gap", **{"from": moment})


@pytest.mark.parametrize(
    "later",
    [
        pytest.param(own("listener.connected", connection_id="ws-8", renews="ws-7"), id="renewal"),
        pytest.param(own("listener.connected", connection_id="ws-8", replaces="ws-7"), id="another id"),
    ],
)
def test_a_connection_that_took_over_has_mended_nothing(tmp_path: Path, later: dict[str, Any]) -> None:
    log = tmp_path / "videodb_events.jsonl"
    write(log, CONNECTED, gap_from("2026-03-02T10:15:20.000Z"), later, {"channel": "x"})
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.connection_id, found.unmended_from) == ("ws-8", 1772446520.0)


def test_what_was_complete_once_may_not_have_stayed_so(tmp_path: Path) -> None:
    """A pipeline was still polled, and could not be asked any more."""
    log = tmp_path / "videodb_events.jsonl"
    told = {"from": "2026-03-02T10:15:20.000Z", "new_connection_id": "ws-7"}
    complete = own("listener.recovered", complete=True, **told)
    incomplete = own("listener.recovered", complete=False, **told)
    write(log, CONNECTED, gap_from("2026-03-02T10:15:20.000Z"), complete, incomplete)
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert found.unmended_from == 1772446520.0


@pytest.mark.parametrize(
    "line",
    [
        own("listener.stopped", connected_s=0),
        own("capture.failed"),
        own("log.rotated"),
        own("log.torn"),
    ],
    ids=lambda line: str(line["event"]),
)
def test_a_run_without_a_connection_heard_nothing_whatever_it_wrote(tmp_path: Path, line: dict[str, Any]) -> None:
    log = tmp_path / "videodb_events.jsonl"
    write(log, CONNECTED, {"channel": "x"}, own("listener.stopped", connected_s=2.5), line)
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.heard_until, found.reason) == (T + 2, "stopped")


def test_a_report_after_the_loss_does_not_hide_it(tmp_path: Path) -> None:
    """Queries go on while no connection stands, and their report may come before the process dies."""
    log = tmp_path / "videodb_events.jsonl"
    lost = own("listener.disconnected", connection_id="ws-7", reason="cut", alive_at="2026-03-02T10:15:25.000Z")
    told = own("listener.recovered", complete=True, new_connection_id="ws-7")
    write(log, CONNECTED, gap_from("2026-03-02T10:15:20.000Z"), lost, {"channel": "x", "recovered": True}, told)
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.heard_until, found.connection_id, found.reason) == (1772446525.0, "ws-7", "cut")
    assert found.unmended_from is None


def test_the_last_run_tells_how_its_clocks_stood(tmp_path: Path) -> None:
    log = tmp_path / "videodb_events.jsonl"
    clock = {"boot_id": "a boot", "uptime_s": 100.0}
    write(log, own("listener.connected", connection_id="ws-7", **clock), {"channel": "x"})
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert found.mark == ClockMark("a boot", 100.0, T - 100)
    write(log, own("listener.clock", step_s=3600.0, boot_id="a boot", uptime_s=200.0), {"channel": "x"})
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert found.mark == ClockMark("a boot", 200.0, T - 200)
    write(log, own("log.rotated", reason="clock", behind_s=7200.0), {"channel": "x"})
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert found.mark == ClockMark("a boot", 200.0, T - 200, fell_later=True)


def test_times_of_before_a_step_are_told_by_the_clock_of_after_it(tmp_path: Path) -> None:
    """The clock was set back by an hour while nothing was heard; nobody connected again."""
    log = tmp_path / "videodb_events.jsonl"
    write(
        log,
        own("listener.connected", connection_id="ws-6"),
        own("listener.disconnected", connection_id="ws-6", reason="cut"),
        own("listener.connected", connection_id="ws-7", boot_id="a boot", uptime_s=100.0),
        own("listener.gap", **{"from": iso(T)}),
        own("listener.disconnected", connection_id="ws-7", reason="cut", alive_at=iso(T + 60)),
        own("listener.clock", step_s=-3600.0, boot_id="a boot", uptime_s=200.0),
    )
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.heard_until, found.unmended_from) == (T + 60 - 3600, T - 3600)


def test_how_the_clocks_stood_is_looked_for_behind_everything_else(tmp_path: Path) -> None:
    """A complete report says that everything before it is mended, and nothing about the clocks."""
    log = tmp_path / "videodb_events.jsonl"
    write(
        log,
        own("listener.connected", connection_id="ws-7", boot_id="a boot", uptime_s=100.0),
        own("listener.gap", **{"from": iso(T)}),
        own("listener.recovered", complete=True, new_connection_id="ws-7"),
        own("listener.connected", connection_id="ws-8", replaces="ws-7"),
    )
    found = last_run(log, log.stat().st_size)
    assert found is not None
    assert (found.heard_until, found.connection_id, found.unmended_from) == (T + 3, "ws-8", None)
    assert found.mark == ClockMark("a boot", 100.0, T - 100)
