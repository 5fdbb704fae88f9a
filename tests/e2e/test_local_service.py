"""The embedded service over plain HTTP and WebSocket: who is let in, what is refused, what a receiver gets."""

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.fakes.pages import page_data
from videodb_cli.local.analysis.base import StreamState
from videodb_cli.local.http.server import Running, running


def client_of(service: Running) -> httpx.Client:
    return httpx.Client(base_url=service.url, headers={"x-access-token": service.key}, timeout=20)


@pytest.fixture
def http(shared: Running) -> Iterator[httpx.Client]:
    with client_of(shared) as client:
        yield client


async def socket_url(http: httpx.Client) -> str:
    answer = await asyncio.to_thread(http.get, "/collection/default/websocket")
    return str(answer.json()["data"]["websocket_url"])


@asynccontextmanager
async def listener(http: httpx.Client) -> AsyncIterator[tuple[str, Any]]:
    url = await socket_url(http)
    async with connect(url, max_size=None) as socket:
        yield json.loads(await socket.recv())["connection_id"], socket


def is_failure(answer: httpx.Response, status: int) -> bool:
    body = answer.json()
    kinds = {name: type(value) for name, value in body.items()}
    return answer.status_code == status and kinds == {"success": bool, "message": str, "error_code": str}


def test_the_root_says_what_this_is_without_a_key(shared: Running) -> None:
    body = httpx.get(shared.url).json()
    assert "not the VideoDB service" in body["message"]
    assert body["data"]["embedded"] is True


@pytest.mark.parametrize("path", ["/collection", "/collection/default/", "/rtstream/", "/nothing", "/_local/status"])
@pytest.mark.parametrize("key", [None, "", "sk-wrong", "st-wrong", "ÿ"])
def test_without_the_key_nothing_answers(shared: Running, path: str, key: str | None) -> None:
    headers = {} if key is None else {b"x-access-token": key.encode("latin-1")}
    assert is_failure(httpx.get(shared.url + path, headers=headers), 401)


def test_unknown_paths_and_methods_have_the_error_body(http: httpx.Client) -> None:
    assert is_failure(http.get("/no/such/path"), 404)
    assert is_failure(http.delete("/collection"), 405)
    assert is_failure(http.put("/capture/session/start", json={}), 405)
    assert is_failure(http.get("/collection/default/capture/session/cap-none"), 404)


@pytest.mark.parametrize(
    "path", ["/collection", "/collection/", "//collection//", "/collection/default/", "/rtstream/"]
)
def test_slashes_do_not_matter(http: httpx.Client, path: str) -> None:
    assert http.get(path).json()["success"] is True


@pytest.mark.parametrize("body", [b"{", b"[1]", b'"x"', b"\xff", b'{"end_user_id": 7}', b'{"end_user_id": ""}', b""])
def test_bodies_that_make_no_sense_are_refused(http: httpx.Client, body: bytes) -> None:
    assert is_failure(http.post("/collection/default/capture/session", content=body), 400)


def test_bodies_are_bounded(http: httpx.Client) -> None:
    answer = http.post("/collection/default/capture/session", content=b'{"end_user_id":"' + b"x" * (1 << 21))
    assert is_failure(answer, 413)


@pytest.mark.parametrize(
    "channels",
    [None, [], "mic", [1], [{}], [{"channel_id": "a"}, {"channel_id": "a"}], [{"channel_id": "a", "type": "smell"}]],
)
def test_channels_are_checked(http: httpx.Client, channels: object) -> None:
    session = http.post("/collection/default/capture/session", json={"end_user_id": "u"}).json()["data"]["session_id"]
    assert is_failure(http.post("/capture/session/start", json={"session_id": session, "channels": channels}), 400)
    assert http.get(f"/capture/session/{session}").json()["data"]["status"] == "created"


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:80"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
    ],
)
def test_web_pages_and_rebound_names_are_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    assert is_failure(http.get("/collection", headers=headers), 403)


async def test_web_pages_open_no_socket(http: httpx.Client) -> None:
    url = await socket_url(http)
    with pytest.raises(InvalidStatus, match="403"):
        await connect(url, origin="https://evil.example")  # type: ignore[arg-type]
    async with connect(url) as socket:  # the refused attempt has not used the ticket up
        assert "connection_id" in json.loads(await socket.recv())


@pytest.mark.parametrize("query", ["", "?ticket=", "?ticket=guess"])
async def test_a_socket_needs_a_ticket(shared: Running, query: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        await connect(shared.url.replace("http", "ws") + "/socket" + query)


def test_pages_of_records_are_checked(http: httpx.Client, clip: Path) -> None:
    stream = http.post("/rtstream", json={"url": str(clip)}).json()["data"]["id"]
    for query in ("page=0", "page=x", "page_size=-1", "since=nan", "start=abc", "end=inf"):
        assert is_failure(http.get(f"/rtstream/{stream}/transcription?{query}"), 400), query
    assert http.get(f"/rtstream/{stream}/transcription?page_size=5000").json()["data"]["page_size"] == 1000


def test_a_stopped_stream_is_not_analysed(http: httpx.Client, clip: Path) -> None:
    stream = http.post("/rtstream", json={"url": str(clip)}).json()["data"]["id"]
    http.post(f"/rtstream/{stream}/transcription", json={"action": "start"})
    http.patch(f"/rtstream/{stream}/status", json={"action": "stop"})
    assert http.get(f"/rtstream/{stream}/transcription/status").json()["data"]["status"] == "stopped"
    assert is_failure(http.post(f"/rtstream/{stream}/transcription", json={"action": "start"}), 400)


def test_files_are_only_for_loopback(tmp_path: Path, sources: Any, clip: Path) -> None:
    with running(tmp_path / "open", host="0.0.0.0", make_source=sources) as service:
        headers = {"x-access-token": service.key}
        assert is_failure(httpx.post(service.url + "/rtstream", json={"url": str(clip)}, headers=headers), 400)
        answer = httpx.post(service.url + "/rtstream", json={"url": "http://127.0.0.1:1/x"}, headers=headers)
        assert answer.status_code == 201


def test_a_session_whose_media_never_come_fails(tmp_path: Path, sources: Any) -> None:
    with running(tmp_path / "own", make_source=sources, channels_timeout_s=0.05) as service, client_of(service) as http:
        created = http.post("/collection/default/capture/session", json={"end_user_id": "u"}).json()["data"]
        body = {"session_id": created["session_id"], "channels": [{"channel_id": "mic:default"}]}
        assert http.post("/capture/session/start", json=body).json()["data"]["status"] == "starting"
        path = f"/collection/default/capture/session/{created['session_id']}"
        deadline = time.monotonic() + 10
        while (session := http.get(path).json()["data"])["status"] != "failed":
            assert time.monotonic() < deadline
        assert session["error"]["code"] == "CHANNELS_NOT_CONNECTED"
        # What has failed stays failed.
        assert http.post(f"/capture/session/{created['session_id']}/stop").json()["data"]["status"] == "failed"


def play(http: httpx.Client, clip: Path) -> tuple[str, str]:
    stream = http.post("/rtstream", json={"url": str(clip), "store": True}).json()["data"]["id"]
    http.patch(f"/rtstream/{stream}/status", json={"action": "stop"})
    data = http.post(f"/rtstream/{stream}/export").json()["data"]
    return data["stream_url"], data["player_url"]


def test_media_need_no_header_and_answer_byte_ranges(http: httpx.Client, clip: Path) -> None:
    stream_url, player_url = play(http, clip)
    playlist = httpx.get(stream_url, headers={"origin": "https://player.example"})
    assert playlist.headers["access-control-allow-origin"] == "*"
    assert playlist.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert httpx.get(stream_url.replace("index.m3u8", "seg0.m4s")).content == b"seg0.m4s" * 100
    export = stream_url.replace("index.m3u8", "export.mp4")
    part = httpx.get(export, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, bytes(range(10, 20)))
    assert part.headers["content-range"] == "bytes 10-19/2048"
    assert part.headers["content-type"] == "video/mp4"
    assert httpx.get(export, headers={"range": "bytes=9999-"}).status_code == 416
    assert httpx.head(export).headers["content-length"] == "2048"
    assert httpx.options(export, headers={"origin": "https://player.example"}).status_code == 204
    page = httpx.get(player_url)
    assert page_data(page.text)["videos"][0]["mp4"].endswith("/export.mp4")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "connect-src 'self'" in page.headers["content-security-policy"]


def test_media_are_found_by_their_id_alone(http: httpx.Client, clip: Path) -> None:
    stream_url, player_url = play(http, clip)
    base = stream_url.rsplit("/", 2)[0]
    for path in ("/0123/index.m3u8", "/../../local.json", "/%2e%2e/local.json"):
        assert httpx.get(base + path).status_code in {401, 404}
    assert is_failure(httpx.get(player_url.rsplit("/", 1)[0] + "/0123"), 404)
    assert is_failure(httpx.get(stream_url, headers={"host": "evil.example"}), 403)


def test_a_span_is_cut_from_the_playlist(http: httpx.Client, clip: Path) -> None:
    stream_url, _ = play(http, clip)
    cut = httpx.get(stream_url + "?start=2.5&end=3").text
    assert [line for line in cut.splitlines() if not line.startswith("#")] == ["seg1.m4s"]
    assert is_failure(httpx.get(stream_url + "?start=99&end=100"), 404)
    assert is_failure(httpx.get(stream_url + "?start=x"), 400)


async def gather(socket: Any, count: int) -> list[dict[str, Any]]:
    return [json.loads(await asyncio.wait_for(socket.recv(), 10)) for _ in range(count)]


async def test_triggered_events_come_whole_and_in_order(http: httpx.Client) -> None:
    async with listener(http) as (_, one), listener(http) as (_, two):
        sending = asyncio.to_thread(http.post, "/_local/trigger", json={"kind": "transcript", "count": 5000})
        answer, *heard = await asyncio.gather(sending, gather(one, 5000), gather(two, 5000))
        assert answer.json()["data"]["sent"] == 5000
        for events in heard:
            assert [event["data"]["sequence"] for event in events] == list(range(1, 5001))


async def test_a_trigger_keeps_its_rate_and_its_address(http: httpx.Client) -> None:
    async with listener(http) as (one_id, one), listener(http) as (_, two):
        body = {"kind": "alert", "count": 200, "rate": 400, "to": one_id}
        answer = await asyncio.to_thread(http.post, "/_local/trigger", json=body)
        assert answer.json()["data"]["connections"] == [one_id]
        assert 0.45 < answer.json()["data"]["seconds"] < 2
        assert len(await gather(one, 200)) == 200
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(two.recv(), 0.1)


def test_a_trigger_for_nobody_is_refused(http: httpx.Client) -> None:
    assert http.post("/_local/trigger", json={"kind": "alert"}).json()["error_code"] == "NOBODY_CONNECTED"
    for body in (
        {"kind": "x"},
        {"kind": "alert", "count": 0},
        {"kind": "alert", "rate": 0},
        {"kind": "alert", "text": 1},
    ):
        assert is_failure(http.post("/_local/trigger", json=body), 400)


async def test_a_replay_sends_what_the_log_holds(http: httpx.Client) -> None:
    now = 1_772_446_530.0
    lines = [
        b'{"ts":"t","unix_ts":%.3f,"channel":"videodb_cli","event":"listener.connected","data":{}}' % now,
        b'{"ts":"t","unix_ts":%.3f,"channel":"transcript","data":{"text":"a","big":12345678901234567890123}}' % now,
        b'{"ts":"t","unix_ts":%.3f,"raw":"not an event"}' % (now + 0.2),
        b'{"ts":"t","unix_ts":%.3f,"channel":"transcript","data":{"text":"b"}}' % (now + 0.4),
    ]
    async with listener(http) as (_, socket):
        started = time.monotonic()
        answer = await asyncio.to_thread(http.post, "/_local/replay?speed=2", content=b"\n".join(lines))
        assert 0.2 <= time.monotonic() - started < 2
        assert answer.json()["data"] | {"seconds": 0, "connections": 0} == {
            "sent": 3,
            "skipped": 1,
            "seconds": 0,
            "connections": 0,
        }
        assert await socket.recv() == '{"channel":"transcript","data":{"text":"a","big":12345678901234567890123}}'
        assert await socket.recv() == "not an event"
        assert json.loads(await socket.recv())["data"]["text"] == "b"


async def test_a_replay_that_is_broken_off_stops(shared: Running, http: httpx.Client) -> None:
    async with listener(http) as (_, socket):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(shared.url.rsplit(":", 1)[1]))
        body = b'{"unix_ts":1,"n":1}\n{"unix_ts":2,"n":2}\n{"unix_ts":9,"n":3}\n'
        head = f"POST /_local/replay HTTP/1.1\r\nhost: 127.0.0.1\r\nx-access-token: {shared.key}\r\ncontent-length: "
        writer.write(head.encode() + str(len(body)).encode() + b"\r\n\r\n" + body)
        assert (await gather(socket, 1))[0]["n"] == 1
        writer.close()
        await writer.wait_closed()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 1.5)
        del reader


def test_the_status_tells_what_runs(service: Running, clip: Path) -> None:
    with client_of(service) as http:
        http.post("/rtstream", json={"url": str(clip), "name": "one"})
        data = http.get("/_local/status").json()["data"]
    assert (data["sockets"], data["streams"], data["url"]) == (0, 1, service.url)
    assert [item["name"] for item in data["rtstreams"]] == ["one"]
    assert data["media_bytes"] > 0


def test_stopping_closes_the_sockets_and_removes_the_media(tmp_path: Path, sources: Any, clip: Path) -> None:
    with running(tmp_path / "own", make_source=sources) as service, client_of(service) as http:
        http.post("/rtstream", json={"url": str(clip)})
        media = Path(http.get("/_local/status").json()["data"]["media_dir"])
        assert any(media.rglob("*.m4s"))

        async def listen_to_the_end() -> int | None:
            async with listener(http) as (_, socket):
                answer = await asyncio.to_thread(http.post, "/_local/stop", json={})
                assert answer.json()["data"] == {"kept": None}
                with pytest.raises(ConnectionClosed) as closed:
                    await asyncio.wait_for(socket.recv(), 10)
                return closed.value.rcvd.code if closed.value.rcvd is not None else None

        assert asyncio.run(listen_to_the_end()) == 1012
    assert not media.exists()
    assert sources.made[0].calls == ["start", "stop"]


def test_media_are_kept_on_request(tmp_path: Path, sources: Any, clip: Path) -> None:
    with running(tmp_path / "own", make_source=sources) as service, client_of(service) as http:
        http.post("/rtstream", json={"url": str(clip)})
        kept = http.post("/_local/stop", json={"keep": True}).json()["data"]["kept"]
    assert any(Path(kept).rglob("*.m4s"))


def answers(http: httpx.Client, clip: Path | None = None) -> bool:
    try:
        if clip is not None:
            with http:
                return http.post("/rtstream", json={"url": str(clip)}).status_code == 201
        return http.get("/collection").status_code == 200
    except httpx.TransportError:
        return False


def test_an_idle_service_ends_and_a_used_one_does_not(tmp_path: Path, sources: Any, clip: Path) -> None:
    with running(tmp_path / "own", make_source=sources, idle_exit_s=1.5) as service, client_of(service) as http:
        stream = http.post("/rtstream", json={"url": str(clip)}).json()["data"]["id"]
        time.sleep(2.0)  # longer than the limit: what is tested is that nothing happens
        assert http.get("/_local/status").status_code == 200
        http.patch(f"/rtstream/{stream}/status", json={"action": "stop"})
        deadline = time.monotonic() + 10
        while answers(http):
            assert time.monotonic() < deadline


def test_a_source_that_is_over_before_it_is_open_leaves_a_stopped_stream(
    service: Running, sources: Any, clip: Path
) -> None:
    sources.during_start = lambda source: source.on_state(StreamState("ended"))
    with client_of(service) as http:
        stream = http.post("/rtstream", json={"url": str(clip)}).json()["data"]["id"]
        assert http.get(f"/rtstream/{stream}").json()["data"]["status"] == "stopped"


def test_an_address_that_never_answers_holds_nothing_up(tmp_path: Path, sources: Any, clip: Path) -> None:
    opened, release = threading.Event(), threading.Event()

    def hang(_: Any) -> None:
        opened.set()
        release.wait(30)

    sources.during_start = hang
    try:
        with running(tmp_path / "own", make_source=sources) as service, client_of(service) as http:
            opening = threading.Thread(target=lambda: answers(client_of(service), clip))
            opening.start()
            assert opened.wait(10)
            assert http.get("/_local/status").status_code == 200
            began = time.monotonic()
        assert time.monotonic() - began < 8
        opening.join(10)
    finally:
        release.set()


def test_media_over_the_cap_go_oldest_first(tmp_path: Path, sources: Any, clip: Path) -> None:
    with (
        running(tmp_path / "own", make_source=sources, media_cap_bytes=8000, idle_exit_s=1.0) as service,
        client_of(service) as http,
    ):
        ids = [http.post("/rtstream", json={"url": str(clip)}).json()["data"]["id"] for _ in range(3)]
        http.patch(f"/rtstream/{ids[0]}/status", json={"action": "stop"})
        http.patch(f"/rtstream/{ids[1]}/status", json={"action": "stop"})
        deadline = time.monotonic() + 10
        while http.get(f"/rtstream/{ids[0]}/stream").status_code != 400:
            assert time.monotonic() < deadline
        assert http.get(f"/rtstream/{ids[2]}/stream").status_code == 200
        assert http.get(f"/rtstream/{ids[2]}").json()["data"]["status"] == "connected"
