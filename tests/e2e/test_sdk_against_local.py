"""The judge of the embedded service: the official SDK, unmodified, drives every endpoint."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import videodb
from videodb.exceptions import AuthenticationError, InvalidRequestError

from tests.e2e.description import Description
from videodb_cli.errors import MissingDependencyError, RefusedError
from videodb_cli.local.analysis.base import AnalysisRecord, StreamState, Word
from videodb_cli.local.http.server import Running


@pytest.fixture
def connect(service: Running) -> Iterator[Callable[..., Any]]:
    """`videodb.connect` to the service; the SDK never closes its connections, so they are closed here."""
    with contextlib.ExitStack() as stack:

        def made(**credentials: str) -> Any:
            conn = videodb.connect(base_url=service.url, **credentials)
            stack.callback(conn.session.close)
            conn.session.hooks["response"].append(Description().on_response)
            return conn

        yield made


@pytest.fixture
def conn(service: Running, connect: Callable[..., Any]) -> Any:
    return connect(api_key=service.key)


@contextlib.asynccontextmanager
async def connected(conn: Any) -> AsyncIterator[Any]:
    async with await asyncio.to_thread(conn.connect_websocket) as socket:
        assert socket.connection_id
        yield socket


async def next_event(socket: Any) -> dict[str, Any]:
    event = await asyncio.wait_for(anext(socket.receive()), 10)
    assert isinstance(event, dict)
    return event


def record(text: str, at: float, **fields: Any) -> AnalysisRecord:
    values = {
        "kind": "transcript",
        "is_final": True,
        "model": "whisper-tiny.en",
        "start": at - 1.5,
        "end": at,
        **fields,
    }
    return AnalysisRecord(text=text, **values)


def test_collections(conn: Any) -> None:
    assert conn.get_collection().id == "default"
    assert [collection.id for collection in conn.get_collections()] == ["default"]
    with pytest.raises(InvalidRequestError, match="Collection nowhere was not found"):
        conn.get_collection("nowhere")


def test_a_wrong_key_is_an_authentication_error(connect: Callable[..., Any]) -> None:
    with pytest.raises(AuthenticationError, match="invalid or has expired"):
        connect(api_key="sk-wrong").get_collection()


def test_a_client_token_opens_the_service_but_makes_no_tokens(conn: Any, connect: Callable[..., Any]) -> None:
    token = conn.generate_client_token(expires_in=600)
    assert token.startswith("st-")
    client = connect(session_token=token)
    assert client.get_collection().id == "default"
    assert client.connect_websocket().url.startswith("ws://127.0.0.1:")
    with pytest.raises(InvalidRequestError, match="client token"):
        client.generate_client_token()


def test_a_client_token_expires(service: Running, conn: Any, connect: Callable[..., Any]) -> None:
    token = conn.generate_client_token(expires_in=60)
    client = connect(session_token=token)
    assert client.get_collection().id == "default"
    service.service.state.clock = lambda: time.time() + 61
    with pytest.raises(AuthenticationError):
        client.get_collection()


async def test_a_session_tells_its_life_cycle_to_its_connection(conn: Any, connect: Callable[..., Any]) -> None:
    async with connected(conn) as socket:
        session = await asyncio.to_thread(
            conn.create_capture_session,
            end_user_id="user-1",
            ws_connection_id=socket.connection_id,
            metadata={"app": "test"},
        )
        assert session.id
        assert session.status == "created"
        event = await next_event(socket)
        assert event["event"] == "capture_session.created"
        assert (event["capture_session_id"], event["status"]) == (session.id, "created")

        again = await asyncio.to_thread(conn.get_capture_session, session.id)
        assert (again.id, again.status, again.metadata) == (session.id, "created", {"app": "test"})
        listed = await asyncio.to_thread(conn.list_capture_sessions, status="created")
        assert [item.id for item in listed] == [session.id]
        assert await asyncio.to_thread(conn.list_capture_sessions, status="active") == []

        token = await asyncio.to_thread(conn.generate_client_token)
        recorder = connect(session_token=token)
        channels = [
            {"channel_id": "mic:default", "channel_name": "Mic", "type": "audio", "store": True, "is_primary": False},
            {"channel_id": "display:1", "channel_name": "Screen", "type": "video", "store": True, "is_primary": True},
        ]
        body = {"session_id": session.id, "channels": channels}
        started = await asyncio.to_thread(recorder.post, path="capture/session/start", data=body)
        assert started["status"] == "starting"
        assert (await next_event(socket))["event"] == "capture_session.starting"

        again = await asyncio.to_thread(conn.get_capture_session, session.id)
        assert [channel.id for channel in again.channels] == ["mic:default", "display:1"]
        assert [channel.id for channel in again.displays] == ["display:1"]
        assert again.primary_video_channel_id == "display:1"
        seen = await asyncio.to_thread(recorder.get, path=f"capture/session/{session.id}")
        assert [channel["channel_id"] for channel in seen["channels"]] == ["mic:default", "display:1"]

        await asyncio.to_thread(recorder.post, path=f"capture/session/{session.id}/stop", data={})
        assert (await next_event(socket))["event"] == "capture_session.stopping"
        assert (await next_event(socket))["event"] == "capture_session.stopped"
        with pytest.raises(InvalidRequestError, match="No recordings"):
            await asyncio.to_thread(again.export)
        with pytest.raises(InvalidRequestError, match="stopped and cannot become starting"):
            await asyncio.to_thread(recorder.post, path="capture/session/start", data=body)


async def test_what_is_sent_to_a_dead_id_is_lost(conn: Any) -> None:
    async with connected(conn) as socket:
        dead = socket.connection_id
    session = await asyncio.to_thread(conn.create_capture_session, end_user_id="u", ws_connection_id=dead)
    assert session.status == "created"
    async with connected(conn) as socket:
        assert socket.connection_id != dead
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(socket.receive()), 0.3)


async def test_a_socket_url_opens_once(conn: Any) -> None:
    socket = conn.connect_websocket()
    await asyncio.wait_for(socket.connect(), 10)
    await socket.close()
    with pytest.raises(Exception, match="403"):
        await asyncio.wait_for(socket.connect(), 10)


def connect_stream(conn: Any, clip: Path, **options: Any) -> Any:
    options = {"media_types": ["video", "audio"], **options}
    return conn.get_collection().connect_rtstream(url=str(clip), name="a clip", **options)


async def test_speech_is_heard_and_can_be_read(sources: Any, conn: Any, clip: Path) -> None:
    async with connected(conn) as socket:
        stream = await asyncio.to_thread(connect_stream, conn, clip)
        assert (stream.status, stream.name, sources.made[0].url) == ("connected", "a clip", str(clip))
        status = await asyncio.to_thread(conn.get, path=f"rtstream/{stream.id}/transcription/status")
        assert status["status"] == "not_configured"
        answer = await asyncio.to_thread(stream.start_transcript, ws_connection_id=socket.connection_id)
        assert answer["status"] == "running"
        now = time.time()
        sources.say(record("Before we", now, is_final=False))
        sources.say(record("Before we ship.", now, words=(Word("Before", now - 1.5, now - 1.0),)))
        interim, final = await next_event(socket), await next_event(socket)
        assert interim["data"]["is_final"] is False
        assert final == {
            "channel": "transcript",
            "rtstream_id": stream.id,
            "rtstream_name": "a clip",
            "data": {
                "text": "Before we ship.",
                "is_final": True,
                "start": round((now - 1.5) * 1000),
                "end": round(now * 1000),
                "model": "whisper-tiny.en",
            },
        }
        records = await asyncio.to_thread(stream.get_transcript)
        assert [item["text"] for item in records["transcription_records"]] == ["Before we ship."]
        assert records["transcription_records"][0]["start"] == pytest.approx(now - 1.5)
        assert records["transcription_records"][0]["word_timestamps"][0]["word"] == "Before"
        assert (records["next_page"], records["total_count"], records["page"]) == (False, 1, 1)
        later = await asyncio.to_thread(stream.get_transcript, since=now + 1)
        assert later["transcription_records"] == []
        assert (await asyncio.to_thread(stream.stop_transcript))["status"] == "stopped"
        assert sources.made[0].calls == ["start", "start_transcription", "stop_transcription"]


async def test_a_second_start_moves_the_transcripts_to_the_new_connection(sources: Any, conn: Any, clip: Path) -> None:
    stream = await asyncio.to_thread(connect_stream, conn, clip, enable_transcript=True, ws_connection_id="ws-gone")
    async with connected(conn) as socket:
        await asyncio.to_thread(stream.start_transcript, ws_connection_id=socket.connection_id)
        sources.say(record("hello again", time.time()))
        assert (await next_event(socket))["data"]["text"] == "hello again"
    assert sources.made[0].calls == ["start", "start_transcription"]


async def test_what_was_seen_and_heard_can_be_searched(sources: Any, conn: Any, clip: Path) -> None:
    stream = await asyncio.to_thread(connect_stream, conn, clip)
    screen = await asyncio.to_thread(stream.index_visuals, prompt="What is on screen?", name="slides")
    with pytest.raises(InvalidRequestError, match="Start transcript first"):
        await asyncio.to_thread(stream.index_audio, prompt="What is said?")
    await asyncio.to_thread(stream.start_transcript)
    sound = await asyncio.to_thread(stream.index_audio, prompt="What is said?")
    now = time.time()
    sources.say(record("The deployment failed", now, kind="visual_index", model="ocr"))
    sources.say(record("Lunch menu", now + 1, kind="visual_index", model="ocr"))
    sources.say(record("Speech: what did you deploy?", now + 2, kind="audio_index", model="vad"))
    found = (await asyncio.to_thread(stream.search, "failed deployments")).get_shots()
    # One word finds a record, both make it the first.
    assert [(shot.text, shot.scene_index_id, shot.rtstream_id) for shot in found] == [
        ("The deployment failed", screen.rtstream_index_id, stream.id),
        ("Speech: what did you deploy?", sound.rtstream_index_id, stream.id),
    ]
    assert found[0].end == pytest.approx(now)
    assert found[0].search_score > 0.8
    everywhere = (await asyncio.to_thread(stream.search, "deploy")).get_shots()
    assert {shot.scene_index_id for shot in everywhere} == {screen.rtstream_index_id, sound.rtstream_index_id}
    in_sound = await asyncio.to_thread(stream.search, "deploy", index_id=sound.rtstream_index_id)
    assert [shot.text for shot in in_sound.get_shots()] == ["Speech: what did you deploy?"]
    assert len((await asyncio.to_thread(stream.search, "deploy", result_threshold=1)).get_shots()) == 1
    assert (await asyncio.to_thread(stream.search, "holiday")).get_shots() == []
    with pytest.raises(InvalidRequestError, match="was not found"):
        await asyncio.to_thread(stream.search, "deploy", index_id="nowhere")


async def test_the_screen_is_read_and_can_be_read_back(sources: Any, conn: Any, clip: Path) -> None:
    stream = await asyncio.to_thread(connect_stream, conn, clip)
    async with connected(conn) as socket:
        index = await asyncio.to_thread(
            stream.index_visuals,
            prompt="What is on screen?",
            batch_config={"type": "time", "value": 2, "frame_count": 1},
            name="slides",
            ws_connection_id=socket.connection_id,
        )
        assert (index.status, index.extraction_type, index.name) == ("running", "time", "slides")
        now = time.time()
        sources.say(record("Release checklist", now, kind="visual_index", model="ocr", detail={"new": ["Release"]}))
        event = await next_event(socket)
        assert event["channel"] == "visual_index"
        assert event["rtstream_id"] == stream.id
        assert event["data"]["text"] == "Release checklist"
        assert event["data"]["model"] == "ocr"
        # The record spans the window that it describes.
        assert event["data"]["end"] - event["data"]["start"] == 2000
        assert event["data"]["start"] <= now * 1000 <= event["data"]["end"]
    scenes = await asyncio.to_thread(index.get_scenes)
    assert scenes["next_page"] is False
    assert [scene["description"] for scene in scenes["scenes"]] == ["Release checklist"]
    inside = await asyncio.to_thread(index.get_scenes, start=int(now) - 10, end=int(now) + 10)
    assert len(inside["scenes"]) == 1
    outside = await asyncio.to_thread(index.get_scenes, start=int(now) - 100, end=int(now) - 50)
    assert outside["scenes"] == []
    assert [item.rtstream_index_id for item in stream.list_scene_indexes()] == [index.rtstream_index_id]
    assert stream.get_scene_index(index.rtstream_index_id).prompt == "What is on screen?"
    index.stop()
    assert stream.get_scene_index(index.rtstream_index_id).status == "stopped"
    sources.say(record("unseen", time.time() + 5, kind="visual_index"))
    sources.say(record("seen before the stop, read after it", time.time(), kind="visual_index"))
    assert len(index.get_scenes()["scenes"]) == 2
    index.start()
    assert sources.made[0].calls == ["start", "start_screen_index", "stop_screen_index", "start_screen_index"]


def test_streams_are_listed_started_stopped_and_exported(sources: Any, conn: Any, clip: Path) -> None:
    collection = conn.get_collection()
    stream = connect_stream(conn, clip, store=True, sample_rate=15)
    other = connect_stream(conn, clip)
    assert [item.id for item in collection.list_rtstreams()] == [other.id, stream.id]
    assert [item.id for item in collection.list_rtstreams(limit=1, offset=1)] == [stream.id]
    assert [item.id for item in collection.list_rtstreams(ordering="created_at")] == [stream.id, other.id]
    assert collection.list_rtstreams(name="nothing") == []
    assert collection.get_rtstream(stream.id).sample_rate == 15
    with pytest.raises(InvalidRequestError, match="still running"):
        stream.export()
    stream.stop()
    assert [item.id for item in collection.list_rtstreams(status="stopped")] == [stream.id]
    exported = stream.export(name="Demo")
    assert (exported.name, exported.duration) == ("Demo", 5.0)
    assert stream.export().video_id == exported.video_id
    other.stop()
    with pytest.raises(InvalidRequestError, match="No recordings"):
        other.export()
    stream.start()
    assert collection.get_rtstream(stream.id).status == "connected"
    assert len(sources.made) == 3


def test_a_stream_plays_a_span_of_time(conn: Any, clip: Path) -> None:
    stream = connect_stream(conn, clip)
    began = time.time()
    assert stream.generate_stream(int(began), int(began) + 2)
    assert "/play/" in stream.player_url
    with pytest.raises(InvalidRequestError, match="No recordings"):
        stream.generate_stream(int(began) - 100, int(began) - 50)


def test_a_source_that_ends_or_fails_stops_its_stream(sources: Any, conn: Any, clip: Path) -> None:
    stream = connect_stream(conn, clip)
    sources.made[0].on_state(StreamState("failed", "the camera is gone"))
    seen = conn.get(path=f"rtstream/{stream.id}")
    assert (seen["status"], seen["error"]) == ("stopped", "the camera is gone")


def test_what_cannot_be_opened_is_refused_with_its_reason(sources: Any, conn: Any, clip: Path) -> None:
    sources.refuse["start"] = RefusedError("the file holds neither video nor audio")
    with pytest.raises(InvalidRequestError, match="neither video nor audio"):
        connect_stream(conn, clip)
    assert conn.get_collection().list_rtstreams() == []


def test_a_missing_speech_model_names_the_command(sources: Any, conn: Any, clip: Path) -> None:
    sources.refuse["start_transcription"] = MissingDependencyError(
        "The speech model is not installed.", code="model_missing", hint="videodb local models install"
    )
    stream = connect_stream(conn, clip)
    with pytest.raises(InvalidRequestError, match="videodb local models install"):
        stream.start_transcript()
    with pytest.raises(InvalidRequestError, match="videodb local models install"):
        connect_stream(conn, clip, enable_transcript=True)
    assert len(conn.get_collection().list_rtstreams()) == 1


@pytest.mark.parametrize(
    "url",
    [
        "relative.mp4",
        "/dev/zero",
        "/etc",
        "/no/such/file",
        "concat:/etc/passwd",
        "pipe:0",
        "data:,x",
        "http://",
        "file://host/x",
    ],
)
def test_what_is_not_a_file_or_a_network_address_is_refused(conn: Any, url: str) -> None:
    with pytest.raises(InvalidRequestError, match="url"):
        conn.get_collection().connect_rtstream(url=url, name="x")


def test_a_file_url_is_taken(sources: Any, conn: Any, clip: Path) -> None:
    conn.get_collection().connect_rtstream(url=clip.as_uri(), name="x")
    assert sources.made[0].url == str(clip)
