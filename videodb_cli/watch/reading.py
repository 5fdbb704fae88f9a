"""The task that keeps one directory of the live view up to date: one read at a time, in a thread."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from videodb_cli.errors import VideodbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.watch.view import DirectoryView

# The log is looked at, and the screen drawn, so often at most.
_LOOK_S = 0.2
_FACTS_S = 1.0


async def keep_reading(view: DirectoryView, wake: asyncio.Event, draw: Callable[[], None]) -> None:
    """Look at a directory again and again, at once when ``wake`` is set, and call ``draw`` after a change."""
    facts_at = 0.0
    while True:
        wake.clear()
        is_changed = False
        try:
            is_changed = await _read(view)
        except VideodbError as error:
            view.notice, view.is_stale, is_changed = error.message, False, True
        except OSError as error:
            view.notice, is_changed = f"cannot read the log: {error.strerror}", True
        now = time.monotonic()
        if now - facts_at >= _FACTS_S:
            view.facts = await asyncio.to_thread(view.observer.look)
            facts_at, is_changed = now, True
        if is_changed:
            draw()
        try:
            await asyncio.wait_for(wake.wait(), _LOOK_S)
        except TimeoutError:
            continue


async def _read(view: DirectoryView) -> bool:
    """Read what is to be read now. One read at a time, so that none overtakes another."""
    is_changed = False
    if view.is_stale:
        chosen = view.filter
        entries = await asyncio.to_thread(view.read_last)
        if view.filter == chosen:
            view.show_last(entries)
        is_changed = True
    if view.search_step:
        step, view.search_step = view.search_step, 0
        view.show_found(await asyncio.to_thread(view.find, step))
        is_changed = True
    if view.wants_older:
        view.show_older(await asyncio.to_thread(view.read_older))
        is_changed = True
    if view.wants_newer:
        view.show_newer(await asyncio.to_thread(view.read_newer))
        is_changed = True
    chosen = view.filter
    news = await asyncio.to_thread(view.reader.poll, view.selection)
    if view.filter != chosen:
        news.entries = []  # they are read again with the new filter
    return view.take(news, time.monotonic()) or is_changed
