"""What a gap lost comes back: the listener as a process, the embedded service with streams that tests speak for."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.listener_process import ListenerProcess, read_log, wait_for
from tests.fakes.stage import Stage
from videodb_cli.local import events
from videodb_cli.local.faults.plan import Fault
from videodb_cli.local.http.server import Running
from videodb_cli.local.service import Service


@pytest.fixture
def stage(service: Running) -> Stage:
    return Stage(service)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "events"


def texts(lines: list[dict[str, Any]], channel: str) -> list[str]:
    return [line["data"]["text"] for line in lines if line.get("channel") == channel]


def text_is(text: str) -> Callable[[dict[str, Any]], bool]:
    return lambda line: line.get("data", {}).get("text") == text


def test_a_gap_is_mended_bound_again_and_polled(stage: Stage, directory: Path) -> None:
    now = time.time()
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        session = stage.session(stream, first)
        stage.transcribe(stream, first)
        index = stage.index(stream, first)
        stage.speak(stream, "heard live", now - 30)
        stage.show(stream, index, "seen live", now - 30)
        listener.wait_for_line(text_is("seen live"))
        stage.close_sockets()
        stage.speak(stream, "said in the gap", now - 8.2504)
        stage.show(stream, index, "shown in the gap", now - 9)
        stage.speak(stream, "said earlier in the gap", now - 12)
        second = listener.wait_for_id(other_than=first)
        gap = listener.wait_for_event("listener.gap")
        assert gap["data"]["old_connection_id"] == first
        assert gap["data"]["new_connection_id"] == second
        assert gap["data"]["unrecoverable"] == ["alert"]
        recovered = listener.wait_for_event("listener.recovered")
        assert recovered["data"]["counts"] == {"transcript": 2, "visual_index": 1}
        assert recovered["data"]["complete"] is True
        wait_for(lambda: stream.transcription.ws_connection_id == second, "not bound again")
        # The index still speaks to the old connection: it is polled.
        stage.show(stream, index, "shown after the gap", time.time())
        line = listener.wait_for_line(text_is("shown after the gap"))
        assert line["recovered"] is True
        stage.speak(stream, "said after the gap", time.time())
        assert "recovered" not in listener.wait_for_line(text_is("said after the gap"))

        def dead() -> list[tuple[str, str]]:
            listed = _state(directory).get("dead_pipelines") or []
            return [(item["channel"], item["rtstream_index_id"]) for item in listed]

        wait_for(lambda: dead() == [("visual_index", index.id)], "the state does not name the dead pipeline alone")
        stage.do(lambda _: setattr(session, "status", "stopped"))
        stopped = listener.wait_for_line(lambda line: line.get("event") == "capture_session.stopped")
        assert stopped["recovered"] is True
        # The service was only late: the event itself comes after all.
        stage.do(lambda service: service.hub.send(second, events.lifecycle(session.id, "stopped", {})))
        late = listener.wait_for_event("listener.late")
        assert json.loads(late["data"]["message"])["capture_session_id"] == session.id
    lines = read_log(directory)
    assert texts(lines, "transcript") == [
        "heard live",
        "said earlier in the gap",
        "said in the gap",
        "said after the gap",
    ]
    assert [line.get("event") for line in lines].count("capture_session.stopped") == 1
    assert texts(lines, "visual_index") == ["seen live", "shown in the gap", "shown after the gap"]
    back = next(line for line in lines if text_is("said in the gap")(line))
    start = round((now - 8.2504) * 1000)
    assert back["data"] == {"text": "said in the gap", "is_final": True, "start": start, "end": start + 2000}
    assert (back["rtstream_id"], back["rtstream_name"]) == (stream.id, "mic:default")


def test_a_restart_goes_on_where_the_last_run_ended(stage: Stage, directory: Path) -> None:
    now = time.time()
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        stage.transcribe(stream, first)
        stage.speak(stream, "before", now - 20)
        listener.wait_for_line(text_is("before"))
        listener.stop(9)
    stage.speak(stream, "between", now - 10)
    with ListenerProcess(directory, stage.environment) as listener:
        listener.wait_for_line(text_is("between"))
        assert listener.wait_for_event("listener.gap")["data"]["old_connection_id"] == first
        listener.wait_for_event("listener.recovered")
    assert texts(read_log(directory), "transcript") == ["before", "between"]
    stage.speak(stream, "missed again", now - 5)
    with ListenerProcess(directory, stage.environment, "--clear") as listener:
        listener.wait_for_id()
        listener.wait_for_event("listener.connected")
        stage.do(lambda service: service.hub.connections[listener.wait_for_id()].send('{"channel":"x","data":{}}'))
        listener.wait_for_line(lambda line: line.get("channel") == "x")
    names = [line.get("event") for line in read_log(directory)]
    assert names == ["listener.connected", None, "listener.stopped"]


def test_a_cleared_log_does_not_make_a_running_capture_unheard(stage: Stage, directory: Path) -> None:
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        session = stage.session(stream, first)
        stage.transcribe(stream, first)
        index = stage.index(stream, first)
        stage.show(stream, index, "before", time.time() - 2)
        listener.wait_for_line(text_is("before"))
    info = {
        "v": 1,
        "session_id": session.id,
        "collection_id": "default",
        "status": "active",
        "ws_connection_id": first,
        "channels": [{"channel_id": "display:1", "type": "video", "rtstream_id": stream.id}],
        "pipelines": [
            {
                "kind": "visual_index",
                "rtstream_id": stream.id,
                "rtstream_index_id": index.id,
                "ws_connection_id": first,
            }
        ],
    }
    path = directory / "videodb_capture_info.json"
    path.write_text(json.dumps(info))
    path.chmod(0o600)
    stage.show(stream, index, "between", time.time() - 1, 0.5)
    with ListenerProcess(directory, stage.environment, "--clear") as listener:
        second = listener.wait_for_id()
        wait_for(lambda: stream.transcription.ws_connection_id == second, "not bound again")
        wait_for(lambda: _dead_indexes(directory) == [index.id], "not the index alone is said to be dead")
        stage.show(stream, index, "after", time.time(), 0.5)
        assert listener.wait_for_line(text_is("after"))["recovered"] is True
        names = [line.get("event") for line in listener.lines()]
        assert "listener.gap" not in names
    assert texts(read_log(directory), "visual_index") == ["after"], "nothing older is read back after --clear"
    session.status = "stopped"


def test_a_gap_longer_than_the_window(stage: Stage, directory: Path) -> None:
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        stage.transcribe(stream, first)
        stage.speak(stream, "before", time.time() - 2)
        heard = listener.wait_for_line(text_is("before"))
    wait_for(lambda: time.time() > heard["unix_ts"] + 3, "time stands still")
    stage.speak(stream, "too old", time.time() - 9)
    # It goes on for so long that a slow start of the listener does not make it too old.
    stage.speak(stream, "young enough", time.time() - 1, 30.0)
    with ListenerProcess(directory, stage.environment, "--recover-window", "2s") as listener:
        listener.wait_for_line(text_is("young enough"))
        data = listener.wait_for_event("listener.recovered")["data"]
        assert data["counts"] == {"transcript": 1}
        assert data["asked_since"] > data["from"]
    assert texts(read_log(directory), "transcript") == ["before", "young enough"]


def test_what_the_service_does_not_know_any_more_is_named(stage: Stage, directory: Path) -> None:
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        session = stage.session(stream, first)
        stage.transcribe(stream, first)
        stage.speak(stream, "before", time.time() - 20)
        listener.wait_for_line(text_is("before"))
        stage.do(lambda service: service.state.streams.clear())
        stage.do(lambda service: service.state.sessions.clear())
        stage.close_sockets()
        data = listener.wait_for_event("listener.recovered")["data"]
    assert data["unknown"] == [f"records of transcript of {stream.id}", f"session {session.id}"]


def test_no_recover_only_records_the_gap(stage: Stage, directory: Path) -> None:
    with ListenerProcess(directory, stage.environment, "--no-recover") as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        stage.transcribe(stream, first)
        stage.speak(stream, "before", time.time() - 20)
        listener.wait_for_line(text_is("before"))
        stage.close_sockets()
        stage.speak(stream, "lost", time.time() - 10)
        listener.wait_for_event("listener.gap")
        listener.wait_for_id(other_than=first)
        assert stream.transcription.ws_connection_id == first
    assert texts(read_log(directory), "transcript") == ["before"]


def test_a_planned_renewal_loses_nothing_and_doubles_nothing(stage: Stage, directory: Path) -> None:
    with ListenerProcess(directory, stage.environment, "--max-age=1s") as listener:
        first = listener.wait_for_id()
        stream = stage.stream()
        stage.transcribe(stream, first)
        stage.speak(stream, "one", time.time())
        listener.wait_for_line(text_is("one"))
        second = listener.wait_for_id(other_than=first)
        wait_for(lambda: stream.transcription.ws_connection_id == second, "not bound again")

        def send(service: Service) -> None:
            hub = service.hub
            assert {first, second} <= set(hub.connections)
            hub.connections[first].send(json.dumps({"channel": "x", "data": {"text": "old"}}))
            hub.connections[second].send(json.dumps({"channel": "x", "data": {"text": "new"}}))
            for connection in (first, second):
                hub.connections[connection].send(json.dumps({"channel": "x", "data": {"text": "both"}}))
            hub.connections[second].send(json.dumps({"channel": "x", "data": {"text": "twice"}}))
            hub.connections[second].send(json.dumps({"channel": "x", "data": {"text": "twice"}}))

        stage.do(send)
        listener.wait_for_line(text_is("twice"))
        stage.do(lambda service: service.hub.connections[first].close(1001))
        old = listener.wait_for_event("listener.disconnected")
        assert old["data"]["connection_id"] == first
        assert old["data"]["renewed_by"]
    lines = read_log(directory)
    assert sorted(texts(lines, "x")) == ["both", "new", "old", "twice", "twice"]
    assert texts(lines, "transcript") == ["one"]
    assert not [line for line in lines if line.get("event") == "listener.gap"]
    stopped = next(line["data"] for line in lines if line.get("event") == "listener.stopped")
    assert (stopped["doubles"], stopped["dropped"]) == (1, 0)


def _dead_indexes(directory: Path) -> list[str | None]:
    return [item["rtstream_index_id"] for item in _state(directory).get("dead_pipelines") or []]


def _state(directory: Path) -> dict[str, Any]:
    try:
        return json.loads((directory / "videodb_listener.json").read_text())
    except FileNotFoundError:
        return {}


# ---- an export that the socket does not tell -------------------------------------------------------------------------


def waiting_for(directory: Path, stage: Stage, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "videodb_cli", "events", "wait", *arguments, "--dir", str(directory)]
    environment = {**os.environ, "HOME": str(directory.parent), **stage.environment}
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, cwd=directory.parent
    )


@pytest.mark.parametrize("named", ["by id", "last"])
@pytest.mark.parametrize("name", ["exported", "capture_session.exported"])
def test_wait_ends_with_an_export_that_only_rest_tells(stage: Stage, directory: Path, name: str, named: str) -> None:
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        session = stage.session(stage.stream(), first)
        stage.do(lambda _: setattr(session, "status", "stopped"))
        stage.do(lambda service: service.hub.send(first, events.lifecycle(session.id, "stopped", {})))
        listener.wait_for_line(lambda line: line.get("event") == "capture_session.stopped")
        selected = session.id if named == "by id" else "last"
        with waiting_for(
            directory, stage, "--event", name, "--fail-on", "failed", "--session", selected, "--timeout", "30"
        ) as waiting:

            def export(_: Service) -> None:
                session.status, session.export_status, session.exported_video_id = "exported", "exported", "m-1"

            stage.do(export)
            out, err = waiting.communicate(timeout=40)
        assert waiting.returncode == 0, err
        event = json.loads(out)
        assert (event["event"], event["recovered"]) == ("capture_session.exported", True)
        assert event["data"]["exported_video_id"] == "m-1"
        stage.do(lambda service: service.hub.send(first, events.lifecycle(session.id, "exported", {})))
        listener.wait_for_event("listener.late")
    names = [line.get("event") for line in read_log(directory)]
    assert names.count("capture_session.exported") == 1
    assert "listener.gap" not in names


def test_wait_fails_with_a_failure_that_only_rest_tells_and_not_because_rest_is_down(
    stage: Stage, directory: Path
) -> None:
    with ListenerProcess(directory, stage.environment) as listener:
        first = listener.wait_for_id()
        session = stage.session(stage.stream(), first)
        stage.do(lambda service: service.hub.send(first, events.lifecycle(session.id, "stopped", {})))
        listener.wait_for_line(lambda line: line.get("event") == "capture_session.stopped")
        with waiting_for(
            directory, stage, "--event", "exported", "--fail-on", "failed", "--session", session.id, "--timeout", "30"
        ) as waiting:
            stage.do(lambda service: service.faults.set([Fault("status", times=4, path="/capture/session/")]))
            stage.do(lambda _: setattr(session, "status", "failed"))
            # The answers that are refused end nothing; the one after them does.
            out, err = waiting.communicate(timeout=40)
            assert stage.do(lambda service: service.faults.take(("status",), path="/capture/session/")) is None
        assert waiting.returncode == 1, err
        assert json.loads(out)["event"] == "capture_session.failed"
        assert json.loads(out)["recovered"] is True
