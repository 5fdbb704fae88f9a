"""The process that the official SDK takes for its recorder: commands come on stdin, and end with it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from videodb_cli.app.capture.sdk_recorder import SdkRecorder
from videodb_cli.capture.recorders.ipc_server import Command, CommandReader
from videodb_cli.errors import OutputError

_BLOCK: Final = 64 << 10


async def serve(
    source: Path | None, *, loop: bool, write: Callable[[bytes], None], log: Callable[[str], None], stdin: int = 0
) -> None:
    """Answer commands until `shutdown`, the end of stdin, or a signal; then end what is recorded.

    Args:
        source: A file that is played in place of devices.
        loop: Play it again and again.
        write: Writes a message to stdout at once.
        log: Gets one line for each thing that happens.
        stdin: The file descriptor of the commands.
    """
    commands: asyncio.Queue[Command | None] = asyncio.Queue()
    over = asyncio.Event()
    recorder = SdkRecorder(_ending_instead_of_failing(write, over), log, source=source, loop=loop)
    arguments = (stdin, asyncio.get_running_loop(), commands)
    threading.Thread(target=_read, args=arguments, name="commands", daemon=True).start()
    with _ended_by_signals(over.set):
        answering = asyncio.create_task(_answer(recorder, commands), name="answers")
        ending = asyncio.create_task(over.wait(), name="end")
        try:
            await asyncio.wait({answering, ending}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (answering, ending):
                task.cancel()
            results = await asyncio.gather(answering, ending, return_exceptions=True)
            await recorder.close()
    if isinstance(results[0], Exception):
        raise results[0]


async def _answer(recorder: SdkRecorder, commands: asyncio.Queue[Command | None]) -> None:
    while (command := await commands.get()) is not None:
        await recorder.take(command)
        if command.name == "shutdown":
            return


def _ending_instead_of_failing(write: Callable[[bytes], None], over: asyncio.Event) -> Callable[[bytes], None]:
    """Return ``write``, changed so that a program that is gone ends the recording in order, and not in the middle."""

    def send(message: bytes) -> None:
        try:
            write(message)
        except OutputError:
            over.set()

    return send


def _read(fd: int, loop: asyncio.AbstractEventLoop, commands: asyncio.Queue[Command | None]) -> None:
    reader = CommandReader()
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody waits for commands any more
        while chunk := _block(fd):
            for command in reader.feed(chunk):
                loop.call_soon_threadsafe(commands.put_nowait, command)
        loop.call_soon_threadsafe(commands.put_nowait, None)


def _block(fd: int) -> bytes:
    try:
        return os.read(fd, _BLOCK)
    except OSError:
        return b""


@contextlib.contextmanager
def _ended_by_signals(end: Callable[[], None]) -> Iterator[None]:
    """Within the block, SIGTERM and SIGHUP call ``end``, and SIGINT does nothing.

    Ctrl-C reaches the whole foreground job: the program of the SDK decides what it means, and tells.
    """
    loop = asyncio.get_running_loop()
    actions = {"SIGINT": lambda: None, "SIGTERM": end, "SIGHUP": end}
    numbers = [getattr(signal, name) for name in actions if hasattr(signal, name)]
    for number in numbers:
        loop.add_signal_handler(number, actions[number.name])
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
