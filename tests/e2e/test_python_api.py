"""A listener inside a program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import videodb_cli
from tests.fakes.event_service import KEY, EventService, refusal
from videodb_cli.errors import ConflictError, CredentialsError

EVENT = json.dumps({"channel": "transcript", "data": {"text": "hello", "is_final": True}})


async def test_a_program_hears_events_and_stops(tmp_path: Path) -> None:
    with EventService() as service:
        async with videodb_cli.listen(tmp_path, key=KEY, base_url=service.url) as listening:
            assert listening.connection_id == "ws-1"
            assert (tmp_path / "videodb_ws_id").read_text().strip() == "ws-1"
            events = listening.events(channel="transcript")
            service.send(EVENT)
            async for event in events:
                assert event.text == "hello"
                break
            await events.aclose()
            with pytest.raises(ConflictError):
                async with videodb_cli.listen(tmp_path, key=KEY, base_url=service.url):
                    pass
    assert not (tmp_path / "videodb_ws_id").exists()
    names = [event.name for event in videodb_cli.EventLog(tmp_path).select(channel="videodb_cli")]
    assert names == ["listener.connected", "listener.stopped"]


async def test_a_refused_key_is_raised(tmp_path: Path) -> None:
    with EventService(answers=[refusal()]) as service, pytest.raises(CredentialsError):
        async with videodb_cli.listen(tmp_path, key=KEY, base_url=service.url):
            pass


async def test_events_end_with_the_listener(tmp_path: Path) -> None:
    with EventService() as service:
        async with videodb_cli.listen(tmp_path, key=KEY, base_url=service.url) as listening:
            heard = listening.events()
            statement = await listening.stop()
            assert [event.text async for event in heard] in ([], [])
            assert statement.live == 0


def test_importing_it_is_cheap(tmp_path: Path) -> None:
    """The import budget of the public API."""
    program = (
        "import sys; from videodb_cli import EventLog, Event, Selection; EventLog('.')\n"
        "print(sorted({'typer', 'click', 'rich', 'asyncio', 'httpx', 'websockets'} & set(sys.modules)))"
    )
    alone = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=alone)
    assert done.stdout.strip() == "[]"
