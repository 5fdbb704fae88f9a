"""Detection rules, alerts and webhooks: the official SDK makes them, scripted sources meet them."""

import asyncio
import contextlib
import threading
import time
from collections.abc import AsyncIterator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
import videodb
from videodb.exceptions import InvalidRequestError

from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.http.server import Running


class Receiver:
    """A callback URL; ``answers`` are the statuses that it gives, the last one for ever."""

    def __init__(self) -> None:
        self.answers = [200]
        self.bodies: list[dict[str, Any]] = []
        self.came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = orjson.loads(self.rfile.read(int(self.headers["content-length"])))
                with receiver.came:
                    status = receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0]
                    receiver.bodies.append(body)
                    receiver.came.notify_all()
                self.send_response(status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}).start()

    def wait(self, count: int) -> list[dict[str, Any]]:
        with self.came:
            assert self.came.wait_for(lambda: len(self.bodies) >= count, 10), self.bodies
            return list(self.bodies)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def conn(service: Running) -> Iterator[Any]:
    service.service.webhooks.first_pause_s = 0.02
    made = videodb.connect(api_key=service.key, base_url=service.url)
    yield made
    made.session.close()


@contextlib.asynccontextmanager
async def connected(conn: Any) -> AsyncIterator[Any]:
    async with await asyncio.to_thread(conn.connect_websocket) as socket:
        yield socket


async def events_of(socket: Any, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(10):
        events = socket.receive()
        return [await anext(events) for _ in range(count)]


def seen(new: str, everything: str = "") -> AnalysisRecord:
    now = time.time()
    detail = {"new_lines": [new], "lines": [everything or new]}
    return AnalysisRecord("visual_index", new, now - 1, now, True, "ocr", detail=detail)


def watched(conn: Any, clip: Path, **options: Any) -> tuple[Any, Any]:
    stream = conn.get_collection().connect_rtstream(url=str(clip), name="a clip", media_types=["video", "audio"])
    return stream, stream.index_visuals(prompt="anything", **options)


async def test_an_alert_is_told_on_the_socket_and_the_webhook_once(
    conn: Any, clip: Path, sources: Any, receiver: Receiver
) -> None:
    async with connected(conn) as socket:
        stream, index = await asyncio.to_thread(watched, conn, clip)
        event_id = await asyncio.to_thread(conn.create_event, "Detect when the payment service is down", "outage")
        listed = await asyncio.to_thread(conn.list_events)
        assert listed == [
            {"event_id": event_id, "event_prompt": "Detect when the payment service is down", "label": "outage"}
        ]
        alert_id = await asyncio.to_thread(
            index.create_alert, event_id, receiver.url, ws_connection_id=socket.connection_id
        )
        sources.say(seen("all is well"))
        sources.say(seen("payment servlce is down"))
        sources.say(seen("12:01", "payment servlce is down 12:01"))
        sources.say(seen("quiet"))
        sources.say(seen("payment service down again"))
        first, second = await events_of(socket, 2)
        assert (first["channel"], first["rtstream_id"], first["rtstream_name"]) == ("alert", stream.id, "a clip")
        assert (first["data"]["label"], first["data"]["triggered"], first["data"]["event_id"]) == (
            "outage",
            True,
            event_id,
        )
        assert 0 < first["data"]["confidence"] <= 1
        assert first["data"]["text"] == "payment servlce is down"
        assert second["data"]["text"] == "payment service down again"
        bodies = await asyncio.to_thread(receiver.wait, 2)
        assert [body["data"]["text"] for body in bodies] == [first["data"]["text"], second["data"]["text"]]
        assert (bodies[0]["version"], bodies[0]["event"], bodies[0]["data"]["label"]) == ("2", "alert", "outage")
        assert bodies[0]["data"]["rtstream_id"] == stream.id
        assert [(item["alert_id"], item["status"]) for item in index.list_alerts()] == [(alert_id, "enabled")]


async def test_a_disabled_alert_is_silent_until_it_is_enabled(conn: Any, clip: Path, sources: Any) -> None:
    async with connected(conn) as socket:
        stream, index = await asyncio.to_thread(watched, conn, clip)
        event_id = await asyncio.to_thread(conn.create_event, "refund", "refund")
        alert_id = await asyncio.to_thread(index.create_alert, event_id, "", ws_connection_id=socket.connection_id)
        await asyncio.to_thread(index.disable_alert, alert_id)
        assert index.list_alerts()[0]["status"] == "disabled"
        sources.say(seen("refund one"))
        sources.say(seen("nothing"))
        path = f"rtstream/{stream.id}/index/{index.rtstream_index_id}/alert/{alert_id}/status"
        await asyncio.to_thread(conn.patch, path=path, data={"status": "enabled"})
        sources.say(seen("refund two"))
        (event,) = await events_of(socket, 1)
        assert event["data"]["text"] == "refund two"


async def test_what_came_just_before_the_alert_counts(conn: Any, clip: Path, sources: Any) -> None:
    async with connected(conn) as socket:
        _, index = await asyncio.to_thread(watched, conn, clip)
        sources.say(seen("refund on the screen already"))
        event_id = await asyncio.to_thread(conn.create_event, "refund", "refund")
        await asyncio.to_thread(index.create_alert, event_id, "", ws_connection_id=socket.connection_id)
        (event,) = await events_of(socket, 1)
        assert event["data"]["label"] == "refund"


def test_what_is_refused(conn: Any, clip: Path) -> None:
    _, index = watched(conn, clip)
    with pytest.raises(InvalidRequestError, match="Event event-0 was not found"):
        index.create_alert("event-0", "")
    event_id = conn.create_event("refund", "refund")
    for url in ("ftp://h/x", "file:///etc/passwd", "http://", "http://[x", "nonsense"):
        with pytest.raises(InvalidRequestError, match="callback_url"):
            index.create_alert(event_id, url)
    with pytest.raises(InvalidRequestError, match="was not found"):
        index.enable_alert("alert-0")


def test_a_webhook_is_tried_until_it_is_taken(conn: Any, receiver: Receiver) -> None:
    receiver.answers = [500, 503, 429, 200]
    session = conn.create_capture_session(end_user_id="user-1", callback_url=receiver.url)
    conn.post(path=f"capture/session/{session.id}/stop", data={})
    bodies = receiver.wait(6)
    assert [body["event"].partition(".")[2] for body in bodies] == ["created"] * 4 + ["stopping", "stopped"]
    assert bodies[0] == bodies[3]
    assert bodies[0].pop("timestamp").endswith("Z")
    assert bodies[0] == {
        "version": "2",
        "event": "capture_session.created",
        "capture_session_id": session.id,
        "end_user_id": "user-1",
        "status": "created",
        "data": {},
    }


def test_a_webhook_that_is_refused_for_good_is_given_up(conn: Any, receiver: Receiver) -> None:
    receiver.answers = [410, 200]
    session = conn.create_capture_session(end_user_id="user-1", callback_url=receiver.url)
    conn.post(path=f"capture/session/{session.id}/stop", data={})
    assert [body["status"] for body in receiver.wait(3)] == ["created", "stopping", "stopped"]


def test_an_account_without_credits(conn: Any, clip: Path) -> None:
    session = conn.create_capture_session(end_user_id="user-1")
    conn.post(path="_local/credits", data={"exhausted": True})
    with pytest.raises(Exception, match="Insufficient credits"):
        conn.get_collection().connect_rtstream(url=str(clip), name="x")
    body = {"session_id": session.id, "channels": [{"channel_id": "mic:default", "type": "audio"}]}
    with pytest.raises(Exception, match="Insufficient credits"):
        conn.post(path="capture/session/start", data=body)
    conn.post(path="_local/credits", data={"exhausted": False})
    assert conn.post(path="capture/session/start", data=body)["status"] == "starting"


async def test_an_audio_index_and_an_alert_on_it(conn: Any, clip: Path, sources: Any) -> None:
    async with connected(conn) as socket:
        stream = await asyncio.to_thread(
            conn.get_collection().connect_rtstream, url=str(clip), name="a clip", media_types=["video", "audio"]
        )
        await asyncio.to_thread(stream.start_transcript)
        index = await asyncio.to_thread(
            stream.index_audio,
            prompt="Summarize",
            batch_config={"type": "sentence", "value": 1},
            ws_connection_id=socket.connection_id,
        )
        assert (index.extraction_type, index.status) == ("transcript", "running")
        event_id = await asyncio.to_thread(conn.create_event, "somebody asks for a refund", "refund")
        await asyncio.to_thread(index.create_alert, event_id, "", ws_connection_id=socket.connection_id)
        now = time.time()
        detail = {"sound": "speech", "transcript": "She asked for two refunds."}
        sources.say(
            AnalysisRecord("audio_index", "Speech: She asked …", now - 2, now, True, "vad+levels", detail=detail)
        )
        heard, alert = await events_of(socket, 2)
        assert (heard["channel"], heard["data"]["text"]) == ("audio_index", "Speech: She asked …")
        assert heard["data"]["model"] == "vad+levels"
        assert (alert["channel"], alert["data"]["label"]) == ("alert", "refund")
        scenes = await asyncio.to_thread(index.get_scenes)
        assert [scene["description"] for scene in scenes["scenes"]] == ["Speech: She asked …"]
        await asyncio.to_thread(index.stop)
        assert sources.made[0].calls == ["start", "start_transcription", "start_audio_index", "stop_audio_index"]


async def test_a_session_that_cannot_record_any_more_fails(service: Running, conn: Any, sources: Any) -> None:
    from videodb_cli.local.analysis.base import StreamState
    from videodb_cli.local.rtsp.sdp import parse_description

    async with connected(conn) as socket:
        session = await asyncio.to_thread(
            conn.create_capture_session, end_user_id="u", ws_connection_id=socket.connection_id
        )
        channels = [{"channel_id": "mic:default", "type": "audio"}, {"channel_id": "display:1", "type": "video"}]
        body = {"session_id": session.id, "channels": channels}
        started = await asyncio.to_thread(conn.post, path="capture/session/start", data=body)

        async def publish(running: Any) -> None:
            for channel in started["channels"]:
                inlet = running.intake.rtsp.relay.find(channel["rtsp_url"].rpartition("/")[2])
                kind = b"audio 0 RTP/AVP 0" if channel["type"] == "audio" else b"video 0 RTP/AVP 26"
                assert inlet.announce(object(), parse_description(b"v=0\r\nm=" + kind)) is None
                inlet.record()

        await asyncio.to_thread(service.call, publish)
        events = await events_of(socket, 3)
        assert events[-1]["event"] == "capture_session.active"
        full = StreamState("failed", "The recording cannot be written: No space left on device.")
        sources.made[0].on_state(full)
        await asyncio.to_thread(conn.get_capture_session, session.id)  # one channel still records
        sources.made[1].on_state(full)
        (failed,) = await events_of(socket, 1)
        assert failed["event"] == "capture_session.failed"
        assert failed["data"]["error"]["code"] == "INGEST_FAILED"
        assert "No space left" in failed["data"]["error"]["message"]
