"""The loop over attempts, with a service and sockets that are made of a few lines. Time is scaled or injected."""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from videodb_cli.api.failures import KeyRefusedError, RequestFailedError
from videodb_cli.errors import UnreachableError
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener import connect, retries, run_files
from videodb_cli.listener.assembly import ListenerInputs, assemble
from videodb_cli.listener.backoff import Backoff
from videodb_cli.listener.connection import Ended
from videodb_cli.listener.listener import Listener
from videodb_cli.listener.policy import ListenerPolicy
from videodb_cli.listener.run_files import RunFiles
from videodb_cli.listener.trouble import TroubleInbox
from videodb_cli.listener.updates import Connected, ListenerUpdate, LogUnwritable, Retrying
from videodb_cli.process.clock import uptime_s
from videodb_cli.rundir.paths import RunDir


class FakeConnection:
    """Stands at once; hears its messages; ends when it is told to, or at once."""

    def __init__(self, number: int, messages: tuple[bytes, ...] = (), *, stays: bool = False) -> None:
        self.connection_id = f"ws-{number}"
        self.extra: dict[str, object] = {}
        self.opened_at = uptime_s()
        self.last_message_at: float | None = None
        self.last_pong_at: float | None = None
        self.last_bytes_at: float | None = None
        self.alive_at = self.opened_at
        self._messages = messages
        self._end = asyncio.Event()
        if not stays:
            self._end.set()

    async def wait_for_id(self, on_message: Callable[[bytes], None]) -> None:
        del on_message

    async def hear(self, on_message: Callable[[bytes], None]) -> Ended:
        for message in self._messages:
            on_message(message)
        await self._end.wait()
        return Ended("closed", "server closed 1001", 1001, self.alive_at)

    def hand_over(self, on_message: Callable[[bytes], None]) -> None:
        del on_message

    async def close(self) -> None:
        self._end.set()

    def abort(self) -> None:
        self._end.set()


class Setting:
    """A listener in a directory, with a script of what the control plane answers."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.run_dir = RunDir(directory)
        self.answers: list[Exception | FakeConnection] = []
        self.updates: list[ListenerUpdate] = []
        self.asked = 0
        self.listener: Listener | None = None
        self.backoff = Backoff(first_s=0.001, cap_s=0.002)
        self.came_back: Callable[[], Awaitable[None]] | None = None

        async def open_connection(url: str, _: object) -> Any:
            del url
            return self._next

        monkeypatch.setattr(connect, "open_connection", open_connection)

    async def _fresh_url(self) -> str:
        self.asked += 1
        answer = self.answers.pop(0) if self.answers else RequestFailedError("no more answers")
        if isinstance(answer, Exception):
            raise answer
        self._next = answer
        return "ws://127.0.0.1/"

    def make(self, **policy: Any) -> Listener:
        fresh_url: Callable[[], Awaitable[str]] = self._fresh_url
        troubles = TroubleInbox()
        self.listener = assemble(
            ListenerInputs(
                run_dir=self.run_dir,
                store=LogStore(self.run_dir.log, on_trouble=troubles.put),
                troubles=troubles,
                fresh_url=fresh_url,
                host="service",
                policy=ListenerPolicy(**policy),
                on_update=self.updates.append,
                backoff=self.backoff,
                came_back=self.came_back,
            )
        )
        return self.listener

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.run_dir.log.read_bytes().splitlines()]

    def own(self) -> list[str]:
        return [line["event"] for line in self.lines() if "event" in line]


@pytest.fixture
def setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setting:
    return Setting(tmp_path, monkeypatch)


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition holds, for at most five seconds."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a thread makes it come true
            await asyncio.sleep(0.001)


REFUSED = KeyRefusedError("refused", code="key_refused")


async def test_a_refusal_is_final_before_any_connection_has_stood(setting: Setting) -> None:
    setting.answers = [RequestFailedError("busy"), REFUSED]
    with pytest.raises(KeyRefusedError):
        await setting.make().run()
    assert setting.asked == 2
    assert setting.own() == ["listener.stopped"]
    assert not setting.run_dir.pid.exists()


async def test_later_only_after_a_time_of_nothing_else(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    class Clock:
        """A hundred seconds pass between two looks."""

        time = staticmethod(time.time)
        monotonic = staticmethod(itertools.count(0, 100).__next__)

    monkeypatch.setattr(retries, "time", Clock)
    setting.answers = [FakeConnection(1), *[REFUSED] * 5, RequestFailedError("busy"), *[REFUSED] * 20]
    with pytest.raises(KeyRefusedError):
        await setting.make().run()
    assert setting.asked == 1 + 5 + 1 + 7, "ten minutes, counted anew after another failure"


async def test_giving_up_counts_failures_in_a_row(setting: Setting) -> None:
    busy = RequestFailedError("busy")
    heard = FakeConnection(1, (b'{"n":1}',))
    setting.answers = [busy, busy, heard, busy, busy, busy, busy]
    with pytest.raises(UnreachableError, match="gave up after 3 retries: busy"):
        await setting.make(max_retries=3).run()
    # The event forgave the first two; its own loss counts as the first of the four that were too many.
    assert setting.asked == 6
    assert [line.get("n") for line in setting.lines()].count(1) == 1


async def test_a_stop_while_it_stands_and_while_it_waits(setting: Setting) -> None:
    setting.answers = [FakeConnection(1, (b'{"n":1}', b"null"), stays=True)]
    listener = setting.make()
    run = asyncio.create_task(listener.run())
    await until(setting.run_dir.ws_id.exists)
    listener.stop()
    listener.stop()
    statement = await asyncio.wait_for(run, 5)
    assert (statement.live, statement.unparsable, statement.gaps) == (1, 1, 0)
    assert setting.own() == ["listener.connected", "listener.stopped"]
    assert {path.name for path in setting.run_dir.path.iterdir()} == {"videodb_events.jsonl"}


async def test_clear_waits_for_the_first_connection(setting: Setting) -> None:
    setting.run_dir.log.write_text('{"ts":"x","unix_ts":1,"old":true}\n')
    setting.answers = [RequestFailedError("busy"), REFUSED]
    with pytest.raises(KeyRefusedError):
        await setting.make(clear=True).run()
    assert setting.lines()[0]["old"] is True
    setting.answers = [FakeConnection(1, (b'{"n":1}',))]
    with pytest.raises(UnreachableError):
        await setting.make(clear=True, max_retries=0).run()
    assert not any("old" in line for line in setting.lines())
    assert setting.own()[0] == "listener.connected"


async def test_a_link_put_in_the_place_of_the_state_file_does_not_end_the_heartbeat(setting: Setting) -> None:
    setting.answers = [FakeConnection(1, stays=True)]
    listener = setting.make(heartbeat_s=0.01)
    run = asyncio.create_task(listener.run())
    await until(setting.run_dir.ws_id.exists)
    place, link = setting.run_dir.listener_state, setting.run_dir.path / "link"

    def put_link() -> bool:
        # In one step, and again if a heartbeat that had looked before has replaced it.
        if not place.is_symlink():
            link.symlink_to(setting.run_dir.path / "target")
            link.replace(place)
        return any(isinstance(update, LogUnwritable) for update in setting.updates)

    await until(put_link)
    place.unlink()
    await until(setting.run_dir.listener_state.exists)
    listener.stop()
    await asyncio.wait_for(run, 5)
    assert not (setting.run_dir.path / "target").exists()


async def test_what_comes_is_logged_while_an_id_cannot_be_published(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file of the id before this one is stuck: messages must not wait in memory for it."""
    stuck, let_go = threading.Event(), threading.Event()
    publish_id = RunFiles.publish_id

    def publish(files: RunFiles, connection_id: str) -> None:
        if connection_id == "ws-1-new":
            stuck.set()
            assert let_go.wait(20)
        publish_id(files, connection_id)

    monkeypatch.setattr(RunFiles, "publish_id", publish)
    monkeypatch.setattr(run_files, "_PATIENCE_S", 0.01)
    first = FakeConnection(1, stays=True)
    setting.answers = [first, FakeConnection(2, (b'{"n":2}',), stays=True)]
    listener = setting.make()
    run = asyncio.create_task(listener.run())
    try:
        await until(lambda: Connected("ws-1", None) in setting.updates)
        listener._receiver.on_new_id(first, "ws-1-new")  # type: ignore[arg-type]
        await until(stuck.is_set)
        first.abort()
        await until(lambda: any(line.get("n") == 2 for line in setting.lines()))
        assert not let_go.is_set()
    finally:
        let_go.set()
        await until(lambda: any(isinstance(update, Connected) and update.gap_s for update in setting.updates))
        listener.stop()
        await asyncio.wait_for(run, 10)
    assert not setting.run_dir.ws_id.exists()


async def test_a_service_that_came_back_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next attempt is an hour away: only the news that the service runs again can bring it forward."""
    setting = Setting(tmp_path, monkeypatch)
    setting.backoff = Backoff(first_s=3600, cap_s=3600, uniform=lambda _low, high: high)
    back = asyncio.Event()

    async def came_back() -> None:
        await back.wait()

    async def seen(kind: type[ListenerUpdate]) -> None:
        while not any(isinstance(update, kind) for update in setting.updates):  # noqa: ASYNC110 - a callback
            await asyncio.sleep(0.01)

    setting.came_back = came_back
    setting.answers = [RequestFailedError("away"), FakeConnection(1, stays=True)]
    listener = setting.make()
    running = asyncio.create_task(listener.run())
    try:
        async with asyncio.timeout(20):
            await seen(Retrying)
            assert setting.asked == 1
            back.set()
            await seen(Connected)
        assert setting.asked == 2
    finally:
        listener.stop()
        await running
