"""Notices that the embedded service runs again, so that a listener need not wait for its next attempt."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from videodb_cli.app.local_service import visible_address
from videodb_cli.errors import VideodbError

if TYPE_CHECKING:
    from pathlib import Path

    from videodb_cli.local.service_directory import ServiceAddress

_LOOK_S = 0.1


class LocalReturn:
    """Watches the state file of the embedded service while a listener waits.

    Args:
        directory: The directory of the listener.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._tried: ServiceAddress | None = None

    async def begin_attempt(self) -> None:
        """Remembers which service there is: only another one is worth an attempt before its time."""
        self._tried = await asyncio.to_thread(self._visible)

    async def wait(self) -> None:
        """Returns once a service runs that was not there when the last attempt began."""
        while True:
            found = await asyncio.to_thread(self._visible)
            if found is not None and found != self._tried:
                return
            await asyncio.sleep(_LOOK_S)

    def _visible(self) -> ServiceAddress | None:
        try:
            return visible_address(self._directory, own_only=False)
        except (VideodbError, OSError):
            return None  # the attempt itself says what is wrong
