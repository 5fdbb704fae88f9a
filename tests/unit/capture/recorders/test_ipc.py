"""The recorder's lines: any chunking, any noise, any length; never an exception."""

import json

from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.capture.recorders.ipc import MessageReader, RecorderEvent, Response, encode_command

GOOD = b'videodb_recorder|{"type":"response","commandId":"a","status":"success","result":{"x":1}}\n'


def read(reader: MessageReader, *chunks: bytes) -> list[Response | RecorderEvent]:
    return [message for chunk in chunks for message in reader.feed(chunk)]


def test_a_command_is_one_line() -> None:
    line = encode_command("init", "id-1", {"apiUrl": "https://x\ny"})
    assert line.count(b"\n") == 1
    assert json.loads(line.removeprefix(b"videodb_recorder|")) == {
        "command": "init",
        "commandId": "id-1",
        "params": {"apiUrl": "https://x\ny"},
    }


def test_answers_errors_and_events() -> None:
    reader = MessageReader()
    found = read(
        reader,
        GOOD,
        b"some log line\n",
        b'videodb_recorder|{"type":"response","commandId":"b","status":"error","result":{"code":"BUSY","message":"m"}}\n',
        b'videodb_recorder|{"type":"response","commandId":"c","status":"error","result":"just words"}\n',
        b'videodb_recorder|{"type":"event","event":"recording-started","payload":null}\r\n',
        b"videodb_recorder|{oops\n",
        b"videodb_recorder|[]\n",
    )
    assert found == [
        Response("a", {"x": 1}),
        Response("b", {}, ("BUSY", "m")),
        Response("c", {}, ("ERROR", "just words")),
        RecorderEvent("recording-started", {}),
    ]
    assert (reader.noise, reader.malformed) == (1, 2)


def test_a_line_of_fifteen_megabytes_passes_and_one_above_the_limit_is_skipped() -> None:
    big = b'videodb_recorder|{"type":"event","event":"big","payload":{"p":"' + b"x" * (15 << 20) + b'"}}\n'
    reader = MessageReader()
    assert len(read(reader, *(big[i : i + 65536] for i in range(0, len(big), 65536)))) == 1
    small = MessageReader(limit=100)
    assert read(small, b"y" * 1000, b"y" * 1000, b"z\n", GOOD[:50], GOOD[50:]) == [Response("a", {"x": 1})]
    assert small.too_long == 1


@given(st.lists(st.binary(max_size=60), max_size=30), st.integers(1, 20))
def test_no_bytes_raise_and_a_good_line_after_them_is_read(chunks: list[bytes], size: int) -> None:
    reader = MessageReader()
    read(reader, *chunks, b"\n")
    assert read(reader, *(GOOD[i : i + size] for i in range(0, len(GOOD), size))) == [Response("a", {"x": 1})]
