"""The return of the embedded service is noticed once: a service that was there at the last attempt is no news."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from videodb_cli.app.local_return import LocalReturn
from videodb_cli.local.service_directory import ServiceAddress, ServiceDirectory, make_directory, write_address
from videodb_cli.process.start_token import current_start_token


def address(number: int, pid: int = 0) -> ServiceAddress:
    return ServiceAddress(f"http://127.0.0.1:{number}", f"key-{number}", pid or os.getpid(), current_start_token())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ServiceDirectory:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = ServiceDirectory(tmp_path / "run" / "local")
    make_directory(place)
    return place


async def is_noticed(local: LocalReturn, within_s: float) -> bool:
    try:
        await asyncio.wait_for(local.wait(), within_s)
    except TimeoutError:
        return False
    return True


async def test_a_service_that_is_new_is_noticed_at_once(place: ServiceDirectory) -> None:
    local = LocalReturn(place.directory.parent)
    await local.begin_attempt()
    assert not await is_noticed(local, 0.15)
    write_address(place, address(1))
    assert await is_noticed(local, 10)
    await local.begin_attempt()  # it was tried, and did not work
    assert not await is_noticed(local, 0.15)
    write_address(place, address(2))
    assert await is_noticed(local, 10)


async def test_one_that_is_gone_is_none(place: ServiceDirectory) -> None:
    local = LocalReturn(place.directory.parent)
    write_address(place, ServiceAddress("http://127.0.0.1:1", "key", os.getpid(), "another boot:1"))
    assert not await is_noticed(local, 0.15)
    place.state_file.write_text('{"v":99}')
    assert not await is_noticed(local, 0.15)
