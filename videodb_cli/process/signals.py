"""Signals that end a long job: gracefully at first, by force at the second. What was ignored at start stays ignored."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

SAME_REQUEST_S = 0.1
T = TypeVar("T")


def stop_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that mean "stop" on this platform."""
    return tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


@contextlib.contextmanager
def stop_on_signals(on_first: Callable[[], None], on_second: Callable[[], None]) -> Iterator[None]:
    """Within the block, call ``on_first`` in the running loop at the first stop signal, ``on_second`` at later ones.

    A signal that is ignored when the block begins stays ignored (``nohup``; SIGINT of a background job of a script).
    What comes within a tenth of a second of the first is one request, sent twice: `timeout` signals its child and
    then the whole process group, and so does a terminal that is closed.
    """
    loop = asyncio.get_running_loop()
    first_at: float | None = None

    def on_signal() -> None:
        nonlocal first_at
        now = loop.time()
        if first_at is None:
            first_at = now
            on_first()
        elif now - first_at > SAME_REQUEST_S:
            on_second()

    held: list[signal.Signals] = []
    for number in stop_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            continue
        loop.add_signal_handler(number, on_signal)
        held.append(number)
    try:
        yield
    finally:
        for number in held:
            loop.remove_signal_handler(number)


@contextlib.contextmanager
def ask_on_signals(on_first: Callable[..., None]) -> Iterator[None]:
    """The same without an event loop: within the block, call ``on_first`` at the first stop signal; the next one ends.

    To be used in the main thread. What is ignored when the block begins stays ignored.
    """
    before: dict[signal.Signals, Any] = {}

    def on_signal(number: int, frame: object) -> None:
        del number, frame
        for held, handler in before.items():
            signal.signal(held, handler)
        on_first()

    for number in stop_signals():
        if signal.getsignal(number) is not signal.SIG_IGN:
            before[number] = signal.signal(number, on_signal)
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)


@contextlib.contextmanager
def deferred_interrupts() -> Iterator[Callable[[], bool]]:
    """Within the block, a first stop signal is only noted, and the yielded function tells of it; a second interrupts.

    Otherwise an interrupt during a spawn would leave a process that nobody ends. Ignored signals stay ignored.
    """
    seen = 0

    def on_signal(_number: int, _frame: object) -> None:
        nonlocal seen
        seen += 1
        if seen > 1:
            raise KeyboardInterrupt

    before = {number: signal.getsignal(number) for number in stop_signals()}
    held = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    try:
        for number in held:
            signal.signal(number, on_signal)
        yield lambda: seen > 0
    finally:
        for number in held:
            signal.signal(number, before[number])


def run_until_interrupted(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as `asyncio.run` does. A stop signal cancels it and raises KeyboardInterrupt.

    The signal is not raised as an exception within the event loop, which could not be closed properly after that.
    """

    async def guarded() -> T:
        task = asyncio.ensure_future(work)
        while not task.done() and not is_interrupted():
            await asyncio.wait({task}, timeout=SAME_REQUEST_S)
        if not task.done():
            task.cancel()
        return await task

    with deferred_interrupts() as is_interrupted:
        try:
            found = asyncio.run(guarded())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None
        if is_interrupted():
            raise KeyboardInterrupt
    return found


def ignore_terminal_output_stop() -> None:
    """Let a background job write to a terminal that has ``stty tostop``, instead of being stopped for it."""
    if hasattr(signal, "SIGTTOU"):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
