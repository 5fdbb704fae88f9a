"""One pipeline: its states and transitions, and what of its records is written when."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from videodb_cli.listener import recovery as package
from videodb_cli.listener.recovery.gap import OVERLAP_S, Gap, RecoveryPolicy
from videodb_cli.listener.recovery.pipeline import Pipeline, State
from videodb_cli.listener.recovery.records import Record

T = 1772446530.0
GAP = Gap(T, T + 10, "ws-1", "ws-2")
BESIDE = Gap(T, T + 10, "ws-1", "ws-2", is_fresh=False)


def pipeline(state: State = State.UNKNOWN, index_id: str | None = "idx-1", **policy: float) -> Pipeline:
    channel = "transcript" if index_id is None else "visual_index"
    made = Pipeline("rts-1", channel, channel, index_id, T - 100, 0.0, RecoveryPolicy(**policy))
    made.state = state
    if state in {State.BOUND, State.LIVE}:
        made.connection_id = "ws-2"
        made._live_since = T
    return made


def answer(
    one: Pipeline, *records: Record, now: float, first: bool = True, known: Callable[[Record], bool] = lambda _: False
) -> list[str]:
    """Take an answer to a call that began at once; returns the texts that are to be written."""
    newest = max((record.end for record in records), default=0.0)
    due = one.on_records(records, newest, asked_at=now, now=now, is_first_pass=first, is_known=known)
    return [record.text for record in due]


# ---- the table ---------------------------------------------------------------------------------------------------

TRANSITIONS: dict[str, Callable[[Pipeline], object]] = {
    "`on_gap`, new connection": lambda p: p.on_gap(GAP, 1.0, has_stopped=False),
    "`on_gap`, any other": lambda p: p.on_gap(BESIDE, 1.0, has_stopped=False),
    "`on_connection_closed`": lambda p: p.on_connection_closed("ws-2", 1.0),
    "`on_rebound`": lambda p: p.on_rebound("ws-3", 1.0, T),
    "`on_live_event`": lambda p: p.on_live_event("ws-2", 1.0, T),
    "`on_records`": lambda p: answer(p, Record("x", T - 9, T - 8), now=1.0),
    "`on_stopped`": lambda p: p.on_stopped(1.0),
}
EXCEPTIONS: dict[int, tuple[Callable[[], Pipeline], Callable[[Pipeline], object], State]] = {
    1: (lambda: pipeline(index_id=None), TRANSITIONS["`on_gap`, new connection"], State.UNKNOWN),
    2: (lambda: pipeline(State.LIVE), lambda p: p.on_connection_closed("ws-1", 1.0), State.LIVE),
    3: (lambda: pipeline(State.LIVE), lambda p: p.on_rebound("ws-2", 1.0, T), State.LIVE),
    4: (lambda: pipeline(State.BOUND), lambda p: p.on_live_event("ws-1", 1.0, T), State.BOUND),
    5: (
        lambda: pipeline(State.LIVE, hold_s=0.0),
        lambda p: answer(p, Record("x", T + 9, T + 11), now=1.0),
        State.UNKNOWN,
    ),
}


def rows() -> list[tuple[str, list[str]]]:
    """The rows of the second table in the module's docstring."""
    table = (package.__doc__ or "").split("transition ")[1].split("1. ")[0]
    return [(row[:26].strip(), re.split(r"\s{2,}", row[26:].strip())) for row in table.splitlines() if "`on_" in row]


def test_the_table_has_every_transition() -> None:
    assert [name for name, _ in rows()] == list(TRANSITIONS)


@pytest.mark.parametrize("name", TRANSITIONS)
@pytest.mark.parametrize(("column", "state"), list(enumerate(State)))
def test_the_table_is_true(name: str, column: int, state: State) -> None:
    wanted = dict(rows())[name][column].split(" ")[0]
    one = pipeline(state)
    TRANSITIONS[name](one)
    assert one.state is State[wanted]
    assert (one.connection_id is None) is (one.state in {State.STALE, State.UNKNOWN})


@pytest.mark.parametrize("note", EXCEPTIONS)
def test_the_notes_are_true(note: int) -> None:
    make, transition, state = EXCEPTIONS[note]
    one = make()
    transition(one)
    assert one.state is state


def test_every_note_is_in_the_table() -> None:
    table = (package.__doc__ or "").split("transition ")[1].split("1. ")[0]
    assert sorted({int(number) for number in re.findall(r"\((\d)\)", table)}) == sorted(EXCEPTIONS)


# ---- what status shows, and when it is over ----------------------------------------------------------------------


def test_what_is_dead_is_what_nothing_proves() -> None:
    assert [pipeline(state).is_dead for state in State] == [True, True, False, False]
    stopped = pipeline()
    stopped.on_stopped(1.0)
    assert not stopped.is_dead
    stopped.on_gap(GAP, 2.0, has_stopped=False)
    assert stopped.is_dead, "it may run again"
    stopped.on_gap(GAP, 2.0, has_stopped=True)
    assert not stopped.is_dead


def test_it_is_asked_until_it_speaks_and_settles() -> None:
    one = pipeline()
    answer(one, now=1000.0)
    assert not one.is_done, "it still speaks to a dead connection"
    one.on_live_event("ws-2", 1000.0, T)
    answer(one, now=1059.0)
    assert not one.is_done, "what it made before it spoke to us may appear late"
    answer(one, now=1061.0)
    assert one.is_done
    answer(one, Record("late", T - 20, T - 19), now=1062.0)
    answer(one, Record("late", T - 20, T - 19), now=1068.0)
    assert not one.is_done
    answer(one, now=1129.0)
    assert one.is_done


def test_time_alone_settles_nothing() -> None:
    """The calls may fail all the while."""
    one = pipeline(State.LIVE)
    answer(one, now=1.0)
    assert not one.is_settled
    answer(one, now=60.0)
    assert one.is_settled


def test_what_was_made_last_is_asked_for_after_a_stop() -> None:
    one = pipeline()
    answer(one, now=1000.0)
    one.on_stopped(1020.0)
    assert not one.is_done
    one.on_stopped(1070.0, asked_at=1070.0)
    assert not one.is_done
    one.on_stopped(1081.0, asked_at=1080.0)
    assert one.is_done


def test_an_answer_from_before_a_gap_does_not_settle_it() -> None:
    one = pipeline(State.LIVE)
    answer(one, now=100.0)
    one.on_gap(BESIDE, 200.0, has_stopped=False)
    one.on_records([], 0.0, asked_at=199.0, now=300.0, is_first_pass=False, is_known=lambda _: False)
    assert not one.is_done


# ---- records -----------------------------------------------------------------------------------------------------


def test_what_is_old_is_not_asked_for() -> None:
    old, young = Record("old", T - 110, T - 101), Record("young", T - 110, T - 99)
    assert answer(pipeline(), young, old, now=1.0) == ["young"]


@pytest.mark.parametrize(
    ("state", "first", "held_s"),
    [
        (State.STALE, True, 0.0),
        (State.STALE, False, 0.0),
        (State.UNKNOWN, True, 0.0),
        (State.UNKNOWN, False, 2.0),
        (State.BOUND, True, 5.0),
        (State.LIVE, False, 5.0),
    ],
)
def test_what_may_come_live_waits(state: State, first: bool, held_s: float) -> None:
    one = pipeline(state)
    records = [Record("b", T - 5, T - 4), Record("a", T - 7, T - 6)]
    for now in (10.0, 10.0 + held_s - 0.1) if held_s else ():
        assert answer(one, *records, now=now, first=first) == []
        assert one.is_holding
    assert answer(one, *records, now=10.0 + held_s, first=first) == ["a", "b"]
    assert not one.is_holding


def test_what_came_live_meanwhile_waits_no_more() -> None:
    one = pipeline(State.LIVE)
    answer(one, Record("a", T, T + 1), now=10.0)
    assert one.is_holding
    assert answer(one, now=15.0) == []
    assert not one.is_holding


@pytest.mark.parametrize("state", [State.BOUND, State.LIVE])
def test_a_record_that_never_came_live_disproves(state: State) -> None:
    """Starting a running transcription again may have no effect."""
    one = pipeline(state)
    before, since = Record("before", T - 3, T - 1), Record("since", T + 1, T + 2)
    answer(one, before, since, now=10.0)
    assert answer(one, before, since, now=15.0, known=lambda record: record is since) == ["before", "since"]
    assert one.state is state, "it came live at the last moment"
    answer(one, since, now=16.0)
    answer(one, since, now=21.0)
    assert one.state is State.UNKNOWN


def test_asking_less_once_the_gap_is_old() -> None:
    one = pipeline()
    answer(one, Record("x", T + 1000, T + 1001), now=10.0)
    answer(one, now=69.0)
    assert one.since == T - 100
    answer(one, now=71.0)
    assert one.since == T + 1001 - OVERLAP_S
