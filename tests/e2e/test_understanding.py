"""Rtstream v2, driven by the official SDK: understandings, their indexes, alerts and the search in them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import videodb
from videodb.exceptions import InvalidRequestError

from tests.e2e.description import Description
from tests.e2e.program import eventually
from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.http.server import Running

WINDOW = {"type": "time", "window": "500ms"}
SCENE = [{"type": "vlm", "name": "scene", "sampling": {"frame_count": 5}, "config": {"prompt": "What happens?"}}]


@pytest.fixture
def conn(service: Running) -> Iterator[Any]:
    conn = videodb.connect(base_url=service.url, api_key=service.key)
    conn.session.hooks["response"].append(Description().on_response)
    yield conn
    conn.session.close()


@pytest.fixture
def stream(conn: Any, clip: Path) -> Any:
    return conn.get_collection().connect_rtstream(url=str(clip), name="display:1", media_types=["video", "audio"])


@pytest.fixture
def show(sources: Any) -> Callable[[str], None]:
    def show(text: str) -> None:
        now = time.time()
        detail = {"lines": [text], "new_lines": [text], "gone_lines": []}
        sources.say(AnalysisRecord("visual_index", text, now, now + 1, True, "ocr", detail=detail))

    return show


def texts(records: dict[str, Any]) -> list[str]:
    return [record["text"] for record in records["records"]]


def test_an_understanding_describes_each_window(stream: Any, show: Callable[[str], None]) -> None:
    understanding = stream.understand(segmentation=WINDOW, analyzers=SCENE)
    assert understanding.id.startswith("und-")
    assert (understanding.status, understanding.store, understanding.rtstream_id) == ("running", True, stream.id)
    assert (understanding.segmentation, understanding.analyzers) == (WINDOW, SCENE)
    began = time.time()
    show("Release checklist")
    found = eventually(lambda: (read := understanding.get_records(began - 60, began + 60))["total_count"] > 2 and read)
    assert set(texts(found)) == {"Release checklist"}, "a picture that does not change is described again"
    for record in found["records"]:
        assert record["end"] - record["start"] == pytest.approx(0.5)
        assert record["description"] == record["text"]
    starts = [record["start"] for record in found["records"]]
    assert starts == sorted(set(starts))
    assert understanding.get_records(began - 90, began - 60)["records"] == []
    assert found["next_page"] is False
    assert understanding.get_records(began - 60, began + 60, page_size=1)["next_page"] is True


def test_an_understanding_is_listed_stopped_and_resumed(stream: Any, show: Callable[[str], None]) -> None:
    understanding = stream.understand(segmentation=WINDOW, analyzers=SCENE)
    assert [one.id for one in stream.list_understanding()] == [understanding.id]
    assert stream.get_understanding(understanding.id).outputs == understanding.outputs
    show("before the stop")
    understanding.stop()
    assert understanding.refresh().status == "stopped"
    now = time.time()
    assert texts(understanding.get_records(now - 60, now + 60)) == ["before the stop"], "nothing seen is lost by a stop"
    understanding.start()
    assert understanding.refresh().status == "running"
    stream.stop()
    assert understanding.refresh().status == "stopped"


def test_an_index_of_an_output_is_searched_and_watched(
    conn: Any, stream: Any, show: Callable[[str], None], service: Running
) -> None:
    async def watch() -> None:
        async with await asyncio.to_thread(conn.connect_websocket) as socket:

            async def event(channel: str) -> dict[str, Any]:
                async for message in socket.receive():
                    if message["channel"] == channel:
                        found: dict[str, Any] = message
                        return found
                raise AssertionError(channel)

            understanding = await asyncio.to_thread(
                stream.understand, segmentation=WINDOW, analyzers=SCENE, ws_connection_id=socket.connection_id
            )
            show("Lunch menu")
            told = await asyncio.wait_for(event("visual_index"), 10)
            assert (told["understanding_id"], told["output"]) == (understanding.id, "scene")
            assert (told["data"]["text"], told["data"]["model"]) == ("Lunch menu", "ocr")
            index = await asyncio.to_thread(stream.index, understanding.outputs["scene"], name="slides")
            assert index.id.startswith("idx-")
            assert (index.name, index.status, index.use_for) == ("slides", "running", ["semantic"])
            assert (index.source_understanding_id, index.output) == (understanding.id, "scene")
            rule = await asyncio.to_thread(conn.create_event, "the deployment failed", "pager")
            alert = await asyncio.to_thread(index.create_alert, rule, "", ws_connection_id=socket.connection_id)
            show("The deployment failed")
            rung = await asyncio.wait_for(event("alert"), 10)
            assert (rung["rtstream_index_id"], rung["data"]["alert_id"]) == (index.id, alert)
            assert rung["data"]["event_label"] == rung["data"]["label"] == "pager"
            assert rung["data"]["explanation"]
            assert [item["alert_id"] for item in index.list_alerts()] == [alert]
            index.disable_alert(alert)
            assert index.list_alerts()[0]["status"] == "disabled"
            index.enable_alert(alert)
            assert {"Lunch menu", "The deployment failed"} <= set(texts(index.get_records()))
            assert [one.id for one in stream.list_indexes()] == [index.id]
            assert stream.get_index(index.id).name == "slides"
            shots = stream.search("failed deployments", index_id=index.id).get_shots()
            assert shots[0].text == "The deployment failed"
            assert shots[0].scene_index_id == index.id
            everywhere = conn.get_collection().search("deployment", namespace="rtstream").get_shots()
            assert (everywhere[0].rtstream_id, everywhere[0].text) == (stream.id, "The deployment failed")
            index.stop()
            assert index.refresh().status == "stopped"

    asyncio.run(watch())


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"segmentation": {"type": "shot"}}, "must be of type time"),
        ({"segmentation": {"type": "time", "window": "soon"}}, "segmentation.window must be a length of time"),
        ({"segmentation": {"type": "time", "window": "0s"}}, "segmentation.window must be a length of time"),
        ({"segmentation": {"type": "time", "window": [1]}}, "segmentation.window must be a length of time"),
        ({"analyzers": [*SCENE, *SCENE]}, "a list of one analyzer"),
        ({"analyzers": ["vlm"]}, "a list of one analyzer"),
        ({"analyzers": [{"type": "spoken_words"}]}, "one analyzer of type vlm"),
    ],
)
def test_what_cannot_be_meant_is_refused(stream: Any, fields: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRequestError, match=sentence):
        stream.understand(**{"segmentation": WINDOW, "analyzers": SCENE, **fields})
    assert stream.list_understanding() == []


def test_what_does_not_exist_or_was_not_stored_is_refused(stream: Any) -> None:
    understanding = stream.understand(segmentation=WINDOW, analyzers=SCENE, store=False)
    for call in (
        lambda: stream.index(understanding.outputs["scene"]),
        lambda: stream.index({"understanding_id": "und-nowhere", "output": "scene"}),
        lambda: stream.get_understanding("und-nowhere"),
        lambda: stream.get_index("idx-nowhere"),
        lambda: understanding.get_records(0, 1, output="sound"),
    ):
        with pytest.raises(InvalidRequestError):
            call()
