"""Takes items from an iterator that may block for ever, such as lines of a pipe, without blocking with it."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator

_T = TypeVar("_T")


def polled(items: Iterator[_T], every_s: float) -> Iterator[_T | None]:
    """Yields the items, and None whenever none has come for ``every_s`` seconds.

    The items are taken in a thread, one after the other and only when the caller asks: the caller may use what the
    iterator uses whenever it holds an item. A thread that waits for an item does not keep the process from ending.

    Raises:
        Exception: What the iterator raised.
    """
    wanted: queue.SimpleQueue[None] = queue.SimpleQueue()
    taken: queue.SimpleQueue[tuple[_T] | BaseException | None] = queue.SimpleQueue()

    def take() -> None:
        while True:
            wanted.get()
            try:
                item: tuple[_T] | None = (next(items),)
            except StopIteration:
                item = None
            except BaseException as error:  # noqa: BLE001 - it is raised in the caller's thread
                taken.put(error)
                return
            taken.put(item)
            if item is None:
                return

    threading.Thread(target=take, name="polled", daemon=True).start()
    while True:
        wanted.put(None)
        while True:
            try:
                found = taken.get(timeout=every_s)
            except queue.Empty:
                yield None
            else:
                break
        if found is None:
            return
        if isinstance(found, BaseException):
            raise found
        yield found[0]
