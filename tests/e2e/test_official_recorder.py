"""The official recorder, driven: sessions, refusals, and every way in which it can die, hang, babble or flood.

The fake that stands in for it is itself held to the official SDK's `CaptureClient`, which must run a session on it.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from videodb import capture as sdk

from tests.e2e.desktop import wait_until
from videodb_cli.capture.channels import Channel
from videodb_cli.capture.recorders.base import Began, Flowing, RecorderFailed
from videodb_cli.capture.recorders.official import OfficialRecorder
from videodb_cli.capture.request import CaptureRequest, OpenedSession
from videodb_cli.errors import ConflictError, CredentialsError, RefusedError, VideodbError
from videodb_cli.process.child import Ladder
from videodb_cli.process.clock import uptime_s
from videodb_cli.process.start_token import start_token
from videodb_cli.settings import Credentials, Secret

FAKE = Path(__file__).parents[1] / "fakes" / "fake_recorder.py"
QUICK = Ladder(ask_s=0.4, interrupt_s=0.2, terminate_s=0.2)
CHANNELS = (
    Channel("mic:default", "mic", "m"),
    Channel("system_audio:default", "system_audio", "s"),
    Channel("display:1", "display", "d", primary=True),
)
REQUEST = CaptureRequest(channels=CHANNELS, recorder="official")
OPENED = OpenedSession(
    "cap-1", "default", None, Credentials(Secret("st-secret"), "http://127.0.0.1:9", "a test", "a test")
)


@dataclass
class Fake:
    """The fake recorder as an executable of this interpreter, and what it noted."""

    path: Path
    log: Path
    monkeypatch: pytest.MonkeyPatch

    def faults(self, words: str) -> None:
        self.monkeypatch.setenv("FAKE_RECORDER_FAULTS", words)

    def notes(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    @property
    def commands(self) -> list[str]:
        return [note["command"] for note in self.notes() if "command" in note]

    @property
    def pid(self) -> int:
        return next(int(note["begin"]) for note in self.notes() if "begin" in note)

    def assert_gone(self) -> None:
        for note in self.notes():
            if "begin" in note:
                assert start_token(note["begin"]) is None


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fake]:
    path = tmp_path / "recorder"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}"\n')
    path.chmod(0o755)
    log = tmp_path / "commands.jsonl"
    monkeypatch.setenv("FAKE_RECORDER_LOG", str(log))
    monkeypatch.setenv("VIDEO_DB_API_KEY", "sk-not-for-children")
    found = Fake(path, log, monkeypatch)
    yield found
    found.assert_gone()


def recorder_of(fake: Fake, *, command_s: float = 5.0) -> OfficialRecorder:
    return OfficialRecorder(str(fake.path), "http://127.0.0.1:1", lambda line: None, command_s=command_s, ladder=QUICK)


async def next_update(recorder: OfficialRecorder) -> Any:
    async with asyncio.timeout(10):
        return await anext(recorder.updates())


async def test_the_official_client_can_run_a_session_on_the_fake(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sdk, "get_capture_binary_path", lambda: str(fake.path))
    client = sdk.CaptureClient(client_token="st-1", base_url="http://127.0.0.1:1")
    assert await client.request_permission("microphone") is True
    channels = await client.list_channels()
    assert [c.id for c in channels.all()] == ["mic:default", "mic:usb", "display:1", "system_audio:default"]
    assert [c.id for c in channels.cameras] == ["camera:0"]
    await client.start_session("cap-1", [channels.mics.default, channels.displays.default])
    async for event in client.events():
        assert event["event"] == "recording-started"
        break
    await channels.mics.default.pause()
    await client.stop_session()
    await client.shutdown()
    assert fake.commands == [
        "init", "requestPermission", "getChannels", "startRecording", "pauseTracks", "stopRecording", "shutdown",
    ]  # fmt: skip


@pytest.mark.parametrize("dialect", ["", "node"])
async def test_a_whole_session(fake: Fake, dialect: str) -> None:
    fake.faults(dialect)
    recorder = recorder_of(fake)
    channels = await recorder.list_channels()
    assert [(c.id, c.default) for c in channels.of("mic")] == [("mic:default", True), ("mic:usb", False)]
    assert not channels.of("camera")[0].capturable
    assert channels.of("mic")[1].name == "USB Microphone"
    await recorder.request_permission("mic")
    await recorder.request_permission("display")
    await recorder.start(REQUEST, OPENED)
    heard = [await next_update(recorder) for _ in range(4)]
    assert {type(update) for update in heard} == {Began, Flowing}
    assert {h.state for h in recorder.health().values()} == {"flowing"}
    await recorder.pause([CHANNELS[1]])
    assert {name: h.paused for name, h in recorder.health().items()}["system_audio:default"]
    await recorder.resume([CHANNELS[1], CHANNELS[2]])
    await recorder.stop()
    await recorder.stop()
    notes = fake.notes()
    assert notes[0]["key"] is False, "the recorder must not inherit the key"
    assert [n["params"] for n in notes if n.get("command") == "pauseTracks"] == [{"tracks": ["system_audio"]}]
    assert [n["params"] for n in notes if n.get("command") == "resumeTracks"] == [
        {"tracks": ["screen", "system_audio"]}
    ]
    assert fake.commands[-2:] == ["stopRecording", "shutdown"]
    assert notes[-1] == {"end": "graceful"}


@pytest.mark.parametrize(
    ("fault", "error", "code"),
    [
        ("busy", ConflictError, "instance_already_running"),
        ("token", CredentialsError, "invalid_token"),
        ("die@startRecording", RefusedError, "recorder_died"),
        ("close@startRecording", RefusedError, "recorder_died"),
    ],
)
async def test_a_start_that_is_refused_or_dies(fake: Fake, fault: str, error: type[VideodbError], code: str) -> None:
    fake.faults(fault)
    recorder = recorder_of(fake)
    with pytest.raises(error) as caught:
        await recorder.start(REQUEST, OPENED)
    assert caught.value.code == code
    await recorder.stop()


async def test_a_silent_command_ends_in_time_and_the_process_is_taken_down(fake: Fake) -> None:
    fake.faults("silent@getChannels stubborn")
    recorder = recorder_of(fake, command_s=0.5)
    began = time.monotonic()
    with pytest.raises(RefusedError, match="did not answer getChannels"):
        await recorder.list_channels()
    await recorder.stop()
    assert time.monotonic() - began < 6


@pytest.mark.parametrize("fault", ["nonsense@getChannels", "flood@getChannels", "big@getChannels"])
async def test_noise_floods_and_long_lines_do_no_harm(fake: Fake, fault: str) -> None:
    fake.faults(fault)
    recorder = recorder_of(fake, command_s=30)
    assert len((await recorder.list_channels()).of("mic")) == 2
    await recorder.stop()


async def test_permissions_denied_and_granted_later(fake: Fake) -> None:
    fake.faults("deny")
    recorder = recorder_of(fake)
    with pytest.raises(RefusedError) as caught:
        await recorder.request_permission("mic")
    assert "System Settings" in (caught.value.hint or "")
    assert caught.value.exit_status == 6
    await recorder.stop()
    fake.faults("ask")
    later = recorder_of(fake)
    await later.request_permission("display")
    await later.stop()


@pytest.mark.parametrize("dialect", ["", "node"])
async def test_a_recorder_that_goes_silent_is_noticed_by_what_it_told_before(fake: Fake, dialect: str) -> None:
    fake.faults(f"uploads {dialect}")
    recorder = recorder_of(fake)
    await recorder.start(REQUEST, OPENED)
    # An answer to a later command: what it said before has been taken.
    await recorder.list_channels()
    now = uptime_s()
    for health in recorder.health().values():
        assert health.last_media_at is not None
        assert now - health.last_media_at < 10
        assert not health.is_stalled(now)
        assert health.is_stalled(health.last_media_at + 15.0)
    await recorder.pause([CHANNELS[0]])
    assert [name for name, health in recorder.health().items() if health.is_stalled(now + 100.0)] == [
        "system_audio:default",
        "display:1",
    ]
    await recorder.stop()
    assert not any(health.is_stalled(now + 100.0) for health in recorder.health().values())


async def test_a_death_after_the_start_is_told(fake: Fake) -> None:
    fake.faults("dieafter")
    recorder = recorder_of(fake)
    await recorder.start(REQUEST, OPENED)
    heard = [await next_update(recorder) for _ in range(5)]
    assert isinstance(heard[-1], RecorderFailed)
    with pytest.raises(RefusedError):
        await recorder.pause(CHANNELS)
    await recorder.stop()


async def test_it_ends_gracefully_when_we_are_killed(fake: Fake, tmp_path: Path) -> None:
    program = (
        "import asyncio\n"
        "from videodb_cli.capture.recorders.official import OfficialRecorder\n"
        "async def main():\n"
        f"    recorder = OfficialRecorder({str(fake.path)!r}, 'x', print)\n"
        "    await recorder.list_channels()\n"
        "    print('ready', flush=True)\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    ours = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert ours.stdout is not None
    assert await ours.stdout.readline() == b"ready\n"
    ours.kill()
    await ours.wait()
    await asyncio.to_thread(wait_until, lambda: start_token(fake.pid) is None, 10)
    assert fake.notes()[-1] == {"end": "graceful"}
