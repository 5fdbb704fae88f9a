import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from videodb_cli.local.http.answers import ServiceError
from videodb_cli.local.pacing import Replay, choose_targets, frame_of_line, iter_lines, send_paced
from videodb_cli.local.sockets import MAX_WAITING_BYTES, ROOM_BYTES, EventConnection, Hub

STAMPS = b'"ts":"2026-03-02T10:15:30.123Z","unix_ts":1772446530.123'


def line(rest: bytes) -> bytes:
    return b"{" + STAMPS + b"," + rest + b"}"


def test_stamps_are_taken_off_and_every_byte_kept() -> None:
    event = b'"channel":"x","data":{"big":123456789012345678901234567890,"f":1.50,"e":1E3}'
    assert frame_of_line(line(event)) == ("{" + event.decode() + "}", 1772446530.123)


def test_an_event_without_members_is_an_empty_object() -> None:
    assert frame_of_line(b"{" + STAMPS + b"}") == ("{}", 1772446530.123)


def test_the_events_own_stamps_come_back_in_their_digits() -> None:
    found = frame_of_line(line(b'"channel":"x","source_ts":7,"source_unix_ts":123456789012345678901234567890'))
    assert found is not None
    assert json.loads(found[0]) == {"channel": "x", "ts": 7, "unix_ts": 123456789012345678901234567890}


def test_raw_lines_become_what_was_received() -> None:
    assert frame_of_line(line(b'"raw":"[1, 2"')) == ("[1, 2", 1772446530.123)
    assert frame_of_line(line(b'"raw_base64":"/wA="')) == (b"\xff\x00", 1772446530.123)
    assert frame_of_line(line(b'"raw_base64":"?"')) == ('{"raw_base64":"?"}', 1772446530.123)


def test_a_recovered_event_is_sent_as_the_live_one_it_was() -> None:
    found = frame_of_line(line(b'"channel":"x","data":{},"recovered":true'))
    assert found is not None
    assert json.loads(found[0]) == {"channel": "x", "data": {}}


def test_logs_of_other_scripts_are_taken() -> None:
    found = frame_of_line(
        b'{"channel": "x", "data": {"n": 1}, "ts": "2026-03-02T10:15:30+00:00", "unix_ts": 1772446530}'
    )
    assert found == ('{"channel":"x","data":{"n":1}}', 1772446530.0)


@pytest.mark.parametrize(
    "text",
    [
        b"not json",
        b"[1]",
        b"7",
        line(b'"channel":"videodb_cli","event":"listener.connected","data":{}'),
        line(b'"channel":"\\u0076ideodb_cli","data":{}'),
    ],
)
def test_what_is_no_event_of_the_service_is_passed_over(text: bytes) -> None:
    assert frame_of_line(text) is None


def test_a_member_that_looks_like_a_stamp_is_not_one() -> None:
    found = frame_of_line(line(b'"data":{"ts":"mine","unix_ts":3}'))
    assert found is not None
    assert json.loads(found[0]) == {"data": {"ts": "mine", "unix_ts": 3}}


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_lines_are_cut_wherever_the_chunks_are() -> None:
    whole = b"one\ntwo\n\nthree"
    for size in range(1, len(whole) + 1):
        parts = [whole[at : at + size] for at in range(0, len(whole), size)]
        assert [part async for part in iter_lines(chunks(*parts))] == [b"one", b"two", b"", b"three"]


async def received(connection: EventConnection) -> list[object]:
    found: list[object] = []
    while (frame := await asyncio.wait_for(connection.next_frame(), 1)) is not None:
        found.append(frame)
        if not connection._waiting:
            break
    return found


async def test_a_hub_sends_to_one_and_loses_what_is_for_nobody() -> None:
    hub = Hub()
    one, two = hub.open(), hub.open()
    assert hub.send(one.id, {"n": 1})
    hub.drop(two)
    assert not hub.send(two.id, {"n": 2})
    assert not hub.send(None, {"n": 3})
    assert await received(one) == [json.dumps({"connection_id": one.id}, separators=(",", ":")), '{"n":1}']


async def test_targets_must_be_there() -> None:
    hub = Hub()
    with pytest.raises(ServiceError, match="Nobody"):
        choose_targets(hub, None)
    one = hub.open()
    assert choose_targets(hub, None) == choose_targets(hub, one.id) == [one]
    with pytest.raises(ServiceError, match="ws-other"):
        choose_targets(hub, "ws-other")


async def test_a_receiver_that_does_not_read_is_closed_not_skipped() -> None:
    connection = EventConnection("ws-1")
    connection.send("x" * (ROOM_BYTES + 1))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(connection.room(), 0.01)
    connection.send("x" * MAX_WAITING_BYTES)
    assert connection.closing is not None
    await asyncio.wait_for(connection.room(), 1)
    assert await connection.next_frame() is None


async def test_the_mean_rate_is_kept() -> None:
    connection = EventConnection("ws-1")
    loop = asyncio.get_running_loop()
    started = loop.time()
    sent = await send_paced([connection], str, count=1001, rate=5000.0, cancelled=lambda: False)
    elapsed = loop.time() - started
    assert sent == 1001
    assert 0.2 <= elapsed < 0.6
    assert await received(connection) == [str(number) for number in range(1, 1002)]


async def test_sending_ends_with_the_receiver_or_the_asker() -> None:
    gone = EventConnection("ws-1")
    gone.gone()
    assert await send_paced([gone], str, count=10, rate=None, cancelled=lambda: False) == 0
    assert await send_paced([EventConnection("ws-2")], str, count=10, rate=None, cancelled=lambda: True) == 0


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.at: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.mark.parametrize(("speed", "expected"), [(1.0, 12.0), (4.0, 3.0), (0.0, 0.0)])
async def test_a_replay_takes_the_time_of_the_log(speed: float, expected: float) -> None:
    clock = Time()
    connection = EventConnection("ws-1")
    replay = Replay([connection], speed=speed, clock=clock, sleep=clock.sleep)
    # The third stamp goes back: nothing is waited for, and nothing is made up for.
    log = [b'{"unix_ts":%d,"n":%d}' % (at, number) for number, at in enumerate((10, 20, 15, 17))]
    await replay.run(chunks(*log, b"broken", b""), lambda: False)
    assert (replay.sent, replay.skipped) == (4, 1)
    assert clock.now - 100.0 == pytest.approx(expected)
    assert await received(connection) == [f'{{"n":{number}}}' for number in range(4)]
