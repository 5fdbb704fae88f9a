"""`videodb capture recorder`, driven by the official SDK's `CaptureClient`: what it lists, refuses, pauses and ends."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import videodb
from videodb import capture as sdk

from tests.fakes.media_files import write_media
from videodb_cli.local.http.server import running

pytestmark = pytest.mark.system  # each takes seconds: make e2e

COMMAND = [sys.executable, "-m", "videodb_cli", "capture", "recorder"]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    return write_media(tmp_path / "clip.mp4", seconds=30.0)


@pytest.fixture
async def client(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    binary = tmp_path / "recorder"
    binary.write_text(f"#!/bin/sh\nexec {' '.join(COMMAND)} --source '{clip}' --loop\n")
    binary.chmod(0o755)
    monkeypatch.setattr(sdk, "get_capture_binary_path", lambda: str(binary))
    with running(tmp_path / "local") as service:
        connection = videodb.connect(api_key=service.key, base_url=service.url)
        found: Any = sdk.CaptureClient(connection.generate_client_token(), base_url=service.url)
        found.connection, found.service = connection, service
        try:
            yield found
        finally:
            await found.shutdown()
            connection.session.close()


async def session_of(client: Any) -> Any:
    return await asyncio.to_thread(client.connection.create_capture_session, end_user_id="ann")


async def next_event(client: Any) -> dict[str, Any]:
    async with asyncio.timeout(20):
        return dict(await client._event_queue.get())


async def test_a_session_is_paused_resumed_and_stopped(client: Any) -> None:
    assert await client.request_permission("microphone") is True
    channels = await client.list_channels()
    assert [(c.id, c.type, c.name) for c in channels.all()] == [
        ("mic:file", "audio", "clip.mp4"),
        ("display:file", "video", "clip.mp4"),
    ]
    session = await session_of(client)
    channels.displays.default.store = channels.displays.default.is_primary = True
    await client.start_session(session.id, channels.all())
    assert await next_event(client) == {
        "type": "event",
        "event": "recording-started",
        "payload": {"sessionId": session.id},
    }
    with pytest.raises(RuntimeError, match="INSTANCE_ALREADY_RUNNING"):
        await client.start_session(session.id, channels.all())
    await channels.mics.default.pause()
    await channels.mics.default.resume()
    await client.stop_session()
    found = await asyncio.to_thread(client.connection.get_capture_session, session.id)
    assert found.status in {"stopping", "stopped", "exported"}
    assert (await next_event(client))["event"] == "recording-complete"
    assert [(c.id, c.store, c.is_primary) for c in found.channels] == [
        ("mic:file", False, False),
        ("display:file", True, True),
    ]
    # The same process records again.
    second = await session_of(client)
    await client.start_session(second.id, channels.all())
    assert (await next_event(client))["payload"] == {"sessionId": second.id}
    await client.stop_session()


async def test_what_cannot_be_recorded_is_refused_in_words(client: Any) -> None:
    session = await session_of(client)
    with pytest.raises(RuntimeError, match=r"no channel is called mic:nobody.*there are: mic:file, display:file"):
        await client.start_session(session.id, [sdk.AudioChannel("mic:nobody", "none")])
    channels = await client.list_channels()
    with pytest.raises(RuntimeError, match="cap-none"):
        await client.start_session("cap-none", channels.all())
    client.client_token = "wrong"
    with pytest.raises(RuntimeError, match=r"(?i)token|key"):
        await client.start_session(session.id, channels.all())
    with pytest.raises(RuntimeError, match="UNKNOWN_COMMAND"):
        await client._send_command("dance")
    with pytest.raises(RuntimeError, match="INVALID_PERMISSION"):
        await client._send_command("requestPermission", {"permission": "camera"})
    with pytest.raises(RuntimeError, match="INVALID_PARAMETERS"):
        await client._send_command("startRecording", {"sessionId": 1})


async def test_a_service_that_goes_away_is_told(client: Any, clip: Path) -> None:
    session = await session_of(client)
    channels = await client.list_channels()
    await client.start_session(session.id, channels.all())
    assert (await next_event(client))["event"] == "recording-started"
    client.connection.session.close()
    client.service.loop.call_soon_threadsafe(client.service.service.request_stop)
    with pytest.raises(RuntimeError, match=r"(?i)reach|connect"):
        await client.stop_session()
    assert (await next_event(client))["event"] == "recording-complete"


def recorder(*lines: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments], input="".join(lines), capture_output=True, text=True, timeout=60, check=False
    )


def test_noise_is_skipped_and_the_end_of_its_input_ends_it() -> None:
    asked = {"command": "init", "commandId": "1", "params": {"apiUrl": "http://127.0.0.1:1"}}
    done = recorder("noise\n", "videodb_recorder|{not json\n", f"videodb_recorder|{json.dumps(asked)}\n", "half a line")
    assert (done.returncode, done.stderr) == (0, "")
    answer = json.loads(done.stdout.removeprefix("videodb_recorder|"))
    assert answer == {"type": "response", "commandId": "1", "status": "success", "result": {}}


def test_an_address_that_is_no_service_is_refused() -> None:
    asked = {"command": "init", "commandId": "1", "params": {"apiUrl": "http://example.com"}}
    answer = json.loads(recorder(f"videodb_recorder|{json.dumps(asked)}\n").stdout.removeprefix("videodb_recorder|"))
    assert answer["status"] == "error"


def test_a_file_that_is_not_there_is_named() -> None:
    asked = {"command": "getChannels", "commandId": "1"}
    done = recorder(f"videodb_recorder|{json.dumps(asked)}\n", arguments=("--source", "no-such-file.mp4"))
    assert "no-such-file.mp4" in json.loads(done.stdout.removeprefix("videodb_recorder|"))["result"]["message"]
    done = subprocess.run(
        [*COMMAND[:3], "local", "run", "--source", "no-such-file.mp4", "true"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "")
    assert "no-such-file.mp4" in done.stderr
