"""One connection after the other, without a network: who may publish and play, and what each gets."""

import re
import struct
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from videodb_cli.local.rtsp.conversation import MAX_UNSENT_BYTES, SESSION_TIMEOUT_S, Conversation
from videodb_cli.local.rtsp.framing import Framer, Packet
from videodb_cli.local.rtsp.relay import MAX_BACKLOG_BYTES, Relay, RelayChannel

VIDEO = b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:streamid=0\r\n"
TCP = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1"


class Outlet:
    def __init__(self) -> None:
        self.sent = bytearray()
        self.closed = False
        self.stuck = 0

    def write(self, data: bytes) -> None:
        self.sent += data

    def unsent(self) -> int:
        return self.stuck

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Peer:
    """A client of a conversation."""

    def __init__(self, relay: Relay, clock: Callable[[], float], path: str) -> None:
        self.outlet = Outlet()
        self.talk = Conversation(relay, self.outlet, clock=clock)
        self.url = f"rtsp://127.0.0.1:554/{path}"

    def ask(self, method: str, *headers: str, url: str = "", body: bytes = b"") -> int | None:
        """The status of the answer; None if there is none yet."""
        before = len(self.outlet.sent)
        lines = [f"{method} {url or self.url} RTSP/1.0", "CSeq: 5", *headers]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.talk.receive(("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        found = re.match(rb"RTSP/1.0 (\d+) [^\r]+\r\nCSeq: 5\r\n", self.outlet.sent[before:])
        return int(found[1]) if found else None

    def publish(self, sdp: bytes = VIDEO) -> None:
        assert self.ask("ANNOUNCE", "Content-Type: application/sdp", body=sdp) == 200
        assert self.ask("SETUP", TCP + ";mode=record", url=self.url + "/streamid=0") == 200
        assert self.ask("RECORD") == 200

    def play(self) -> None:
        assert self.ask("SETUP", TCP, url=self.url + "/track=0") == 200
        assert self.ask("PLAY") == 200

    def push(self, sequence: int, stamp: int, payload: bytes = b"frame") -> None:
        packet = struct.pack("!BBHII", 0x80, 96, sequence & 0xFFFF, stamp & 0xFFFFFFFF, 7) + payload
        self.talk.receive(b"$\x00" + struct.pack("!H", len(packet)) + packet)

    def packets(self) -> list[tuple[int, int, bytes]]:
        """(sequence, stamp, payload) of the RTP packets that came."""
        found = [item for item in Framer().feed(bytes(self.outlet.sent)) if isinstance(item, Packet)]
        return [(*struct.unpack_from("!HI", item.payload, 2), item.payload[12:]) for item in found if item.channel == 0]


class Setting:
    def __init__(self) -> None:
        self.clock = Time()
        self.relay = Relay(clock=self.clock)
        self.told: list[str] = []
        self.channel = self.expect("video")

    def expect(self, wants: str) -> RelayChannel:
        return self.relay.expect(
            wants,
            on_record=lambda channel: self.told.append("record"),
            on_lost=lambda channel: self.told.append("lost"),
        )

    def peer(self, path: str | None = None) -> Peer:
        return Peer(self.relay, self.clock, self.channel.token if path is None else path)


@pytest.fixture
def at() -> Setting:
    return Setting()


def test_a_channel_is_relayed_from_its_first_packet_on(at: Setting) -> None:
    publisher, reader = at.peer(), at.peer()
    assert publisher.ask("OPTIONS") == 200
    publisher.publish()
    assert at.told == ["record"]
    publisher.push(1, 100, b"key")
    publisher.push(2, 200)
    reader.ask("DESCRIBE")
    assert b"H264/90000" in reader.outlet.sent
    reader.play()
    assert reader.packets() == [(1, 100, b"key"), (2, 200, b"frame")]
    publisher.push(3, 300)
    assert reader.packets()[-1] == (3, 300, b"frame")
    assert publisher.ask("TEARDOWN") == 200
    assert publisher.outlet.closed
    assert at.told == ["record", "lost"]
    assert not reader.outlet.closed


def test_only_what_is_expected_may_be_published(at: Setting) -> None:
    assert at.peer("guess").ask("ANNOUNCE", body=VIDEO) == 403
    at.expect("audio")
    publisher, second = at.peer(), at.peer()
    publisher.publish()
    assert second.ask("ANNOUNCE", body=VIDEO) == 403
    sound = at.peer(at.expect("audio").token)
    assert sound.ask("ANNOUNCE", body=VIDEO) == 403
    assert b"takes audio" in sound.outlet.sent
    at.relay.drop(at.channel)
    assert at.peer().ask("ANNOUNCE", body=VIDEO) == 403


def test_udp_is_461_and_tcp_works_afterwards(at: Setting) -> None:
    publisher = at.peer()
    assert publisher.ask("ANNOUNCE", body=VIDEO) == 200
    url = publisher.url + "/streamid=0"
    assert publisher.ask("SETUP", "Transport: RTP/AVP/UDP;unicast;client_port=1-2", url=url) == 461
    assert publisher.ask("SETUP", "Transport: RTP/AVP;unicast;client_port=1-2," + TCP[11:], url=url) == 200
    assert publisher.ask("RECORD") == 200


@pytest.mark.parametrize("method", ["RECORD", "PLAY"])
def test_out_of_turn(at: Setting, method: str) -> None:
    assert at.peer().ask(method) == 455
    assert at.peer().ask("SETUP", TCP) == 404
    assert at.peer().ask("PAUSE") == 501
    assert at.peer().ask("OPTIONS", "Session: other") == 454


def test_describe_waits_for_the_publisher(at: Setting) -> None:
    reader, publisher = at.peer(), at.peer()
    assert reader.ask("DESCRIBE") is None
    assert reader.ask("OPTIONS") is None
    publisher.publish()
    assert reader.outlet.sent.count(b"RTSP/1.0 200 OK") == 2
    assert b"m=video 0 RTP/AVP 96" in reader.outlet.sent
    late = at.peer(at.expect("video").token)
    assert late.ask("DESCRIBE") is None
    at.clock.now += 11
    late.talk.tick()
    assert b"404 Not Found" in late.outlet.sent


def test_a_publisher_that_comes_back_is_spliced(at: Setting) -> None:
    publisher, reader = at.peer(), at.peer()
    publisher.publish()
    publisher.push(65535, 0xFFFFFFF0)
    reader.play()
    publisher.talk.lost()
    at.clock.now += 10
    again = at.peer()
    again.publish()
    again.push(77, 5000)
    again.push(78, 5100)
    wanted = (0xFFFFFFF0 + 10 * 90000) & 0xFFFFFFFF
    assert reader.packets() == [
        (65535, 0xFFFFFFF0, b"frame"),
        (0, wanted, b"frame"),
        (1, wanted + 100, b"frame"),
    ]
    assert at.told == ["record", "lost", "record"]
    assert at.channel.recorded_at == 1000.0


def test_a_publisher_that_comes_back_with_another_format_is_refused(at: Setting) -> None:
    publisher = at.peer()
    publisher.publish()
    publisher.talk.lost()
    assert at.peer().ask("ANNOUNCE", body=VIDEO.replace(b"H264", b"H265")) == 403


def test_the_backlog_is_bounded(at: Setting) -> None:
    publisher, reader = at.peer(), at.peer()
    publisher.publish()
    for number in range(2 * MAX_BACKLOG_BYTES // 60000):
        publisher.push(number, number, bytes(60000))
    reader.play()
    assert MAX_BACKLOG_BYTES // 4 < len(reader.outlet.sent) <= MAX_BACKLOG_BYTES + 100_000


def test_a_reader_that_does_not_read_is_dropped(at: Setting) -> None:
    publisher, reader, other = at.peer(), at.peer(), at.peer()
    publisher.publish()
    reader.play()
    other.play()
    reader.outlet.stuck = MAX_UNSENT_BYTES + 1
    publisher.push(1, 1)
    assert reader.outlet.closed
    assert at.channel.readers == 1
    assert not other.outlet.closed


def test_the_end_of_a_channel(at: Setting) -> None:
    publisher, reader, waiting = at.peer(), at.peer(), at.peer(at.expect("video").token)
    publisher.publish()
    reader.play()
    waiting.ask("DESCRIBE")
    publisher.push(1, 1, b"last")
    at.relay.drop(at.channel)
    assert reader.packets() == [(1, 1, b"last")]
    assert reader.outlet.closed
    publisher.push(2, 2)  # may end by itself
    publisher.talk.tick()
    assert not publisher.outlet.closed
    at.clock.now += 6
    publisher.talk.tick()
    assert publisher.outlet.closed


def test_silence_ends_a_session(at: Setting) -> None:
    idle, publisher = at.peer(), at.peer()
    idle.ask("OPTIONS")
    publisher.publish()
    at.clock.now += 20
    for peer in (idle, publisher):
        peer.talk.tick()
    assert idle.outlet.closed
    assert not publisher.outlet.closed
    assert publisher.ask("OPTIONS") == 200  # keeps it alive
    at.clock.now += SESSION_TIMEOUT_S - 1
    publisher.talk.tick()
    assert not publisher.outlet.closed
    at.clock.now += 2
    publisher.talk.tick()
    assert publisher.outlet.closed
    assert at.told == ["record", "lost"]


REQUESTS = st.sampled_from(["OPTIONS", "DESCRIBE", "ANNOUNCE", "SETUP", "RECORD", "PLAY", "TEARDOWN", "GET_PARAMETER"])


@settings(max_examples=200)
@given(st.lists(st.tuples(st.integers(0, 2), st.one_of(REQUESTS, st.binary(min_size=1, max_size=80))), max_size=25))
def test_no_order_of_requests_and_noise_breaks_the_relay(steps: list[tuple[int, str | bytes]]) -> None:
    at = Setting()
    peers = [at.peer() for _ in range(3)]
    for number, step in steps:
        peer = peers[number]
        if isinstance(step, bytes):
            peer.talk.receive(b"$\x00" + struct.pack("!H", len(step)) + step)
        elif step == "ANNOUNCE":
            peer.ask(step, body=VIDEO)
        else:
            peer.ask(step, TCP)
        peer.talk.tick()
    for peer in peers:
        peer.talk.lost()
    assert at.channel.publisher is None
    assert at.channel.readers == 0
    at.peer().publish()
