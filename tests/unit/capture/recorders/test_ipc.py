"""The recorder's lines: any chunking, any noise, any length; never an exception."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.capture.recorders.ipc import (
    MessageReader,
    RecorderEvent,
    Response,
    channel_id_in,
    encode_command,
    error_of,
    permission_name,
    permission_state,
)
from videodb_cli.capture.recorders.official_answers import channels_from

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


# ---- the two official drivers: what one of them reads from a recorder, is read here ----------------------------------


@pytest.mark.parametrize(
    ("said", "name"),
    [
        # Python passes on what the recorder says.
        ("recording-started", "recording-started"),
        ("recording-complete", "recording-complete"),
        ("permissions-granted", "permissions-granted"),
        ("permission-status", "permission-status"),
        ("upload-progress", "upload-progress"),
        # Node knows these.
        ("recording:started", "recording-started"),
        ("recording:stopped", "recording-complete"),
        ("recording:error", "error"),
        ("upload:progress", "upload-progress"),
        ("upload:complete", "upload-complete"),
        ("transcript", "transcript"),
        ("error", "error"),
        ("shutdown", "shutdown"),
        ("something_new", "something-new"),
    ],
)
def test_names_of_events(said: str, name: str) -> None:
    line = b"videodb_recorder|" + json.dumps({"type": "event", "event": said, "payload": {"a": 1}}).encode() + b"\n"
    assert read(MessageReader(), line) == [RecorderEvent(name, {"a": 1})]


@pytest.mark.parametrize(
    ("result", "error"),
    [
        ({"code": "BUSY", "message": "m"}, ("BUSY", "m")),
        ("Unknown error", ("ERROR", "Unknown error")),
        ({"type": "process", "message": "it failed to start"}, ("process", "it failed to start")),
        ({"error": "no display", "code": "INVALID_DISPLAY"}, ("INVALID_DISPLAY", "no display")),
        ({"error": {"code": "BUSY", "message": "m"}}, ("BUSY", "m")),
        ({"error": "no display"}, ("ERROR", "no display")),
        (None, ("ERROR", "the recorder gave no reason")),
        ({"code": 5, "message": []}, ("ERROR", "the recorder gave no reason")),
    ],
)
def test_errors(result: object, error: tuple[str, str]) -> None:
    assert error_of(result) == error


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"status": "granted"}, "granted"),
        ({"permission_status": "granted"}, "granted"),
        ({"status": "denied"}, "denied"),
        ({"status": "restricted"}, "denied"),
        ({"permission_status": "restricted"}, "denied"),
        ({"requested": True}, "asked"),
        ({"requested": True, "status": "undetermined"}, "asked"),
        ({"status": "undetermined"}, "asked"),
        ({"requested": False}, None),
        ({"status": "whatever"}, None),
        ({}, None),
    ],
)
def test_states_of_a_permission(answer: dict[str, object], state: str | None) -> None:
    assert permission_state(answer) == state


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("microphone", "microphone"),
        ("screen-capture", "screen-capture"),
        ("screen_capture", "screen-capture"),
        ("accessibility", "accessibility"),
    ],
)
def test_names_of_permissions(said: str, name: str) -> None:
    assert permission_name(said) == name


@pytest.mark.parametrize("key", ["channel_id", "channelId", "id"])
def test_ids_of_channels(key: str) -> None:
    assert channel_id_in({key: "mic:default"}) == "mic:default"
    assert channel_id_in({key: 5}) is None


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        ({"channel_id": "mic:default", "type": "audio", "name": "M"}, ("mic:default", "mic", "M")),
        ({"id": "mic:default", "type": "audio", "name": "M"}, ("mic:default", "mic", "M")),
        ({"channel_id": "mic:default", "type": "audio", "channel_name": "M"}, ("mic:default", "mic", "M")),
        ({"channelId": "mic:1", "type": "audio", "isDefault": True}, ("mic:1", "mic", "mic:1")),
        ({"channel_id": "screen:2", "type": "video", "name": "S"}, ("screen:2", "display", "S")),
        ({"channel_id": "display:1", "name": "no type"}, ("display:1", "display", "no type")),
        ({"channel_id": "system_audio:default", "type": "audio"}, ("system_audio:default", "system_audio", None)),
        ({"channel_id": "camera:0", "type": "video", "name": "C"}, ("camera:0", "camera", "C")),
        ({"channel_id": "7", "type": "audio", "name": "A"}, ("7", "mic", "A")),
        ({"channel_id": "8", "type": "video", "name": "V"}, ("8", "display", "V")),
        # Neither sound nor picture: one driver skips it, the other would take it for a display.
        ({"channel_id": "9", "type": "midi", "name": "X"}, None),
        ({"name": "no id"}, None),
        ("no object", None),
    ],
)
def test_lists_of_channels(entry: object, found: tuple[str, str, str | None] | None) -> None:
    listed = [(channel.id, channel.type, channel.name) for channel in channels_from([entry])]
    assert listed == ([] if found is None else [(found[0], found[1], found[2] or found[0])])
