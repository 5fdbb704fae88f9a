"""The recorder's side of the protocol, held to the driver's side."""

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.capture.recorders.ipc import MessageReader, RecorderEvent, Response, encode_command
from videodb_cli.capture.recorders.ipc_server import (
    Command,
    CommandReader,
    encode_error,
    encode_event,
    encode_result,
)

params = st.dictionaries(st.text(), st.text() | st.integers(-(2**53), 2**53) | st.none() | st.lists(st.text()))


@given(st.lists(st.tuples(st.text(), st.text(), params)), st.integers(1, 50))
def test_what_a_driver_writes_is_read_in_any_pieces(
    commands: list[tuple[str, str, dict[str, object]]], size: int
) -> None:
    written = b"".join(encode_command(*command) for command in commands)
    reader = CommandReader()
    pieces = [written[start : start + size] for start in range(0, len(written), size)]
    assert [found for piece in pieces for found in reader.feed(piece)] == [Command(*command) for command in commands]


@given(st.binary())
def test_nothing_that_is_written_breaks_it(noise: bytes) -> None:
    reader = CommandReader()
    list(reader.feed(b"videodb_recorder|" + noise + b"\n"))
    assert list(reader.feed(encode_command("init", "1", {}))) == [Command("init", "1")]


def test_what_is_answered_is_read_by_a_driver() -> None:
    command = Command("getChannels", "7")
    written = [
        encode_result(command, {"channels": []}),
        encode_error(command, "no_channel", "there is none"),
        encode_event("recording-started", {"sessionId": "cap-1"}),
    ]
    assert list(MessageReader().feed(b"".join(written))) == [
        Response("7", {"channels": []}),
        Response("7", {}, ("NO_CHANNEL", "there is none")),
        RecorderEvent("recording-started", {"sessionId": "cap-1"}),
    ]
