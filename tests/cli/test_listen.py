"""`videodb listen` through `main`, from the first word to the log, against a service that does what a test says.

With ``--max-retries 0`` a run ends by itself when the service ends the connection: status 5, everything heard. An event
forgives earlier failures, so where the last connection brings one, a signal ends the run.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.frames import Opcode

from tests.fakes.event_service import (
    KEY,
    Act,
    Answer,
    EventService,
    close,
    cut,
    pause,
    refusal,
    send,
    stay,
    stop_reading,
    then,
)
from videodb_cli import settings
from videodb_cli.listener import assembly
from videodb_cli.listener.backoff import Backoff
from videodb_cli.main import main

END = close(1000, "that was all")


@dataclass
class Box:
    """A directory and the way to run a listener in it."""

    path: Path
    call: Callable[..., tuple[int, list[str], str]]

    @property
    def log(self) -> Path:
        return self.path / "videodb_events.jsonl"

    def listen(self, service: EventService, *arguments: str, retries: int = 0) -> tuple[int, list[str], str]:
        return self.call(service, "listen", str(self.path), "--max-retries", str(retries), *arguments)

    async def quit(self, socket: ServerConnection) -> None:
        """Send the listener, which runs in this process and stands, the signal that says stop."""
        deadline = time.monotonic() + 5
        while not (self.path / "videodb_ws_id").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.005)
        os.kill(os.getpid(), signal.SIGTERM)
        await socket.wait_closed()

    def lines(self) -> list[dict[str, Any]]:
        content = self.log.read_bytes()
        assert content.endswith(b"\n") or not content
        found = [json.loads(line) for line in content.splitlines()]
        assert all(list(line)[:2] == ["ts", "unix_ts"] for line in found)
        stamps = [line["unix_ts"] for line in found]
        assert stamps == sorted(stamps)
        return found

    def told(self, event: str) -> list[dict[str, Any]]:
        return [line["data"] for line in self.lines() if line.get("event") == event]

    def heard(self) -> list[Any]:
        """The received ones, without stamps."""
        return [
            {name: value for name, value in line.items() if name not in {"ts", "unix_ts"}}
            for line in self.lines()
            if line.get("channel") != "videodb_cli"
        ]


@pytest.fixture
def box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Box:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("VIDEODB_API_KEY", "VIDEO_DB_BASE_URL", "VIDEODB_EVENTS_DIR", "VIDEODB_LOCAL"):
        monkeypatch.delenv(name, raising=False)

    def call(service: EventService, *arguments: str) -> tuple[int, list[str], str]:
        for name, value in service.environment.items():
            monkeypatch.setenv(name, value)
        settings.forget()
        status = main(list(arguments))
        captured = capfd.readouterr()
        assert KEY not in captured.out + captured.err
        assert "secret-ticket" not in captured.out + captured.err
        return status, captured.out.splitlines(), captured.err

    return Box(tmp_path / "d", call)


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(assembly, "Backoff", lambda *_: Backoff(first_s=0.01))


def assert_nothing_secret_in(path: Path) -> None:
    for file in path.rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert KEY.encode() not in content, file
            assert b"secret-ticket" not in content, file


def test_first_line_files_and_statement(box: Box) -> None:
    def look(socket: ServerConnection) -> None:
        del socket
        seen.update({path.name: path.read_text() for path in box.path.iterdir()})

    seen: dict[str, str] = {}

    async def act(socket: ServerConnection) -> None:
        await send('{"channel":"transcript","data":{"text":"hi","is_final":true}}', then=pause(0.2))(socket)
        # Its files are there before it prints the id; a busy machine takes its time.
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and not (box.path / "videodb_ws_id").exists():  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.01)
        look(socket)
        await socket.close(1001)

    with EventService(act) as service:
        status, out, err = box.listen(service)
        ((path, headers),) = service.requests
    assert (status, out) == (5, ["WS_ID=ws-1"])
    assert path == "/collection/default/websocket"
    assert headers["x-access-token"] == KEY
    assert headers["x-videodb-client"].startswith("videodb-cli/")
    assert "authorization" not in headers
    assert seen["videodb_ws_id"] == "ws-1\n"
    assert seen["videodb_ws_pid"].strip().isdigit()
    state = json.loads(seen["videodb_listener.json"])
    assert (state["v"], state["state"], state["connection_id"]) == (1, "connected", "ws-1")
    assert sorted(path.name for path in box.path.iterdir()) == ["videodb.lock", "videodb_events.jsonl"]
    assert [line.get("event") for line in box.lines()] == [
        "listener.connected",
        None,
        "listener.disconnected",
        "listener.stopped",
    ]
    assert box.told("listener.connected")[0]["connection_id"] == "ws-1"
    assert box.told("listener.disconnected")[0]["close_code"] == 1001
    assert box.told("listener.stopped")[0]["live"] == 1
    assert "lost (server closed 1001, going away) · last event" in err
    statement, error = err.index("· 1 events · no gaps"), err.index("error: gave up without a retry")
    assert statement < error, "the loss statement is said whichever way it ends"
    assert_nothing_secret_in(box.path)
    assert (box.path.stat().st_mode & 0o777, box.log.stat().st_mode & 0o777) == (0o700, 0o600)


STRANGE: list[str | bytes] = [
    "[1, 2]",
    "null",
    "42",
    '"words"',
    "",
    "not json",
    b'{"channel":"alert","data":{"label":"binary"}}',
    b"\xff\xfe\x00",
    '{"channel":"transcript","data":null}',
    '{"channel":"transcript","data":"a string"}',
    '{"channel":"transcript","data":{"text":5,"is_final":[]}}',
    '{"channel":"transcript","data":{"text":{"a":1},"is_final":{}}}',
    '{"channel":7,"event":8,"data":{"text":null,"error":"x"}}',
    '{"ts":"mine","unix_ts":1}',
    '{"channel":"videodb_cli","event":"listener.gap"}',
    '{"channel":"transcript","recovered":true}',
    '{"n":123456789012345678901234567890,"x":1.10}',
    '{"a":NaN}',
    "{}",
    '{"connection_id":"ws-9","channel":"x"}',
    '{"connection_id":7}',
    '{"data":{"text":"\\u2028\\u001b[2J"}}',
]


@pytest.mark.parametrize("flags", [(), ("--print",), ("--json",)], ids=["plain", "print", "json"])
def test_strange_messages_are_kept_on_one_connection(box: Box, flags: tuple[str, ...]) -> None:
    with EventService(send(*STRANGE, then=END)) as service:
        status, out, _ = box.listen(service, *flags)
        assert len(service.connections) == 1
    assert status == 5
    assert box.heard() == [
        {"raw": "[1, 2]"},
        {"raw": "null"},
        {"raw": "42"},
        {"raw": '"words"'},
        {"raw": ""},
        {"raw": "not json"},
        {"channel": "alert", "data": {"label": "binary"}},
        {"raw_base64": "//4A"},
        {"channel": "transcript", "data": None},
        {"channel": "transcript", "data": "a string"},
        {"channel": "transcript", "data": {"text": 5, "is_final": []}},
        {"channel": "transcript", "data": {"text": {"a": 1}, "is_final": {}}},
        {"channel": 7, "event": 8, "data": {"text": None, "error": "x"}},
        {"source_ts": "mine", "source_unix_ts": 1},
        {"raw": '{"channel":"videodb_cli","event":"listener.gap"}'},
        {"raw": '{"channel":"transcript","recovered":true}'},
        {"n": 123456789012345678901234567890, "x": 1.10},
        {"raw": '{"a":NaN}'},
        {},
        {"connection_id": "ws-9", "channel": "x"},
        {"connection_id": 7},
        {"data": {"text": "\u2028\u001b[2J"}},
    ]
    assert b'"n":123456789012345678901234567890,"x":1.10}' in box.log.read_bytes()
    if flags == ("--json",):
        logged = box.log.read_text().splitlines()
        assert [*out[:-1]] == logged[: len(out) - 1], "every line of stdout is a line as logged, in order"
        assert json.loads(out[0])["data"]["connection_id"] == "ws-1"
    elif flags:
        assert out[0] == "WS_ID=ws-1"
        assert "[alert] binary" in out
        assert not any("\x1b" in line for line in out)
    else:
        assert out == ["WS_ID=ws-1"]


def test_json_errors_are_json(box: Box) -> None:
    with EventService(answers=[refusal()]) as service:
        status, out, _ = box.listen(service, "--json")
    assert status == 3
    assert json.loads(out[-1])["error"]["code"] == "key_refused"


def test_what_comes_before_the_id_is_kept_and_cleared_logs_keep_it(box: Box) -> None:
    box.path.mkdir()
    box.log.write_text('{"ts":"x","unix_ts":1,"old":true}\n')
    early = send('{"early":1}', "early", '{"no_id":true}', '{"connection_id":"late"}', '{"n":2}', then=END)
    with EventService(early, ids=lambda _: None) as service:
        status, out, _ = box.listen(service, "--clear")
        assert (status, out) == (5, ["WS_ID=late"])
        assert box.heard() == [{"early": 1}, {"raw": "early"}, {"no_id": True}, {"n": 2}]
        status, out, _ = box.listen(service, "--json")
    assert json.loads(out[0])["event"] == "listener.connected"
    assert any("early" in json.loads(line) for line in out[1:])
    assert [line.get("n") for line in box.heard()].count(2) == 2


@pytest.mark.parametrize("early", [True, False])
def test_a_failed_start_clears_nothing(box: Box, early: bool) -> None:
    box.path.mkdir()
    rotated = box.log.with_name(box.log.name + ".1")
    rotated.write_text("{}\n")
    box.log.write_text('{"ts":"x","unix_ts":1,"old":true}\n')
    acts: list[Act] = [send('{"early":1}', then=END) if early else END]
    with EventService(*acts, ids=lambda _: None) as service:
        status, out, err = box.listen(service, "--clear")
    assert (status, out) == (5, [])
    assert "closed before the connection id came: 1000, that was all" in err
    assert [line.get("old", line.get("early")) for line in box.lines()][: 1 + early] == [True, 1][: 1 + early]
    assert rotated.exists()


def test_clear_takes_the_old_and_what_was_derived_from_it(box: Box) -> None:
    box.path.mkdir()
    box.log.write_text('{"ts":"x","unix_ts":1,"old":true}\n{"torn')
    for name in (".1", ".2.gz", ".torn-20260101T000000Z", ".index"):
        box.log.with_name(box.log.name + name).write_text("x")
    inode = box.log.stat().st_ino
    with EventService(send('{"new":1}', then=END)) as service:
        box.listen(service, "--clear")
    assert box.heard() == [{"new": 1}]
    assert box.log.stat().st_ino == inode
    assert sorted(path.name for path in box.path.iterdir()) == ["videodb.lock", "videodb_events.jsonl"]


def test_append_and_torn_tail(box: Box) -> None:
    box.path.mkdir()
    box.log.write_bytes(b'{"ts":"x","unix_ts":1,"n":0}\n{"ts":"x","uni')
    with EventService(send('{"n":1}', then=END)) as service:
        box.listen(service)
    assert box.heard() == [{"n": 0}, {"n": 1}]
    (torn,) = box.told("log.torn")
    assert (torn["bytes"], (box.path / torn["file"]).read_bytes()) == (14, b'{"ts":"x","uni')


def test_a_later_frame_with_only_an_id_replaces_it(box: Box) -> None:
    published = box.path / "videodb_ws_id"

    async def watch(socket: ServerConnection) -> None:
        await socket.send('{"connection_id":"ws-new"}')
        deadline = time.monotonic() + 5
        while not published.exists() or published.read_text() != "ws-new\n":
            assert time.monotonic() < deadline
            await pause(0.01)(socket)
        await socket.send('{"connection_id":"ws-new"}')
        await socket.send('{"n":1}')
        await socket.close()

    with EventService(watch) as service:
        _, out, err = box.listen(service)
    assert out == ["WS_ID=ws-1", "WS_ID=ws-new"]
    assert "replaced the id: now ws-new" in err
    assert [data["connection_id"] for data in box.told("listener.connected")] == ["ws-1", "ws-new"]
    assert box.heard() == [{"n": 1}]


@pytest.mark.parametrize("bad", ['{"connection_id":""}', '{"connection_id":"a b"}', '{"connection_id":"a\\nb"}', "[]"])
def test_no_id_within_the_limit_is_a_failed_attempt(box: Box, bad: str) -> None:
    with EventService(send(bad), send('{"connection_id":"good"}', then=box.quit), ids=lambda _: None) as service:
        status, out, err = box.listen(service, "--id-timeout", "0.1", "--healthy-after", "9", retries=1)
        assert len(service.requests) == len(service.connections) == 2
    assert (status, out) == (0, ["WS_ID=good"])
    assert "no connection id came within 0.1 s" in err


@pytest.mark.parametrize(
    ("act", "reason", "code"),
    [
        (close(1000), "closed", 1000),
        (close(1001), "closed", 1001),
        (close(1011, "boom"), "closed", 1011),
        (close(4001, "policy of theirs"), "closed", 4001),
        (cut, "cut", None),
    ],
)
def test_every_end_is_followed_by_a_new_connection_and_a_gap(box: Box, act: Act, reason: str, code: int | None) -> None:
    messages = [f'{{"n":{n}}}' for n in range(500)]
    first = send(*messages, then=then(pause(0.05), act))
    with EventService(first, send('{"n":500}', then=box.quit)) as service:
        status, out, err = box.listen(service, retries=1)
        assert len({path for path, _ in service.requests}) == 1
        assert len(service.requests) == 2
        assert [connection.request.path[:9] for connection in service.connections if connection.request] == [
            "/socket/1",
            "/socket/2",
        ], "a fresh URL for every attempt"
    assert (status, out) == (0, ["WS_ID=ws-1", "WS_ID=ws-2"])
    assert box.heard() == [{"n": n} for n in range(501)]
    (lost,) = box.told("listener.disconnected")
    assert (lost["reason"], lost["close_code"], lost["connection_id"]) == (reason, code, "ws-1")
    (gap,) = box.told("listener.gap")
    assert (gap["old_connection_id"], gap["new_connection_id"], gap["reason"]) == ("ws-1", "ws-2", reason)
    assert gap["from"] <= gap["to"]
    assert "back as ws-2 after" in err
    assert [line.get("event") for line in box.lines() if line.get("channel") == "videodb_cli"][:4] == [
        "listener.connected",
        "listener.disconnected",
        "listener.connected",
        "listener.gap",
    ]


def test_a_message_over_the_limit_is_recorded_with_its_size(box: Box) -> None:
    large = b'{"a":"' + b"x" * (64 << 20) + b'"}'
    with EventService(send('{"n":1}', large), send('{"n":2}', then=box.quit)) as service:
        box.listen(service, retries=1)
    assert box.heard() == [{"n": 1}, {"n": 2}]
    lost = box.told("listener.disconnected")[0]
    assert (lost["reason"], lost["size"]) == ("message_too_big", len(large))


def test_a_message_just_below_the_limit_passes_whole_or_in_pieces(box: Box) -> None:
    size = (64 << 20) - 100

    async def in_pieces(socket: ServerConnection) -> None:
        piece = "y" * 8192
        await socket.send(iter(['{"b":"', *[piece] * (size // len(piece) - 1), '"}']))
        await socket.close()

    with EventService(send('{"a":"' + "x" * size + '"}', then=in_pieces)) as service:
        box.listen(service)
    first, second = box.heard()
    assert len(first["a"]) == size
    assert len(second["b"]) == (size // 8192 - 1) * 8192


def test_a_frame_against_the_protocol_costs_one_connection(box: Box) -> None:
    async def break_the_rules(socket: ServerConnection) -> None:
        await socket.send('{"n":1}')
        socket.transport.write(bytes([0x80 | 0x40 | Opcode.TEXT, 1, 65]))
        await socket.wait_closed()

    with EventService(break_the_rules, send('{"n":2}', then=box.quit)) as service:
        box.listen(service, retries=1)
    assert box.heard() == [{"n": 1}, {"n": 2}]
    assert box.told("listener.disconnected")[0]["reason"] == "protocol_error"


FORBIDDEN = Answer(403, "<html>Forbidden by the proxy</html>", content_type="text/html")


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_the_service_refuses_is_final(box: Box, status: int) -> None:
    with EventService(answers=[refusal(status, f"Invalid key {KEY}")] * 3) as service:
        got, out, err = box.listen(service, retries=5)
        assert len(service.requests) == 1
    assert (got, out) == (3, [])
    assert "refused the key from the environment" in err
    assert sorted(path.name for path in box.path.iterdir()) == ["videodb.lock", "videodb_events.jsonl"]


@pytest.mark.parametrize(
    "answer",
    [
        FORBIDDEN,
        Answer(401, '{"message":"Unauthorized"}'),
        Answer(403, "[]"),
        Answer(429, "slow down"),
        Answer(500, ""),
        Answer(503, "{"),
        Answer(404, '{"success":false,"message":"no such collection"}'),
        Answer(402, '{"success":false,"message":"out of credits"}'),
        Answer(200, '{"success":false,"message":"not now"}'),
        Answer(200, '{"success":true,"data":{}}'),
        Answer(200, '{"success":true,"data":[]}'),
        Answer(200, '{"success":true,"data":{"websocket_url":"http://127.0.0.1/"}}'),
        Answer(200, '{"success":true,"data":{"websocket_url":"ws://example.com/?token=secret-ticket"}}'),
        Answer(200, '{"success":true,"data":{"websocket_url":"wss://[::/?token=secret-ticket"}}'),
        Answer(200, '{"success":true,"data":{"websocket_url":"ws://127.0.0.1:1/?token=secret-ticket"}}'),
        Answer(302, "", {"Location": "https://elsewhere.example/"}),
    ],
    ids=lambda answer: f"{answer.status} {answer.body[:40]}",
)
def test_every_other_failure_is_retried(box: Box, answer: Answer) -> None:
    with EventService(send('{"n":1}', then=box.quit), answers=[answer, answer]) as service:
        status, out, err = box.listen(service, retries=2)
        assert len(service.requests) == 3
    assert (status, out) == (0, ["WS_ID=ws-1"])
    assert err.count("retry in") == 2
    assert box.heard() == [{"n": 1}]


def test_a_refusal_later_is_not_final(box: Box) -> None:
    with EventService(END, send('{"n":1}', then=box.quit), answers=[Answer(), refusal(), refusal(403)]) as service:
        status, out, _ = box.listen(service, retries=3)
        assert len(service.requests) == 4
    assert (status, out) == (0, ["WS_ID=ws-1", "WS_ID=ws-2"])


def test_retry_after_is_honoured(box: Box) -> None:
    with EventService(END, answers=[Answer(429, "slow", {"Retry-After": "1"})]) as service:
        began = time.monotonic()
        _, _, err = box.listen(service, retries=1)
        assert time.monotonic() - began >= 1
    assert "retry in 1." in err


def test_handshake_failures_are_retried_with_a_fresh_url(box: Box) -> None:
    """The socket URL leads to an HTTP answer, and to a port where nobody listens."""
    with EventService(END) as service, EventService(answers=[Answer(503, "busy", {"Retry-After": "1"})]) as other:
        urls = [f"ws://127.0.0.1:{other.port}/x?token=secret-ticket", "ws://127.0.0.1:1/y?token=secret-ticket"]
        service._answers = [  # the answers name a server that exists only now
            Answer(200, json.dumps({"success": True, "data": {"websocket_url": url}})) for url in urls
        ]
        status, out, err = box.listen(service, retries=2)
    assert (status, out) == (5, ["WS_ID=ws-1"])
    assert "HTTP 503" in err
    assert "retry in 1." in err
    assert err.count("the socket did not open") == 2


def test_a_server_that_accepts_and_closes_is_not_hammered(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ceilings: list[float] = []

    def draw(_: float, high: float) -> float:
        ceilings.append(high)
        return 0.0

    monkeypatch.setattr(assembly, "Backoff", lambda *_: Backoff(uniform=draw))
    with EventService(END) as service:
        box.listen(service, retries=9)
        assert len(service.connections) == 10
    assert ceilings == [1, 2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_an_event_or_a_while_forgives(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    ceilings: list[float] = []

    def draw(_: float, high: float) -> float:
        ceilings.append(high)
        return 0.0

    monkeypatch.setattr(assembly, "Backoff", lambda *_: Backoff(uniform=draw))
    with EventService(END, END, send("{}", then=END), END, then(pause(1.5), END), END, END, END) as service:
        # Longer than a connection that is closed at once lasts on a busy machine.
        box.listen(service, "--healthy-after", "1", retries=3)
    assert ceilings == [1, 2, 1, 2, 1, 2, 4, 8]


@pytest.mark.parametrize("answers_pings", [True, False])
def test_half_open_is_found_by_ping(box: Box, answers_pings: bool) -> None:
    """Behind a pulled cable nothing is read; behind a dead gateway bytes are taken and no pong comes."""
    silent = then(stop_reading, stay) if answers_pings else stay
    with EventService(silent, END, answer_pings=answers_pings) as service:
        began = time.monotonic()
        _, out, err = box.listen(service, "--ping-interval", "0.1", "--ping-timeout", "0.2", retries=1)
        assert time.monotonic() - began < 5
    assert out == ["WS_ID=ws-1", "WS_ID=ws-2"]
    assert box.told("listener.disconnected")[0]["reason"] == "half_open"
    assert "lost (no answer for" in err


def test_pongs_that_do_not_come_are_no_death_while_events_do(box: Box) -> None:
    async def talk(socket: ServerConnection) -> None:
        for n in range(12):
            await socket.send(json.dumps({"n": n}))
            await pause(0.05)(socket)
        await socket.close()

    with EventService(talk, answer_pings=False) as service:
        box.listen(service, "--ping-interval", "0.02", "--ping-timeout", "0.15")
    assert len(box.heard()) == 12
    assert box.told("listener.disconnected")[0]["reason"] == "closed"


def test_a_message_that_is_long_in_coming_is_no_death(box: Box) -> None:
    """A pong cannot overtake the rest of a large message on a slow line."""
    message = json.dumps({"text": "x" * 60_000}).encode()
    frame = b"\x81\x7e" + len(message).to_bytes(2, "big") + message

    async def trickle(socket: ServerConnection) -> None:
        for start in range(0, len(frame), 3000):
            socket.transport.write(frame[start : start + 3000])
            await pause(0.05)(socket)
        await socket.close()

    with EventService(trickle, answer_pings=False) as service:
        box.listen(service, "--ping-interval", "0.02", "--ping-timeout", "0.2")
    assert [len(line["text"]) for line in box.lines() if "text" in line] == [60_000]
    assert box.told("listener.disconnected")[0]["reason"] == "closed"


def test_quiet_still_says_the_id(box: Box) -> None:
    with EventService(END) as service:
        _, out, err = box.listen(service, "--quiet")
    assert out == ["WS_ID=ws-1"]
    assert err.splitlines()[0].startswith("error: gave up")


def test_collection_is_quoted_into_the_path(box: Box) -> None:
    with EventService(END) as service:
        box.listen(service, "--collection", "c/../x?y")
        assert service.requests[0][0] == "/collection/c%2F..%2Fx%3Fy/websocket"


def test_an_unreachable_service(box: Box) -> None:
    with EventService() as service:
        pass
    status, out, err = box.listen(service, retries=1)
    assert (status, out) == (5, [])
    assert f"127.0.0.1:{service.port}: Connection refused" in err
    assert "gave up after 1 retry" in err


def test_a_name_that_does_not_resolve(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    def nobody(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    with EventService() as service:
        pass
    monkeypatch.setattr(EventService, "environment", {"VIDEO_DB_API_KEY": KEY, "VIDEO_DB_API": "https://api.invalid"})
    monkeypatch.setattr(socket, "getaddrinfo", nobody)
    status, _, err = box.listen(service, retries=1)
    assert status == 5
    assert "Name or service not known" in err


def test_what_is_logged_for_debugging_tells_each_step_and_no_secret(box: Box, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", "videodb_cli")
    with EventService(send("{}", then=END), END) as service:
        box.listen(service, retries=1)
    told = caplog.text
    for step in ("got a socket URL", "the socket is open", "connected as ws-1", "close code 10", "the next attempt in"):
        assert step in told, step
    assert KEY not in told
    assert "secret-ticket" not in told
    assert "token=" not in told
