"""Makes the id of the open connection known: in the log, then in its file, then to whoever shows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.listener.connection import Connection
from videodb_cli.listener.current import CurrentConnection
from videodb_cli.listener.intake import LineGate
from videodb_cli.listener.run_files import RunFilesWriter
from videodb_cli.listener.tasks import BackgroundTasks
from videodb_cli.listener.updates import Connected, IdReplaced, ListenerUpdate, Renewed

# So long the log may take to note that a connection stands, before the id is published all the same.
_NOTED_WITHIN_S = 1.0


class Announcer:
    """Publishes and announces ids, one after another."""

    def __init__(
        self,
        store: LogStore,
        files: RunFilesWriter,
        gate: LineGate | None,
        current: CurrentConnection,
        on_update: Callable[[ListenerUpdate], None],
    ) -> None:
        self._store = store
        self._files = files
        self._gate = gate
        self._current = current
        self._on_update = on_update
        self._turn = asyncio.Lock()
        self._tasks = BackgroundTasks()

    async def announce(self, update: Connected | Renewed) -> None:
        """A connection stands: publish its id, and show the lines that waited for it."""
        async with self._turn:
            await self._publish(update.connection_id)
            self._on_update(update)
            if self._gate is not None:
                self._gate.open()

    def announce_replaced(self, connection: Connection, connection_id: str) -> None:
        """The service gave an open connection another id. Nobody waits for this."""
        self._tasks.start(self._announce_replaced(connection, connection_id))

    async def _announce_replaced(self, connection: Connection, connection_id: str) -> None:
        async with self._turn:
            if connection is not self._current.connection:
                return  # it is gone already, and its id with it
            await self._publish(connection_id)
            self._on_update(IdReplaced(connection_id))

    async def _publish(self, connection_id: str) -> None:
        # The log must know of an id before anybody can use it.
        await asyncio.to_thread(self._store.flush, _NOTED_WITHIN_S)
        await self._files.publish(connection_id)
