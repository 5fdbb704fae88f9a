"""`local start --describe`: a model that the user runs describes and judges; text recognition and words stand by."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import videodb
from videodb.exceptions import InvalidRequestError

from tests.e2e.program import eventually
from tests.e2e.test_alerts import Receiver, connected, events_of, receiver
from tests.e2e.test_local_process import Shell, shell
from tests.fakes.vision_endpoint import Asked, VisionEndpoint, refused
from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.analysis.jpeg import jpeg_of
from videodb_cli.local.describe.options import DescribeOptions
from videodb_cli.local.http.server import Running, running
from videodb_cli.local.sample import VIDEO
from videodb_cli.settings import Secret

__all__ = ["receiver", "shell"]

KEY = "sk-describe-secret-0815"
RULE = "Tell me when a dog is in the kitchen"
WINDOW = {"type": "time", "window": "500ms"}


def words(asked: Asked) -> str:
    """A model that sees how bright a picture is, and knows one animal."""
    if asked.prompt.startswith("Rule:"):
        is_met = "dog" in asked.prompt.partition("Observed:")[2]
        verdict = {"answer": "yes" if is_met else "no", "confidence": 0.83, "explanation": f"dog: {is_met}"}
        return json.dumps(verdict)
    if asked.picture is None:
        return f"Summary of {asked.prompt.partition('What was said:')[2].strip()}"
    return f"{asked.prompt}: {'bright' if asked.picture.mean() > 128 else 'dark'}"


@pytest.fixture
def fake() -> Iterator[VisionEndpoint]:
    with VisionEndpoint(key=KEY, models=["tiny-vl"]) as made:
        made.answer = words
        yield made


@pytest.fixture
def service(tmp_path: Path, sources: Any, fake: VisionEndpoint) -> Iterator[Running]:
    options = DescribeOptions(fake.url + "/v1", None, 2.0)
    with running(tmp_path / "local", make_source=sources, describe=options, describe_key=Secret(KEY)) as found:
        yield found


@pytest.fixture
def conn(service: Running) -> Iterator[Any]:
    made = videodb.connect(api_key=service.key, base_url=service.url)
    yield made
    made.session.close()


@pytest.fixture
def stream(conn: Any, clip: Path) -> Any:
    return conn.get_collection().connect_rtstream(url=str(clip), name="a clip", media_types=["video", "audio"])


@pytest.fixture
def show(sources: Any) -> Callable[..., None]:
    def show(text: str, shade: int, **more: Any) -> None:
        now = time.time()
        picture = jpeg_of(np.full((90, 160, 3), shade, np.uint8))
        detail = {"lines": [text], "new_lines": [text], "gone_lines": []}
        sources.say(
            AnalysisRecord("visual_index", text, now, now + 1, True, "ocr", detail=detail, pictures=(picture,), **more)
        )

    return show


async def test_an_index_obeys_its_prompt_and_says_who_described(conn: Any, stream: Any, show: Any) -> None:
    async with connected(conn) as socket:
        index = await asyncio.to_thread(
            stream.index_visuals, prompt="How bright is it?", ws_connection_id=socket.connection_id
        )
        show("login page", 250)
        show("", 5, is_minor=True)
        first, second = await events_of(socket, 2)
        assert (first["channel"], first["data"]["text"]) == ("visual_index", "How bright is it?: bright")
        assert (first["data"]["model"], first["data"]["lines"]) == ("tiny-vl", ["login page"])
        assert second["data"]["text"] == "How bright is it?: dark"
        scenes = (await asyncio.to_thread(index.get_scenes))["scenes"]
        assert [(one["description"], one["model"]) for one in scenes] == [
            ("How bright is it?: bright", "tiny-vl"),
            ("How bright is it?: dark", "tiny-vl"),
        ]


async def test_when_the_endpoint_fails_what_was_read_is_told_at_once(
    conn: Any, stream: Any, show: Any, fake: VisionEndpoint, caplog: pytest.LogCaptureFixture, service: Running
) -> None:
    async with connected(conn) as socket:
        await asyncio.to_thread(stream.index_visuals, prompt="Look", ws_connection_id=socket.connection_id)
        fake.always = fake.never()
        show("first page", 10)
        show("second page", 20)
        assert [event["data"]["text"] for event in await events_of(socket, 2)] == ["first page", "second page"]
        began = time.monotonic()
        for number in range(5):
            show(f"page {number}", 30 + number)
            show("no text", 90 + number, is_minor=True)
        events = await events_of(socket, 5)
        assert time.monotonic() - began < 1.5, "a time-out is paid once, not for each record"
        assert [event["data"]["text"] for event in events] == [f"page {number}" for number in range(5)]
        assert {event["data"]["model"] for event in events} == {"ocr"}
    said = [record.getMessage() for record in caplog.records if "endpoint" in record.getMessage()]
    assert len(said) == 1
    assert "did not answer within 2 s" in said[0]
    assert KEY not in caplog.text
    assert service.service.describer is not None
    assert service.service.describer.as_json()["state"] == "failing"


def test_an_understanding_and_its_windows_are_described_once_for_each_picture(
    stream: Any, show: Any, fake: VisionEndpoint
) -> None:
    analyzers = [{"type": "vlm", "name": "scene", "config": {"prompt": "What happens?"}}]
    understanding = stream.understand(segmentation=WINDOW, analyzers=analyzers)
    began = time.time()
    show("a page", 250)
    show("", 10, is_minor=True)
    found = eventually(lambda: (read := understanding.get_records(began - 60, began + 60))["total_count"] > 2 and read)
    assert {(one["text"], one["model"]) for one in found["records"][1:]} == {("What happens?: dark", "tiny-vl")}
    assert fake.requests <= 2, "a picture that stands is not asked about again"


def test_a_window_shows_the_model_as_many_pictures_as_are_asked_for(
    stream: Any, show: Any, fake: VisionEndpoint
) -> None:
    stream.index_visuals(prompt="all", batch_config={"type": "time", "value": 2, "frame_count": 5})
    stream.index_visuals(prompt="two", batch_config={"type": "time", "value": 2, "frame_count": 2})
    stream.index_visuals(prompt="last", batch_config={"type": "time", "value": 2})
    config = {"prompt": "understood"}
    analyzers = [{"type": "vlm", "name": "scene", "sampling": {"frame_count": 3}, "config": config}]
    stream.understand(segmentation={"type": "time", "window": "2s"}, analyzers=analyzers)
    for shade in (10, 90, 170, 250):
        show(f"shade {shade}", shade)
    eventually(lambda: len(fake.asked) == 4)
    shown = {asked.prompt: [round(float(picture.mean())) for picture in asked.pictures] for asked in fake.asked}
    assert {prompt: len(pictures) for prompt, pictures in shown.items()} == {
        "all": 4,
        "two": 2,
        "last": 1,
        "understood": 3,
    }
    assert shown["all"] == pytest.approx([10, 90, 170, 250], abs=2)
    assert shown["last"] == shown["two"][-1:] == shown["all"][-1:]


@pytest.mark.parametrize("count", [0, "five", 10**6, 1.5])
def test_a_number_of_pictures_that_cannot_be_meant_is_refused(stream: Any, count: object) -> None:
    with pytest.raises(InvalidRequestError, match="frame_count must be a whole number"):
        stream.index_visuals(prompt="all", batch_config={"type": "time", "value": 2, "frame_count": count})
    analyzers = [{"type": "vlm", "name": "scene", "sampling": {"frame_count": count}}]
    with pytest.raises(InvalidRequestError, match="frame_count must be a whole number"):
        stream.understand(analyzers=analyzers)


async def test_what_was_said_is_summed_up_and_silence_is_not(conn: Any, stream: Any, sources: Any) -> None:
    async with connected(conn) as socket:
        await asyncio.to_thread(stream.start_transcript)
        await asyncio.to_thread(stream.index_audio, prompt="Sum up", ws_connection_id=socket.connection_id)
        now = time.time()
        for text, detail in (("Speech: we ship", {"transcript": "we ship on Friday"}), ("Silence for 9 s", {})):
            sources.say(AnalysisRecord("audio_index", text, now, now + 1, True, "vad+levels", detail=detail))
        first, second = await events_of(socket, 2)
        assert first["channel"] == "audio_index"
        assert (first["data"]["text"], first["data"]["model"]) == ("Summary of we ship on Friday", "tiny-vl")
        assert (second["data"]["text"], second["data"]["model"]) == ("Silence for 9 s", "vad+levels")


def _wait_for_scenes(index: Any, count: int) -> None:
    eventually(lambda: len(index.get_scenes()["scenes"]) == count)


async def test_the_model_judges_alerts_and_words_do_when_it_cannot(
    conn: Any, stream: Any, show: Any, fake: VisionEndpoint, receiver: Receiver
) -> None:
    descriptions = {10: "an empty kitchen", 250: "a dog sits by the stove", 128: "a dog eats"}

    def answer(asked: Asked) -> str:
        if asked.picture is None:
            return words(asked)
        mean = float(asked.picture.mean())
        return descriptions[min(descriptions, key=lambda shade: abs(shade - mean))]

    fake.answer = answer
    async with connected(conn) as socket:
        index = await asyncio.to_thread(stream.index_visuals, prompt="What is there?")
        event_id = await asyncio.to_thread(conn.create_event, RULE, "dog")
        await asyncio.to_thread(index.create_alert, event_id, receiver.url, ws_connection_id=socket.connection_id)
        for number, shade in enumerate((10, 250, 128, 10, 128), 1):
            show(f"frame {number}", shade)
            await asyncio.to_thread(_wait_for_scenes, index, number)
        first, second = await events_of(socket, 2)
        assert (first["data"]["text"], second["data"]["text"]) == ("a dog sits by the stove", "a dog eats")
        assert (first["data"]["confidence"], first["data"]["explanation"]) == (0.83, "dog: True")
        assert (first["data"]["label"], first["data"]["model"]) == ("dog", "tiny-vl")
        asked = next(one for one in fake.asked if one.prompt.startswith("Rule:"))
        assert RULE in asked.prompt
        assert "frame 1" in asked.prompt
        await asyncio.to_thread(receiver.wait, 2)
        fake.always = refused(400)
        show("nothing to see", 10)
        show("dog kitchen", 10)
        (third,) = await events_of(socket, 1)
        assert (third["data"]["text"], third["data"]["model"]) == ("dog kitchen", "words")


async def test_the_documents_have_other_names(
    tmp_path: Path, sources: Any, clip: Path, show: Any, receiver: Receiver
) -> None:
    with running(tmp_path / "documents", make_source=sources, dialect="documents") as service:
        conn = videodb.connect(api_key=service.key, base_url=service.url)
        connect = conn.get_collection().connect_rtstream
        async with connected(conn) as socket:
            stream = await asyncio.to_thread(connect, url=str(clip), name="s", media_types=["video", "audio"])
            index = await asyncio.to_thread(stream.index_visuals, prompt="x", ws_connection_id=socket.connection_id)
            event_id = await asyncio.to_thread(conn.create_event, "an outage", "outage")
            await asyncio.to_thread(index.create_alert, event_id, receiver.url, ws_connection_id=socket.connection_id)
            show("an outage", 10)
            scene, alert = await events_of(socket, 2)
            assert (scene["channel"], scene["data"]["text"]) == ("scene_index", "an outage")
            assert alert["channel"] == "alert"
            assert set(alert["data"]) == {"event_label", "timestamp", "text"}
            assert (alert["data"]["event_label"], alert["data"]["text"]) == ("outage", "an outage")
            assert abs(alert["data"]["timestamp"] / 1000 - time.time()) < 60
            assert "timestamp" not in alert
        (body,) = await asyncio.to_thread(receiver.wait, 1)
        assert set(body) == {
            "event_id",
            "label",
            "confidence",
            "explanation",
            "timestamp",
            "start_time",
            "end_time",
            "stream_url",
            "player_url",
        }
        assert (body["event_id"], body["label"]) == (event_id, "outage")
        conn.session.close()


def test_a_service_in_the_background_shows_real_pictures_and_no_secret(shell: Shell, fake: VisionEndpoint) -> None:
    """The sample film, read by the real analyser; the key is nowhere but in the environment of the start."""
    shell.environment["VIDEODB_DESCRIBE_KEY"] = KEY
    arguments = ("--describe", fake.url, "--describe-timeout", "5")
    started = shell.answer("local", "start", "--detach", *arguments)
    command_line = Path(f"/proc/{started['pid']}/cmdline")
    if command_line.exists():
        assert KEY.encode() not in command_line.read_bytes()
    conn = videodb.connect(api_key=started["key"], base_url=started["url"])
    stream = conn.get_collection().connect_rtstream(url=str(VIDEO), name="film", media_types=["video", "audio"])
    index = stream.index_visuals(prompt="Is it bright?")
    fake.wait_asked(1, 60)
    picture = fake.asked[0].picture
    assert picture is not None
    assert picture.shape[1] >= 640
    assert picture.std() > 5, "a frame of the film, and no empty surface"
    assert fake.asked[0].prompt == "Is it bright?"
    scene = eventually(lambda: (found := index.get_scenes()) and found["scenes"], 30)[0]
    assert scene["description"].startswith("Is it bright?: ")
    assert scene["model"] == "tiny-vl"
    status = shell.answer("local", "status")
    assert (status["describe"]["state"], status["describe"]["url"]) == ("working", fake.url + "/v1")
    assert status["describe"]["answered"] >= 1
    assert "describes" in shell.run("local", "status").stdout
    assert "already running" in shell.run("local", "start", "--detach", *arguments).stderr
    assert "already running" in shell.run("local", "start", "--detach").stderr
    shell.run("local", "start", "--detach", "--describe", "http://127.0.0.1:9", status=9)
    shell.run("local", "start", "--detach", "--dialect", "documents", status=9)
    fake.always = refused(500)
    eventually(lambda: shell.answer("local", "status")["describe"]["state"] == "failing", 60)
    scenes = eventually(
        lambda: [one for one in index.get_scenes()["scenes"] if one["model"] == "ocr"], 60, "no fall-back to ocr"
    )
    assert scenes
    conn.session.close()
    shell.run("local", "stop")
    for path in (path for path in shell.directory.rglob("*") if path.is_file()):
        assert KEY.encode() not in path.read_bytes(), path
    log = next(shell.directory.rglob("*.log"), None)
    assert log is not None
    assert log.read_text().count("does not describe") == 1
    assert os.environ.get("VIDEODB_DESCRIBE_KEY") is None
