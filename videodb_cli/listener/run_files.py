"""The files by which others know a running listener: pid, connection id, state. All are gone when it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections.abc import Callable

import msgspec

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import listener_state, private
from videodb_cli.rundir.listener_state import ListenerState
from videodb_cli.rundir.paths import RunDir

_PATIENCE_S = 5.0
_FIRST_BEATS_S = (0.5, 0.5, 1.0, 1.0, 1.0, 1.0)


class RunFiles:
    """Writes and removes the files of one listener. Its caller holds the directory's lock. Every call may block."""

    def __init__(self, run_dir: RunDir) -> None:
        self._run_dir = run_dir
        # A write that is under way in another thread must not bring a file back after the release.
        self._lock = threading.Lock()
        self._is_released = False

    def claim(self) -> None:
        """Say that we run here: the pid file, and no id yet. Raises RefusedError."""
        private.check_place(self._run_dir.ws_id)
        private.check_place(self._run_dir.listener_state)
        private.remove(self._run_dir.ws_id)
        try:
            private.write_atomic(self._run_dir.pid, b"%d\n" % os.getpid())
        except OSError as error:
            raise RefusedError(f"cannot write {self._run_dir.pid}: {error.strerror}", code="file") from error

    def publish_id(self, connection_id: str) -> None:
        """Make the id of the open connection known. Raises RefusedError or OSError."""
        with self._lock:
            if not self._is_released:
                private.write_atomic(self._run_dir.ws_id, connection_id.encode() + b"\n")

    def withdraw_id(self) -> None:
        """No connection is open."""
        with self._lock:
            private.remove(self._run_dir.ws_id)

    def write_state(self, listener: ListenerState) -> str | None:
        """Replace the state file that `status` reads. Raises RefusedError or OSError.

        On a disk without room for a new one the old one is written over: `status` must not call a listener deaf that
        hears, nor healthy when it cannot write. Returns the reason then; it is in the file, as ``trouble``.
        """
        with self._lock:
            if self._is_released:
                return None
            try:
                listener_state.write(self._run_dir, listener)
            except OSError as error:
                reason = error.strerror or str(error)
                try:
                    listener_state.write_over(
                        self._run_dir, msgspec.structs.replace(listener, trouble=listener.trouble or reason)
                    )
                except OSError:
                    raise error from None
                return reason
            return None

    def release(self) -> None:
        """Remove all of it. Never raises: what stays is recognised as stale by the lock that nobody holds."""
        with self._lock:
            self._is_released = True
            for path in (self._run_dir.ws_id, self._run_dir.pid, self._run_dir.listener_state):
                private.remove(path)


class RunFilesWriter:
    """Writes the files one after another, in threads. ``state`` returns what the state file says.

    A full disk must not end the listening: it is told to ``on_trouble``, as the log's trouble is.
    """

    def __init__(self, files: RunFiles, state: Callable[[], ListenerState], on_trouble: Callable[[str], None]) -> None:
        self._files = files
        self._state = state
        self._on_trouble = on_trouble
        self._lock = asyncio.Lock()
        # The id of the open connection, as long as its file could not be written.
        self._unpublished: str | None = None

    async def claim(self) -> None:
        """Say that we run here. Raises RefusedError or OSError."""
        await asyncio.to_thread(self._files.claim)

    async def publish(self, connection_id: str) -> None:
        """Make the id of the open connection known, and the state with it."""
        await self._publish(connection_id)
        await self.write_state()

    async def _publish(self, connection_id: str) -> None:
        self._unpublished = connection_id
        if await self._touch(lambda: self._files.publish_id(connection_id)) and self._unpublished == connection_id:
            self._unpublished = None

    async def withdraw(self) -> None:
        """No connection is open."""
        self._unpublished = None
        # Neither the next connection nor a stop waits longer for a stuck disk. What is under way stays in order.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await self._touch(self._files.withdraw_id)

    async def write_state(self) -> None:
        """Replace the state file."""
        listener = self._state()

        def write() -> None:
            reason = self._files.write_state(listener)
            if reason is not None:
                raise OSError(0, reason)

        if await self._touch(write) and self._unpublished is not None:
            # There is room again.
            await self._publish(self._unpublished)

    async def beat(self, every_s: float) -> None:
        """Replace the state file for ever; more often at first, when somebody looks whether it works."""
        for soon_s in _FIRST_BEATS_S:
            await self.write_state()
            await asyncio.sleep(min(soon_s, every_s))
        while True:
            await self.write_state()
            await asyncio.sleep(every_s)

    async def release(self) -> None:
        """Remove the files. What a stuck disk keeps is known as stale by the lock that nobody holds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_S):
                await asyncio.to_thread(self._files.release)

    async def _touch(self, action: Callable[[], None]) -> bool:
        async with self._lock:
            try:
                await asyncio.to_thread(action)
            except OSError as error:
                self._on_trouble(error.strerror or str(error))
            except RefusedError as error:
                # Somebody has put a link or a file of his own in the place of ours since we began.
                self._on_trouble(str(error))
            else:
                return True
            return False
