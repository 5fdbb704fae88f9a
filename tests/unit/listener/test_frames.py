"""The splitter against the real parser: any frames in any pieces, and both make the same of them."""

import itertools

from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, Protocol, State

from videodb_cli.listener.frames import FrameSplitter

MAX_SIZE = 70_000

payloads = st.one_of(st.binary(max_size=200), st.sampled_from([b"x" * 126, b"y" * 65_535, b"z" * 65_536, b""]))
whole = st.builds(lambda data, opcode: [Frame(opcode, data)], payloads, st.sampled_from([Opcode.TEXT, Opcode.BINARY]))
control = st.builds(
    lambda data, opcode: [Frame(opcode, data)], st.binary(max_size=125), st.sampled_from([Opcode.PING, Opcode.PONG])
)
fragmented = st.builds(
    lambda parts, between: [
        Frame(Opcode.TEXT, parts[0], fin=False),
        *(frame for frames in between for frame in frames),
        *(Frame(Opcode.CONT, part, fin=False) for part in parts[1:]),
        Frame(Opcode.CONT, b"end"),
    ],
    st.lists(st.binary(max_size=50), min_size=1, max_size=4),
    st.lists(control, max_size=2),
)
streams = st.lists(st.one_of(whole, control, fragmented), max_size=12).map(
    lambda groups: [frame for frames in groups for frame in frames]
)


def parsed(pieces: list[bytes]) -> list[tuple[Opcode, bytes, bool]]:
    """What `websockets` makes of a stream of bytes."""
    protocol = Protocol(CLIENT, state=State.OPEN, max_size=None)
    frames = []
    for piece in pieces:
        protocol.receive_data(piece)
        frames += [(f.opcode, bytes(f.data), f.fin) for f in protocol.events_received() if isinstance(f, Frame)]
    return frames


def split(pieces: list[bytes]) -> list[tuple[Opcode | None, bytes, bool]]:
    """What the splitter and the real parser behind it make of the same stream."""
    protocol = Protocol(CLIENT, state=State.OPEN, max_size=None)
    frames: list[tuple[Opcode | None, bytes, bool]] = []

    def on_other(data: bytes) -> None:
        protocol.receive_data(data)
        frames.extend((f.opcode, bytes(f.data), f.fin) for f in protocol.events_received() if isinstance(f, Frame))

    splitter = FrameSplitter(lambda data: frames.append((None, data, True)), on_other, max_size=MAX_SIZE)
    for piece in pieces:
        splitter.feed(piece)
    return frames


def in_pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


@given(streams, st.lists(st.integers(min_value=0, max_value=200_000), max_size=20))
def test_the_same_frames_in_the_same_order(frames: list[Frame], cuts: list[int]) -> None:
    stream = b"".join(frame.serialize(mask=False) for frame in frames)
    pieces = in_pieces(stream, cuts)
    expected = [
        (None if opcode in {Opcode.TEXT, Opcode.BINARY} and fin else opcode, data, fin)
        for opcode, data, fin in parsed([stream])
    ]
    assert split(pieces) == expected


@given(st.binary(max_size=400), st.lists(st.integers(min_value=0, max_value=400), max_size=5))
def test_nonsense_is_left_to_the_real_parser(noise: bytes, cuts: list[int]) -> None:
    """Whatever comes, the bytes that are no whole message reach the real parser in their order, and nothing raises."""
    passed: list[bytes] = []
    messages: list[bytes] = []
    splitter = FrameSplitter(messages.append, passed.append, max_size=MAX_SIZE)
    for piece in in_pieces(noise, cuts):
        splitter.feed(piece)
    assert sum(map(len, passed)) + sum(map(len, messages)) <= len(noise)


def test_byte_by_byte() -> None:
    stream = Frame(Opcode.TEXT, b"a" * 300).serialize(mask=False) + Frame(Opcode.PING, b"p").serialize(mask=False)
    assert split([bytes((byte,)) for byte in stream]) == [(None, b"a" * 300, True), (Opcode.PING, b"p", True)]


def test_a_frame_over_the_limit_goes_to_the_real_parser_at_its_header() -> None:
    passed: list[bytes] = []
    splitter = FrameSplitter(lambda _: None, passed.append, max_size=1000)
    header = b"\x81\x7e" + (1001).to_bytes(2, "big")
    splitter.feed(header)
    assert passed == [header]
    splitter.feed(b"more")
    assert passed == [header, b"more"]


def test_a_masked_frame_goes_to_the_real_parser() -> None:
    passed: list[bytes] = []
    masked = Frame(Opcode.TEXT, b"hello").serialize(mask=True)
    FrameSplitter(lambda _: None, passed.append).feed(masked)
    assert passed == [masked]
