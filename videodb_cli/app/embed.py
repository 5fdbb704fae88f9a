"""A listener inside a program: `videodb_cli.listen`."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

from videodb_cli.app.listen import Audience, ListenRequest
from videodb_cli.app.listen import listen as run_listener
from videodb_cli.app.listen_options import ListenOptions
from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.log import EventLog
from videodb_cli.listener.updates import Connected, IdReplaced, ListenerUpdate, Renewed, Statement
from videodb_cli.model.logged import Event
from videodb_cli.rundir import paths
from videodb_cli.rundir.paths import RunDir
from videodb_cli.rundir.stale import remove_stale
from videodb_cli.settings import Credentials, Secret, checked_base_url, resolve_credentials, resolve_directory


class Listening:
    """A listener that runs in this program, from `listen`.

    Attributes:
        directory: Where the log is written.
        connection_id: The id of the open connection: pass it to the service as ``ws_connection_id``. It changes after
            a reconnect.
    """

    def __init__(self, run_dir: RunDir) -> None:
        self.directory = run_dir.path
        self.connection_id = ""
        self.log = EventLog(run_dir)
        self._run_dir = run_dir
        self._connected = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[Statement] | None = None

    def events(self, **flags: Any) -> AsyncGenerator[Event, None]:
        """Yields events that are logged from this call on, until the listener ends.

        Args:
            flags: The flags of `EventLog.select`.

        Raises what ended the listener, if it failed.
        """
        return self._until_ended(self.log.follow_async(**flags))

    async def _until_ended(self, following: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        assert self._task is not None  # noqa: S101 - for the type checker: `listen` has set it
        async with contextlib.aclosing(following):
            while True:
                step = asyncio.ensure_future(anext(following))
                await asyncio.wait({step, self._task}, return_when=asyncio.FIRST_COMPLETED)
                if not step.done():
                    step.cancel()
                    await asyncio.wait({step})
                    self._task.result()
                    return
                yield step.result()

    async def stop(self) -> Statement:
        """Ends the listener and returns what it has heard and lost."""
        self._stopping.set()
        assert self._task is not None  # noqa: S101 - as above
        return await self._task

    def _on_update(self, update: ListenerUpdate) -> None:
        match update:
            case Connected(connection_id) | IdReplaced(connection_id) | Renewed(connection_id):
                self.connection_id = connection_id
                self._connected.set()
            case _:
                pass

    async def start(self, request: ListenRequest) -> None:
        """Starts the listener and waits for its first connection. Called once, by `listen`."""
        audience = Audience(self._on_update, None, lambda: 0, lambda: None)
        self._task = asyncio.create_task(run_listener(request, audience, stopping=self._stopping), name="listener")
        connected = asyncio.create_task(self._connected.wait())
        try:
            await asyncio.wait({self._task, connected}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            connected.cancel()
        if self._task.done():
            self._task.result()
            raise RefusedError("the listener ended before it was connected", code="listener_ended")


@contextlib.asynccontextmanager
async def listen(
    directory: str | Path | None = None,
    *,
    collection: str = "default",
    clear: bool = False,
    key: str | None = None,
    base_url: str | None = None,
    env_file: str | None = None,
) -> AsyncIterator[Listening]:
    """Runs a listener inside this program for as long as the block lasts.

    It writes the log, reconnects and recovers what a gap lost, as `videodb listen` does. It installs no signal handler.

    Args:
        directory: Where the log is written; by default the directory of `videodb listen`.
        collection: The collection to listen in.
        clear: Clear the log after the first connection succeeds.
        key: API key; by default as `videodb listen` finds it.
        base_url: The service, with ``key``.
        env_file: A file to read key and base URL from.

    Raises:
        CredentialsError: There is no key, or the service refused it.
        ConflictError: A listener runs in this directory.
        UsageError: The base URL cannot be used.
    """
    run_dir = paths.create(resolve_directory(None, None if directory is None else str(directory), env_file).path)
    remove_stale(run_dir)
    credentials = resolve_credentials(env_file) if key is None else _given(key, base_url)
    listening = Listening(run_dir)
    await listening.start(ListenRequest(run_dir, credentials, ListenOptions(collection=collection, clear=clear)))
    try:
        yield listening
    finally:
        await listening.stop()


def _given(key: str, base_url: str | None) -> Credentials:
    from videodb_cli.settings import DEFAULT_BASE_URL

    url = DEFAULT_BASE_URL if base_url is None else checked_base_url(base_url, "base_url")
    return Credentials(Secret(key), url, "the key argument", "the base_url argument")
