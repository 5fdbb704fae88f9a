"""The service without a network, and virtual time: what the tests of the recovery rely on."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.fakes.stream_service import StreamService
from tests.fakes.virtual_time import VirtualTime
from videodb_cli.api.failures import NoSuchThingError, RequestFailedError
from videodb_cli.local import events
from videodb_cli.local.analysis.base import AnalysisRecord


@pytest.fixture
def time() -> Iterator[VirtualTime]:
    made = VirtualTime()
    yield made
    made.close()


@pytest.fixture
def service(time: VirtualTime) -> StreamService:
    return StreamService(time)


def test_time_passes_only_while_everybody_waits(time: VirtualTime) -> None:
    seen: list[float] = []
    began = time.time()
    time.later(7200.0, lambda: seen.append(time.time() - began))
    time.pass_(3600.0)
    assert seen == []
    time.pass_(3600.0)
    assert seen == [7200.0]
    assert time.monotonic() == 8200.0


def test_threads_are_waited_for(time: VirtualTime) -> None:
    done = threading.Event()

    async def work() -> bool:
        return await asyncio.to_thread(done.wait, 10)

    threading.Timer(0.05, done.set).start()
    assert time.run(work())


def test_an_event_goes_where_its_pipeline_is_bound(time: VirtualTime, service: StreamService) -> None:
    received: dict[str, list[Any]] = {"ws-1": [], "ws-2": []}
    for name, messages in received.items():
        service.connections[name] = messages.append
    pipeline = service.add_pipeline("rts-1", "transcript", None, "ws-1")
    service.make(pipeline, "one")
    del service.connections["ws-1"]
    service.make(pipeline, "two")
    time.run(service.start_transcription("rts-1", "ws-2"))
    time.call(lambda: service.make(pipeline, "three", live_after_s=5.0))
    assert [len(messages) for messages in received.values()] == [1, 0]
    time.pass_(5.0)
    assert json.loads(received["ws-2"][0])["data"]["text"] == "three"
    assert len(service.sent) == 2


def test_a_record_can_be_read_when_it_is_due(time: VirtualTime, service: StreamService) -> None:
    pipeline = service.add_pipeline("rts-1", "visual_index", "idx-1", None)
    made = service.make(pipeline, "one", record_after_s=10.0)
    assert time.run(service.scene_records("rts-1", "idx-1", 0.0, 1e12)) == []
    time.pass_(10.0)
    record = {"description": "one", "start": made.start, "end": made.end}
    assert time.run(service.scene_records("rts-1", "idx-1", 0.0, 1e12)) == [record]
    assert time.run(service.scene_records("rts-1", "idx-1", made.end + 1, 1e12)) == []


def test_an_answer_is_of_when_it_was_asked_for(time: VirtualTime, service: StreamService) -> None:
    service.latency_s = 3.0
    pipeline = service.add_pipeline("rts-1", "transcript", None, None)

    async def ask_and_make() -> list[Any]:
        asking = asyncio.ensure_future(service.transcription_records("rts-1", 0.0))
        await asyncio.sleep(1.0)
        service.make(pipeline, "too late")
        return await asking

    assert time.run(ask_and_make()) == []


@pytest.mark.parametrize("is_strict", [True, False])
def test_what_is_not_there(time: VirtualTime, service: StreamService, is_strict: bool) -> None:
    service.is_strict = is_strict
    for asked in (service.scene_indexes("rts-1"), service.transcription_status("rts-1")):
        if is_strict:
            with pytest.raises(NoSuchThingError):
                time.run(asked)
        else:
            assert time.run(asked) in ([], "not_configured")
    with pytest.raises(NoSuchThingError):
        time.run(service.scene_records("rts-1", "idx-1", 0.0, 1.0))
    service.is_down = True
    with pytest.raises(RequestFailedError):
        time.run(service.stream("rts-1"))


def test_a_session_that_stops_ends_its_pipelines(service: StreamService) -> None:
    mine, other = (service.add_pipeline(stream, "transcript", None, "ws-1") for stream in ("rts-1", "rts-2"))
    service.add_session("cap-1", ["rts-1"], "ws-1")
    statuses = []
    for _ in range(4):
        service.step_session("cap-1")
        statuses.append((service.sessions["cap-1"]["status"], service.sessions["cap-1"]["export_status"]))
    assert statuses == [
        ("stopping", None),
        ("stopped", "exporting"),
        ("exported", "exported"),
        ("exported", "exported"),
    ]
    assert (mine.is_running, other.is_running) == (False, True)


def test_its_events_have_the_shape_of_the_embedded_service(service: StreamService) -> None:
    """What both send of one thing has the same members, but for the model that made it."""
    received: list[dict[str, Any]] = []
    service.connections["ws-1"] = lambda raw: received.append(json.loads(raw))
    stream: Any = SimpleNamespace(id="rts-1", name="mic:default")
    index: Any = SimpleNamespace(id="idx-1")
    record = AnalysisRecord(kind="transcript", text="x", start=1.0, end=3.0, is_final=True, model="test")
    service.make(service.add_pipeline("rts-1", "transcript", None, "ws-1"), "x")
    service.make(service.add_pipeline("rts-1", "visual_index", "idx-1", "ws-1"), "x")
    judges = [events.transcript(stream, record), events.index_event("visual_index", stream, index, record)]
    for mine, theirs in zip(received, judges, strict=True):
        assert set(theirs) - set(mine) <= {"rtstream_name"}
        data = theirs["data"]
        assert isinstance(data, dict)
        assert set(data) - {"model"} == set(mine["data"]) - {"model"}
