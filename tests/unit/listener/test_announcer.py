"""An id becomes known: after the log tells of its connection, and without keeping what it brings from the log."""

from __future__ import annotations

import asyncio
import json
import threading
from pathlib import Path

import pytest

from tests.unit.listener.test_listener import FakeConnection, Setting, until
from videodb_cli.listener.intake import LineGate
from videodb_cli.listener.run_files import RunFiles
from videodb_cli.listener.updates import Connected
from videodb_cli.model.event import Event


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    return Setting(tmp_path, monkeypatch)


async def test_what_comes_while_the_id_is_published_is_in_the_log_before_that_is_done(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()
    monkeypatch.setattr(RunFiles, "publish_id", lambda *_: may_go_on.wait(30))
    setting.answers = [FakeConnection(1, (b'{"channel":"alert","n":1}',), stays=True)]
    listener = setting.make()
    running = asyncio.create_task(listener.run())
    try:
        await until(lambda: setting.run_dir.log.exists() and b'"n":1' in setting.run_dir.log.read_bytes())
        assert not any(isinstance(update, Connected) for update in setting.updates)
    finally:
        may_go_on.set()
    await until(lambda: any(isinstance(update, Connected) for update in setting.updates))
    listener.stop()
    await running


async def test_the_log_tells_of_a_connection_before_its_id_is_published(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    logged: list[list[str]] = []
    publish = RunFiles.publish_id

    def publish_id(files: RunFiles, connection_id: str) -> None:
        logged.append(
            [json.loads(line)["data"]["connection_id"] for line in setting.run_dir.log.read_bytes().splitlines()]
        )
        publish(files, connection_id)

    monkeypatch.setattr(RunFiles, "publish_id", publish_id)
    setting.answers = [FakeConnection(1, stays=True)]
    listener = setting.make()
    running = asyncio.create_task(listener.run())
    await until(setting.run_dir.ws_id.exists)
    listener.stop()
    await running
    assert logged == [["ws-1"]]


def test_the_gate_shows_the_first_connection_first_and_nothing_too_early() -> None:
    shown: list[bytes] = []

    def show(line: bytes, event: Event | None) -> None:
        del event
        shown.append(line)

    gate = LineGate(show)
    gate(b"before the id", None)
    with gate.front():
        gate(b"connected", None)
    gate(b"while it is published", None)
    assert shown == []
    gate.open()
    gate(b"after", None)
    assert shown == [b"connected", b"before the id", b"while it is published", b"after"]
