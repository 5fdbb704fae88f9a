"""Child processes of the server: the `videodb` commands that a tool stands for, and readers of the log.

A child has no part in the server's standard streams, because stdout of the server belongs to the protocol. It is ended
when it takes too long, answers too much, or nobody waits for its answer any more.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import RefusedError, TimedOutError, VideodbError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHUNK = 1 << 16
_MOST_OUTPUT = 32 << 20
_KEPT_STDERR = 4096
# A command that is told to end still ends what it has begun: a session of a capture.
_END_S = 15.0


class ToolError(Exception):
    """What a tool tells instead of an answer: a code, a sentence, and what to call next."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    @classmethod
    def of(cls, error: VideodbError) -> ToolError:
        """Return what a tool tells of an error."""
        return cls(error.code, error.message, error.hint)


@dataclass(frozen=True, slots=True)
class ChildEnd:
    """How a child ended: its exit status, what it printed, and the end of what it said on stderr."""

    status: int
    output: bytes
    said: str

    def answer(self) -> dict[str, Any]:
        """Return the JSON object that it printed. Raises ToolError for an error, and for anything else."""
        try:
            found = json.loads(self.output)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            how = f"signal {-self.status}" if self.status < 0 else f"status {self.status}"
            last = self.said.strip().splitlines()[-1:] or ["it said nothing"]
            raise ToolError("no_answer", f"the command ended with {how}: {last[0][:300]}", "ask for less, or try again")
        if isinstance(error := found.get("error"), dict) and "code" in error:
            raise ToolError(str(error["code"]), str(error.get("message")), error.get("hint"))
        return found


async def command(arguments: Sequence[str], *, timeout_s: float) -> ChildEnd:
    """Run a `videodb` command. Raises ToolError if it takes too long or prints too much."""
    return await _run(["-m", "videodb_cli", *arguments], b"", timeout_s=timeout_s, patience_s=_END_S)


async def reader(request: dict[str, Any], *, timeout_s: float) -> dict[str, Any]:
    """Ask a reader of the log (`worker`). Raises ToolError."""
    asked = json.dumps({**request, "server_pid": os.getpid()}).encode()
    ended = await _run(["-m", "videodb_cli.mcp.worker"], asked, timeout_s=timeout_s, patience_s=0)
    return ended.answer()


async def _run(arguments: Sequence[str], request: bytes, *, timeout_s: float, patience_s: float) -> ChildEnd:
    # -P: the working directory must not be a place to import from.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-P", *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(timeout_s):
            _, output, said = await asyncio.gather(
                _fed(process, request), _read(process.stdout, _MOST_OUTPUT), _last(process.stderr)
            )
            status = await process.wait()
    except TimeoutError:
        raise ToolError.of(
            TimedOutError(f"no answer within {timeout_s:g} s", hint="narrow the selection: since, channel, limit")
        ) from None
    finally:
        await _end(process, patience_s)
    return ChildEnd(status, output, said)


async def _fed(process: asyncio.subprocess.Process, request: bytes) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker: it is a pipe
    with contextlib.suppress(OSError):
        process.stdin.write(request)
        await process.stdin.drain()
    process.stdin.close()


async def _read(stream: asyncio.StreamReader | None, most: int) -> bytes:
    assert stream is not None  # noqa: S101 - for the type checker: it is a pipe
    pieces: list[bytes] = []
    size = 0
    while chunk := await stream.read(_CHUNK):
        pieces.append(chunk)
        size += len(chunk)
        if size > most:
            raise ToolError.of(RefusedError("the answer is too large", code="too_large", hint="ask for fewer: limit"))
    return b"".join(pieces)


async def _last(stream: asyncio.StreamReader | None) -> str:
    assert stream is not None  # noqa: S101 - for the type checker: it is a pipe
    kept = b""
    while chunk := await stream.read(_CHUNK):
        kept = (kept + chunk)[-_KEPT_STDERR:]
    return kept.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process, patience_s: float) -> None:
    """End a child that still runs, and reap it, also when the call was cancelled."""
    if process.returncode is not None:
        return
    waiting = asyncio.ensure_future(process.wait())
    if patience_s:
        _signal(process, signal.SIGTERM)
        await _shielded(waiting, patience_s)
    if process.returncode is None:
        _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))
        await _shielded(waiting, _END_S)


async def _shielded(waiting: asyncio.Future[int], seconds: float) -> None:
    import anyio

    with anyio.move_on_after(seconds, shield=True):
        await asyncio.shield(waiting)


def _signal(process: asyncio.subprocess.Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
