"""The log of one run of the listener: opened once, at the start or at the first connection, and closed at the end."""

from __future__ import annotations

import asyncio
import contextlib

from videodb_cli.errors import VideodbError
from videodb_cli.eventlog.write.store import LogStore
from videodb_cli.eventlog.write.watchdog import WriteWatchdog


class ListenerLog:
    """Opens and closes the store, in threads. ``clear`` empties the log when it is opened."""

    def __init__(self, store: LogStore, *, clear: bool) -> None:
        self._store = store
        self._clear = clear
        self._opening: asyncio.Future[None] | None = None
        self.is_open = False

    async def open(self) -> None:
        """Open the log. Idempotent. Raises RefusedError for one that cannot be opened."""
        if self.is_open:
            return
        # A thread cannot be cancelled: whoever ends us while it opens the log waits for it, and opens nothing twice.
        if self._opening is None:
            self._opening = asyncio.ensure_future(asyncio.to_thread(lambda: self._store.open(clear=self._clear)))
        await asyncio.shield(self._opening)
        self.is_open = True
        WriteWatchdog(self._store, asyncio.get_running_loop().call_later).start()

    async def open_for_the_rest(self) -> None:
        """At the end of the run: open the log if something waits for it. Nothing is cleared then."""
        if self._opening is not None:
            with contextlib.suppress(VideodbError):
                await self._opening
                self.is_open = True
        if not self.is_open and self._store.pending_bytes:
            # No connection ever stood, but what came before an id is kept.
            with contextlib.suppress(VideodbError):
                await asyncio.to_thread(self._store.open)
                self.is_open = True

    async def close(self) -> int:
        """Write what is left and close. Returns the number of bytes that could not be written."""
        return await asyncio.to_thread(self._store.close)
