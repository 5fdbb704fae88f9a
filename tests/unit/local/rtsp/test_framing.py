"""Bytes to requests and packets, whatever the pieces they come in."""

import contextlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.local.rtsp.framing import MAX_BODY_BYTES, MAX_HEADER_BYTES, Framer, FramingError, Packet, Request

STREAM = (
    b"OPTIONS rtsp://h/t RTSP/1.0\r\nCSeq: 1\r\n\r\n"
    b"$\x00\x00\x03abc"
    b"RTSP/1.0 200 OK\r\nCSeq: 7\r\n\r\n"
    b"ANNOUNCE rtsp://h/t RTSP/1.0\r\nCSeq: 2\r\nContent-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n"
    b"\r\n$\x05\x00\x00"
    b"TEARDOWN rtsp://h/t RTSP/1.0\ncseq:3\n\n"
)
FOUND = [
    Request("OPTIONS", "rtsp://h/t", {"cseq": "1"}, b""),
    Packet(0, b"abc"),
    Request(
        "ANNOUNCE",
        "rtsp://h/t",
        {"cseq": "2", "content-type": "application/sdp", "content-length": "5"},
        b"v=0\r\n",
    ),
    Packet(5, b""),
    Request("TEARDOWN", "rtsp://h/t", {"cseq": "3"}, b""),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=40))
def test_pieces_of_any_size(cuts: list[int]) -> None:
    framer = Framer()
    edges = [0, *sorted(cuts), len(STREAM)]
    found = [item for a, b in pairwise(edges) for item in framer.feed(STREAM[a:b])]
    assert found == FOUND


def test_byte_by_byte() -> None:
    framer = Framer()
    assert [item for byte in STREAM for item in framer.feed(bytes([byte]))] == FOUND


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02", 400),
        (b"OPTIONS rtsp://h RTSP/2.0\r\n\r\n", 505),
        (b"OPTIONS rtsp://h\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nnocolon\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nContent-Length: -1\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nContent-Length: 1e3\r\n\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1), 413),
        (b"OPTIONS rtsp://h RTSP/1.0\r\n" + b"a: b\r\n" * 100 + b"\r\n", 400),
        (b"OPTIONS rtsp://h RTSP/1.0\r\na: " + b"x" * MAX_HEADER_BYTES, 400),
    ],
)
def test_what_is_refused(data: bytes, status: int) -> None:
    with pytest.raises(FramingError) as caught:
        list(Framer().feed(data))
    assert caught.value.status == status


@given(st.lists(st.binary(max_size=200), max_size=20))
def test_noise_never_breaks_anything_else(pieces: list[bytes]) -> None:
    framer = Framer()
    with contextlib.suppress(FramingError):
        for piece in pieces:
            for item in framer.feed(piece):
                assert isinstance(item, Request | Packet)
