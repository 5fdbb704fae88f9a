"""A recovery as a whole, in virtual time: the faults that once lost events, each by itself.

`test_law` holds it to its law in any order of things; here each way is named.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.recovery_world import World
from tests.fakes.stream_service import FakePipeline
from videodb_cli.listener.recovery.recoverer import next_pause_s

VISUAL = "visual_index"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.service.add_stream("rts-1")
    made.connect()
    yield made
    made.close()


def transcription(world: World, bound_to: str = "ws-1") -> FakePipeline:
    """Make a transcription that has spoken, so that the log knows its stream."""
    made = world.service.add_pipeline("rts-1", "transcript", None, bound_to)
    say(world, made, "before")
    return made


def say(world: World, pipeline: FakePipeline, text: str, live: float = 0.0, record: float = 0.0) -> None:
    world.time.call(lambda: world.service.make(pipeline, text, live_after_s=live, record_after_s=record))


def reconnect(world: World) -> None:
    world.drop()
    world.connect()


def texts(world: World) -> list[tuple[str, bool]]:
    """What is in the log, in its order, and whether it was read back."""
    lines = [line for line in world.listening.lines() if line["channel"] in {"transcript", VISUAL}]
    return [(line["data"]["text"], line.get("recovered", False)) for line in lines]


def own(world: World, name: str) -> list[dict[str, Any]]:
    return [line["data"] for line in world.listening.lines() if line.get("event") == f"listener.{name}"]


# ---- what came over a connection that is gone --------------------------------------------------------------------


@pytest.mark.parametrize("others", [0, 1], ids=["the only index", "one of two"])
@pytest.mark.parametrize("is_named", [True, False], ids=["named", "unnamed"])
def test_what_came_over_an_earlier_connection_proves_nothing(world: World, others: int, is_named: bool) -> None:
    """An index that spoke to the second connection, and is bound to it, does not speak to the third."""
    transcription(world)
    for number in range(others):
        world.service.add_pipeline("rts-1", VISUAL, f"other-{number}", "ws-1")
    reconnect(world)
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-2", is_named=is_named)
    world.time.pass_(10.0)
    say(world, index, "over the second")
    world.time.pass_(120.0)
    assert ("rts-1", "idx-1") not in world.dead(), "it is proved to speak to us"
    reconnect(world)
    world.time.pass_(200.0)
    assert ("rts-1", "idx-1") in world.dead()
    say(world, index, "to nobody")
    world.time.pass_(40.0)
    assert texts(world)[-2:] == [("over the second", False), ("to nobody", True)]


def test_evidence_is_void_before_it_is_weighed(world: World) -> None:
    """The event comes, and its connection ends before the next look at the indexes."""
    transcription(world)
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-2", is_named=False)
    reconnect(world)
    world.time.pass_(2.0)
    say(world, index, "over the second")
    reconnect(world)
    world.time.pass_(200.0)
    assert ("rts-1", "idx-1") in world.dead()


def test_what_came_before_the_id_proves_nothing(world: World) -> None:
    """It is in the log, but nobody can have been told to speak to a connection without an id."""
    transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    world.time.pass_(10.0)
    event = {"channel": VISUAL, "rtstream_id": "rts-1", "rtstream_index_id": "idx-1", "data": {"text": "early"}}
    world.time.call(world.listening.intake.take_early, json.dumps(event).encode())
    assert texts(world)[-1] == ("early", False)
    assert ("rts-1", "idx-1") in world.dead()


def test_a_dead_index_that_says_what_a_live_one_says_stays_dead(world: World) -> None:
    transcription(world)
    dead = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1", is_named=False)
    reconnect(world)
    live = world.service.add_pipeline("rts-1", VISUAL, "idx-2", "ws-2", is_named=False)
    world.time.pass_(10.0)
    say(world, dead, "nothing moves")
    say(world, live, "nothing moves", record=40.0)
    world.time.pass_(300.0)
    assert ("rts-1", "idx-1") in world.dead()
    say(world, dead, "somebody comes")
    world.time.pass_(40.0)
    assert ("somebody comes", True) in texts(world)


def test_two_live_indexes_that_name_nothing_are_told_apart_by_their_records(world: World) -> None:
    transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-0", "ws-1")
    reconnect(world)
    indexes = [world.service.add_pipeline("rts-1", VISUAL, f"idx-{n}", "ws-2", is_named=False) for n in (1, 2)]
    world.time.pass_(10.0)
    say(world, indexes[0], "one thing")
    world.time.pass_(200.0)
    say(world, indexes[1], "another thing")
    world.time.pass_(200.0)
    assert world.dead() == {("rts-1", "idx-0")}


# ---- connections beside each other -------------------------------------------------------------------------------


def test_a_connection_that_drains_binds_nothing_to_one_that_is_gone(world: World) -> None:
    """What took over from it has been lost since, and a third one stands."""
    fingerprint = transcription(world)
    world.renew()
    reconnect(world)
    world.time.pass_(10.0)
    assert fingerprint.bound_to == "ws-3"
    world.end_draining(0)
    world.time.pass_(10.0)
    assert fingerprint.bound_to == "ws-3"
    assert own(world, "recovered")[-1]["new_connection_id"] == "ws-3"


def test_a_connection_that_drains_while_none_stands_is_mended_with_the_next(world: World) -> None:
    transcription(world)
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    world.renew()
    world.drop()
    world.time.pass_(100.0)
    world.end_draining(0)
    say(world, index, "to nobody")
    world.time.pass_(100.0)
    world.connect()
    world.time.pass_(10.0)
    assert ("to nobody", True) in texts(world)
    assert world.dead() == {("rts-1", "idx-1")}


def test_another_id_of_a_connection_that_drains_binds_nothing_to_it(world: World) -> None:
    fingerprint = transcription(world)
    world.renew()
    world.time.pass_(10.0)
    assert fingerprint.bound_to == "ws-2"
    world.replace_id(world.listening.draining[0][0])
    world.time.pass_(10.0)
    assert fingerprint.bound_to == "ws-2"
    reconnect(world)
    assert own(world, "gap")[-1]["old_connection_id"] == "ws-2"


def test_an_answer_about_a_connection_that_was_closed_meanwhile_binds_nothing(world: World) -> None:
    spoken = transcription(world)
    world.service.latency_s = 3.0
    world.service.rebinds = False
    reconnect(world)
    # After the indexes, the records, the stream and the status, the start is under way.
    world.time.pass_(13.0)
    world.drop()
    world.time.pass_(3.0)
    assert world.dead() == {("rts-1", None)}
    world.service.rebinds = True
    world.connect()
    world.time.pass_(60.0)
    assert spoken.bound_to == "ws-3"


def test_a_binding_that_has_no_effect_is_found_out(world: World) -> None:
    """Whether starting a running transcription again points it elsewhere is not documented."""
    world.service.rebinds = False
    fingerprint = transcription(world)
    reconnect(world)
    world.time.pass_(10.0)
    assert world.dead() == set(), "it was told to speak to us"
    say(world, fingerprint, "to nobody")
    world.time.pass_(20.0)
    assert texts(world)[-1] == ("to nobody", True)
    assert world.dead() == {("rts-1", None)}


def test_a_capture_is_adopted_only_for_a_connection_that_still_stands(world: World) -> None:
    info = {"v": 1, "session_id": "cap-1", "status": "active", "ws_connection_id": "ws-0"}
    path = world.path / "videodb_capture_info.json"
    path.write_text(json.dumps(info))
    path.chmod(0o600)
    recoverer = world.listening.recoverer

    async def adopt_and_lose() -> None:
        recoverer.adopt("ws-7")
        recoverer.lost("ws-7")
        await asyncio.sleep(0)

    world.time.run(adopt_and_lose())
    world.time.pass_(1.0)
    assert recoverer._task is None
    world.time.call(recoverer.adopt, "ws-8")
    world.time.pass_(1.0)
    assert recoverer._backfill.youngest == "ws-8"


# ---- what is asked, and for how long -----------------------------------------------------------------------------


def test_a_night_of_quiet_rounds(world: World) -> None:
    """A pipeline is polled for as long as it may speak."""
    transcription(world)
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    world.time.pass_(20 * 3600.0)
    say(world, index, "in the morning")
    world.time.pass_(60.0)
    assert texts(world)[-1] == ("in the morning", True)
    assert next_pause_s(5.0, 10**6, 0.1) == 30.0


def test_pauses_grow_with_quiet_and_slowness() -> None:
    assert next_pause_s(5.0, 0, 0.1) == 5.0
    assert next_pause_s(5.0, 100, 0.1) == 30.0
    assert next_pause_s(5.0, 0, 10.0) == 40.0


def test_what_was_said_last_before_a_session_ended(world: World) -> None:
    """It is polled every half minute by then; the session ends between two looks."""
    world.time.call(world.service.add_session, "cap-1", ["rts-1"], "ws-1")
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    world.time.pass_(600.0)
    say(world, index, "the last words", record=20.0)
    for _ in ("stopping", "stopped"):
        world.time.call(world.service.step_session, "cap-1")
    world.time.pass_(200.0)
    assert texts(world)[-1] == ("the last words", True)
    assert world.dead() == set()


def test_what_was_said_just_before_it_was_bound_again(world: World) -> None:
    """It speaks to us again before it is asked the next time."""
    fingerprint = transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    world.service.rebinds = False
    reconnect(world)
    world.time.pass_(600.0)
    say(world, fingerprint, "to nobody")
    fingerprint.bound_to = "ws-2"
    say(world, fingerprint, "to us")
    world.time.pass_(200.0)
    assert ("to nobody", True) in texts(world)


def test_a_transcription_that_was_started_again_is_mended_again(world: World) -> None:
    fingerprint = transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    fingerprint.is_running = False
    reconnect(world)
    world.time.pass_(200.0)
    world.service.rebinds = False
    fingerprint.is_running, fingerprint.bound_to = True, "ws-2"
    reconnect(world)
    world.time.pass_(200.0)
    say(world, fingerprint, "to nobody")
    world.time.pass_(60.0)
    assert ("to nobody", True) in texts(world)
    assert ("rts-1", None) in world.dead()


def test_an_export_in_the_second_gap_is_told(world: World) -> None:
    world.time.call(world.service.add_session, "cap-1", ["rts-1"], "ws-1")
    transcription(world)
    world.service.add_stream("rts-2")
    world.time.call(world.service.add_session, "cap-2", ["rts-2"], "ws-1")
    reconnect(world)
    for _ in ("stopping", "stopped"):
        world.time.call(world.service.step_session, "cap-1")
    world.service.sessions["cap-1"]["export_status"] = None
    world.time.pass_(600.0)
    reconnect(world)
    world.time.call(world.service.step_session, "cap-1")
    world.time.pass_(60.0)
    names = [line.get("event") for line in world.listening.lines()]
    assert names.count("capture_session.exported") == 1


def test_where_no_index_is_known_a_transcription_is_bound_all_the_same(world: World) -> None:
    """A stream that has no index may be unknown to the call that lists them, and one without transcription to its."""
    world.service.is_strict = True
    fingerprint = transcription(world)
    world.service.add_stream("rts-2")
    index = world.service.add_pipeline("rts-2", VISUAL, "idx-1", "ws-1")
    say(world, index, "seen")
    reconnect(world)
    world.time.pass_(300.0)
    assert fingerprint.bound_to == "ws-2"
    assert world.dead() == {("rts-2", "idx-1")}
    say(world, index, "to nobody")
    world.time.pass_(40.0)
    assert texts(world)[-1] == ("to nobody", True)


def test_calls_that_fail_settle_nothing(world: World) -> None:
    """What was lost in a gap may appear late, and the service may be down just then."""
    fingerprint = transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    world.drop()
    say(world, fingerprint, "in the gap", record=30.0)
    world.connect()
    world.time.pass_(2.0)
    say(world, fingerprint, "after the gap")
    world.service.is_down = True
    world.time.pass_(500.0)
    world.service.is_down = False
    world.time.pass_(100.0)
    assert ("in the gap", True) in texts(world)


def test_an_index_that_is_found_late_is_queried_from_the_gap_on(world: World) -> None:
    """Its channel has had other events since; and none of those is written twice, though they are long forgotten."""
    transcription(world)
    live = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-2")
    dead = world.service.add_pipeline("rts-1", VISUAL, "idx-2", "ws-1")
    other = world.service.add_pipeline("rts-1", "audio_index", "idx-3", "ws-1")
    world.drop()
    say(world, dead, "in the gap")
    world.connect()
    every, world.service.pipelines = world.service.pipelines, [world.service.pipelines[0], other]
    for number in range(30):
        say(world, live, f"thing {number}")
        world.time.pass_(60.0)
    known = world.listening.recoverer._backfill.known
    assert len(known) < 10
    world.service.pipelines = every
    world.listening.recoverer._backfill.targets.streams["rts-1"].list_since = world.time.monotonic()
    world.time.pass_(100.0)
    lines = texts(world)
    assert lines.count(("in the gap", True)) == 1
    assert [lines.count((f"thing {number}", False)) for number in range(30)] == [1] * 30
    assert len(lines) == 32


def test_a_long_outage_is_queried_from_its_beginning(world: World) -> None:
    """The transcription had stopped, and was done; it runs again and speaks while no connection stands."""
    spoken = transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    spoken.is_running = False
    reconnect(world)
    world.time.pass_(200.0)
    world.drop()
    world.time.pass_(10.0)
    spoken.is_running = True
    say(world, spoken, "to nobody")
    world.time.pass_(3600.0)
    world.connect()
    world.time.pass_(10.0)
    assert texts(world)[-1] == ("to nobody", True)


def test_what_is_forgotten_is_not_queried_by_the_next_gap(world: World) -> None:
    """A dead index keeps the backfill going; the transcription is done, and has been quiet for a while."""
    spoken = transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    world.time.pass_(10.0)
    say(world, spoken, "one")
    world.time.pass_(500.0)
    say(world, spoken, "two")
    world.time.pass_(450.0)
    reconnect(world)
    world.time.pass_(100.0)
    assert texts(world) == [("before", False), ("one", False), ("two", False)]


def test_one_answer_that_nobody_thought_of_keeps_no_other_from_being_read(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from videodb_cli.listener.recovery import backfill

    def compare(pipeline: Any, *arguments: Any) -> Any:
        if pipeline.index_id is None:
            raise KeyError("x")
        return real(pipeline, *arguments)

    real = backfill.compare
    monkeypatch.setattr(backfill, "compare", compare)
    transcription(world)
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    say(world, index, "to nobody")
    with caplog.at_level("ERROR", "videodb_cli.listener"):
        world.time.pass_(60.0)
    # A bug keeps its traceback, once for each gap: the rounds go on.
    (told,) = caplog.records
    assert told.exc_info is not None
    assert told.exc_info[0] is KeyError
    assert "in compare" in caplog.text
    assert ("to nobody", True) in texts(world)
    assert own(world, "recovered")[-1]["incomplete"] == [{"what": "reading back", "why": "KeyError: 'x'"}]


# ---- what is told ------------------------------------------------------------------------------------------------


def test_what_cannot_be_asked_for_long_is_told_and_mended_by_the_next_run(world: World) -> None:
    transcription(world)
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    world.time.pass_(100.0)
    assert [data["complete"] for data in own(world, "recovered")] == [True]
    world.service.is_down = True
    say(world, index, "while nobody answers")
    world.time.pass_(3600.0)
    assert [data["complete"] for data in own(world, "recovered")] == [True, False]
    world.restart(is_killed=True)
    world.service.is_down = False
    world.connect()
    world.time.pass_(10.0)
    assert texts(world)[-1] == ("while nobody answers", True)


def test_what_failed_at_first_is_told_as_complete_once_it_is(world: World) -> None:
    transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    world.service.is_down = True
    reconnect(world)
    world.time.pass_(1.0)
    world.service.is_down = False
    world.time.pass_(100.0)
    told = own(world, "recovered")
    assert [data["complete"] for data in told] == [False, True]
    assert told[-1]["polled"][0]["rtstream_index_id"] == "idx-1"


def test_a_stop_in_the_moment_of_a_new_connection_ends(world: World) -> None:
    """In Python 3.11 `wait_for` swallows a cancellation that comes together with what it waits for."""
    transcription(world)
    world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    reconnect(world)
    world.time.pass_(1.0)
    recoverer = world.listening.recoverer
    began = world.time.monotonic()

    async def bind_and_stop() -> None:
        recoverer.bind("ws-9")
        await recoverer.stop()

    world.time.run(bind_and_stop())
    assert world.time.monotonic() - began < 1.0


def test_a_run_that_never_had_a_connection_heard_nothing(world: World) -> None:
    fingerprint = transcription(world)
    world.restart(is_killed=False)
    say(world, fingerprint, "to nobody")
    world.time.pass_(3600.0)
    world.restart(is_killed=False)
    world.connect()
    world.time.pass_(10.0)
    assert texts(world)[-1] == ("to nobody", True)
    assert own(world, "gap")[-1]["seconds"] == 3600.0


def test_what_was_read_back_long_after_it_was_made_is_not_read_back_again(world: World) -> None:
    fingerprint = transcription(world)
    world.drop()
    world.time.pass_(1.0)
    say(world, fingerprint, "in the gap")
    world.time.pass_(500.0)
    world.connect()
    world.time.pass_(500.0)
    world.restart(is_killed=False)
    world.connect()
    world.time.pass_(100.0)
    assert texts(world) == [("before", False), ("in the gap", True)]


def test_a_bug_in_a_round_keeps_its_traceback_and_the_rounds_go_on(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from videodb_cli.listener.recovery.backfill import Backfill

    transcribed = transcription(world)
    real = Backfill.forget_old
    bugs = [ZeroDivisionError("a bug")]

    def forget_old(backfill: Backfill) -> None:
        if bugs:
            raise bugs.pop()
        real(backfill)

    monkeypatch.setattr(Backfill, "forget_old", forget_old)
    reconnect(world)
    say(world, transcribed, "after the bug")
    with caplog.at_level("ERROR", "videodb_cli.listener"):
        world.time.pass_(100.0)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]
    assert "in forget_old" in caplog.text
    assert own(world, "recovered")[-1]["complete"] is True


def test_the_last_words_of_a_stream_that_the_log_knows_only_by_its_session(world: World) -> None:
    """The session has ended, and all that came of its stream went to an id that was replaced."""
    index = world.service.add_pipeline("rts-1", VISUAL, "idx-1", "ws-1")
    world.time.call(world.service.add_session, "cap-1", ["rts-1"], "ws-1")
    world.time.pass_(100.0)
    world.time.call(lambda: world.service.make(index, "the last words", live_after_s=40.0, record_after_s=3.0))
    for _ in range(3):
        world.time.call(world.service.step_session, "cap-1")
    connection = world.listening.youngest
    assert connection is not None
    world.replace_id(connection)
    world.time.pass_(100.0)
    assert ("the last words", True) in texts(world)
