"""A session has ended, and the socket says nothing of its export: REST does. In virtual time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.recovery_world import World
from videodb_cli.rundir import state

SESSION = "cap-1"


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.service.add_stream("rts-1")
    made.connect()
    made.time.call(made.service.add_session, SESSION, ["rts-1"], "ws-1")
    yield made
    made.close()


def step(world: World, *, silent: bool = False) -> None:
    world.time.call(lambda: world.service.step_session(SESSION, is_silent=silent))


def lifecycle(world: World) -> list[tuple[str, bool]]:
    """The life cycle as the log has it, and whether each event was read back."""
    lines = [line for line in world.listening.lines() if line["channel"] == "capture_session"]
    return [(line["status"], line.get("recovered", False)) for line in lines]


def own(world: World, name: str) -> list[dict[str, Any]]:
    return [line["data"] for line in world.listening.lines() if line.get("event") == name]


def write_capture(world: World, status: str, session_status: str | None = None) -> None:
    members = {"session_id": SESSION, "collection_id": "c-1", "status": status, "session_status": session_status}
    state.write(world.path / "videodb_capture_info.json", members)


def stop(world: World) -> None:
    step(world)
    step(world)


def test_an_export_that_only_rest_tells_is_logged_once(world: World) -> None:
    stop(world)
    world.time.pass_(20.0)
    assert lifecycle(world)[-1] == ("stopped", False)
    step(world, silent=True)
    world.time.pass_(30.0)
    assert lifecycle(world)[-1] == ("exported", True)
    line = next(line for line in world.listening.lines() if line.get("status") == "exported")
    assert line["event"] == "capture_session.exported"
    assert line["data"]["exported_video_id"] == f"m-{SESSION}"
    calls = world.service.session_calls
    world.time.pass_(1800.0)
    assert [status for status, _ in lifecycle(world)] == ["active", "stopping", "stopped", "exported"]
    assert world.service.session_calls == calls, "nobody asks about what is known"
    # The service was only late.
    world.time.call(world.service.send_session, SESSION)
    assert len(lifecycle(world)) == 4
    (late,) = own(world, "listener.late")
    assert json.loads(late["message"])["event"] == "capture_session.exported"


def test_a_live_event_that_is_in_time_is_the_one_in_the_log(world: World) -> None:
    stop(world)
    world.time.pass_(4.0)
    step(world, silent=True)
    # Asked at 5 s; the live event is under way for a second more.
    world.time.later(2.0, world.service.send_session, SESSION)
    world.time.pass_(60.0)
    assert lifecycle(world)[-1] == ("exported", False)
    assert len(lifecycle(world)) == 4
    assert own(world, "listener.late") == []


def test_a_service_that_is_down_is_asked_again(world: World) -> None:
    stop(world)
    world.service.is_down = True
    step(world, silent=True)
    world.time.pass_(120.0)
    assert lifecycle(world)[-1] == ("stopped", False)
    world.service.is_down = False
    world.time.pass_(70.0)
    assert lifecycle(world)[-1] == ("exported", True)


def test_a_failure_is_told_too(world: World) -> None:
    stop(world)
    world.service.sessions[SESSION] |= {"status": "failed", "error": {"code": "NO_CREDITS", "message": "none left"}}
    world.time.pass_(20.0)
    assert lifecycle(world)[-1] == ("failed", True)
    assert world.listening.lines()[-1]["data"] == {"error": {"code": "NO_CREDITS", "message": "none left"}}


def test_a_session_without_an_export_is_asked_about_less_and_less_and_not_for_ever(world: World) -> None:
    stop(world)
    world.service.sessions[SESSION]["export_status"] = None
    world.time.pass_(1900.0)
    calls = world.service.session_calls
    assert calls < 50
    world.time.pass_(3600.0)
    assert world.service.session_calls == calls


def test_a_running_session_and_one_that_nobody_knows_are_left_alone(world: World) -> None:
    world.time.pass_(600.0)
    assert world.service.session_calls == 0
    stop(world)
    del world.service.sessions[SESSION]
    world.time.pass_(600.0)
    assert world.service.session_calls == 1


@pytest.mark.parametrize("session_status", [None, "exported"])
def test_the_capture_of_the_directory_is_known_by_its_state_file(world: World, session_status: str | None) -> None:
    write_capture(world, "active")
    world.time.pass_(5.0)
    for _ in range(3):
        step(world, silent=True)
    write_capture(world, "stopped", session_status)
    # What the process that captures knows already is asked at once.
    world.time.pass_(12.0 if session_status is None else 4.5)
    assert lifecycle(world) == [("active", False), ("exported", True)]


def test_the_capture_of_an_earlier_day_is_no_news(world: World) -> None:
    world.service.sessions["cap-0"] = {"id": "cap-0", "status": "exported", "export_status": "exported"}
    state.write(world.path / "videodb_capture_info.json", {"session_id": "cap-0", "status": "exported"})
    world.time.pass_(120.0)
    assert world.service.session_calls == 0


def test_it_ends_with_the_listener(world: World) -> None:
    stop(world)
    world.time.run(world.listening.recoverer.stop())
    step(world, silent=True)
    world.time.pass_(600.0)
    assert lifecycle(world)[-1] == ("stopped", False)


@pytest.mark.parametrize("is_killed", [True, False])
def test_the_next_listener_goes_on_asking(world: World, is_killed: bool) -> None:
    stop(world)
    world.time.pass_(10.0)
    world.restart(is_killed=is_killed)
    world.connect()
    # The recovery after the gap has asked, and has no more to ask for.
    world.time.pass_(300.0)
    step(world, silent=True)
    world.time.pass_(90.0)
    assert lifecycle(world)[-2:] == [("stopped", False), ("exported", True)]
