"""The transport over standard input and output: one JSON message a line, and nothing else on stdout.

The official transport reads lines of any length, and reads on while its client does not. Here a line that is longer
than the limit is taken for a message that is not JSON, and a client that does not read its answers is not read either.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import anyio
    from mcp.server import Server

MOST_LINE = 4 << 20
_MOST_AHEAD = 64
_TOO_LONG = "(longer than the server reads)\n"


class Output:
    """Writes messages to a descriptor, in a thread, and lets others wait until nothing is being written."""

    def __init__(self, fd: int) -> None:
        self._file = os.fdopen(fd, "wb", closefd=False)
        self._idle: anyio.Event | None = None

    @property
    def is_writing(self) -> bool:
        """Whether a message is being written: for long, if the client does not read."""
        return self._idle is not None

    async def write(self, text: str) -> None:
        """Write one message."""
        import anyio

        self._idle = idle = anyio.Event()
        try:
            await anyio.to_thread.run_sync(self._write, text.encode(errors="replace"))
        finally:
            self._idle = None
            idle.set()

    def _write(self, message: bytes) -> None:
        self._file.write(message)
        self._file.flush()

    async def flush(self) -> None:
        """Do nothing: each message is flushed."""

    async def wait_idle(self) -> None:
        """Wait until the message that is being written is out."""
        if self._idle is not None:
            await self._idle.wait()


class Lines:
    """The lines of a descriptor, each at most so long. A thread reads them.

    While the output is stuck only a few more are read, so that their answers do not pile up.
    """

    def __init__(self, fd: int, output: Output, most: int = MOST_LINE) -> None:
        self._file = os.fdopen(fd, "rb", closefd=False)
        self._output = output
        self._most = most

    def read(self) -> str:
        """Return the next line; one that is too long is read to its end and not kept. Empty at the end."""
        line = self._file.readline(self._most)
        if len(line) < self._most or line.endswith(b"\n"):
            return line.decode(errors="replace")
        while (rest := self._file.readline(1 << 16)) and not rest.endswith(b"\n"):
            pass
        return _TOO_LONG

    async def __aiter__(self) -> AsyncIterator[str]:
        """Yield the lines."""
        import anyio

        ahead = 0
        while line := await anyio.to_thread.run_sync(self.read, abandon_on_cancel=True):
            ahead = ahead + 1 if self._output.is_writing else 0
            if ahead > _MOST_AHEAD:
                await self._output.wait_idle()
            if line.strip():
                yield line


def serve(server: Server[Any]) -> None:
    """Serve one client until it closes its end."""
    import anyio

    anyio.run(_serve, server)


async def _serve(server: Server[Any]) -> None:
    from mcp.server.stdio import stdio_server

    output: Any = Output(_own(1, 2))
    nothing = os.open(os.devnull, os.O_RDONLY)
    lines: Any = Lines(_own(0, nothing), output)
    os.close(nothing)
    async with stdio_server(stdin=lines, stdout=output) as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())


def _own(number: int, instead: int) -> int:
    """Return a descriptor for a standard stream that no child inherits; its number leads elsewhere from now on.

    What is printed by mistake goes to stderr so, and not between two messages.
    """
    own = os.dup(number)
    os.dup2(instead, number)
    return own
