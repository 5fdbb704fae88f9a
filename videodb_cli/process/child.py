"""A foreign program as our child: own process group, bounded lines, a stop ladder with deadlines, always reaped.

It inherits no key. The last lines of its stderr are kept, because they explain a failure. All lines are passed on at a
bounded rate, so that a program that prints too much fills neither our memory nor our log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath
from typing import Any

from videodb_cli import diagnostics
from videodb_cli.errors import MissingDependencyError
from videodb_cli.process.environment import tool_environment
from videodb_cli.process.lines import LineSplitter
from videodb_cli.process.orphan_guard import OrphanGuard
from videodb_cli.process.start_token import start_token

_CHUNK = 1 << 16
_STDERR_LINE = 4096
_KEPT_LINES = 20
_LINES_PER_WINDOW = 50
_WINDOW_S = 10.0
_PR_SET_PDEATHSIG = 1
_log = diagnostics.Logger("videodb_cli.process")


@dataclass(frozen=True, slots=True)
class Ladder:
    """Seconds that each step of stopping a program may take; 0 leaves the step out. SIGKILL always comes last."""

    ask_s: float = 3.0
    interrupt_s: float = 2.0
    terminate_s: float = 2.0


@cache
def _parent_death_call() -> Callable[[], None] | None:
    """Return a function for the child to call before exec, so that Linux kills it when we end; None elsewhere.

    Without it a ``kill -9`` of the background process would leave ffmpeg capturing for ever. Elsewhere an `OrphanGuard`
    does it.
    """
    if sys.platform != "linux":
        return None
    import ctypes

    try:
        prctl = ctypes.CDLL(None, use_errno=True).prctl
    except (OSError, AttributeError):
        return None

    def call() -> None:
        prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)

    return call


@cache
def _orphan_guard() -> OrphanGuard:
    """Return the guard that kills our children when we were killed, where the kernel does not (macOS)."""
    return OrphanGuard()


def _has_groups() -> bool:
    return hasattr(os, "killpg")


class Child:
    """One running program. Make it with `spawn`; end it with `stop`."""

    def __init__(self, process: asyncio.subprocess.Process, on_error_line: Callable[[str], None] | None) -> None:
        self._process = process
        self._on_error_line = on_error_line
        self.start_token = start_token(process.pid)
        self.last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._guarded: asyncio.Task[int] | None = None
        self._stderr_done = asyncio.create_task(self._read_stderr(), name=f"stderr of {process.pid}")

    @classmethod
    async def spawn(
        cls,
        arguments: Sequence[str],
        *,
        stdout: int | None = None,
        on_error_line: Callable[[str], None] | None = None,
        dies_with_us: bool = True,
    ) -> Child:
        """Start a program. ``stdout`` is a descriptor to write to; None means a pipe for `read`.

        ``dies_with_us`` false is for a program that ends itself when its stdin closes. Raises MissingDependencyError
        if the program cannot be run.
        """
        extra: dict[str, Any] = {}
        call = _parent_death_call() if dies_with_us else None
        if call is not None:
            extra["preexec_fn"] = call
        try:
            process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE if stdout is None else stdout,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,
                env=tool_environment(),
                **extra,
            )
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            raise MissingDependencyError(f"{arguments[0]} does not run: {why}", code="cannot_run") from error
        # Not its arguments: ffmpeg's hold the addresses to publish to.
        _log.debug("%s started as pid %d", PurePath(arguments[0]).name, process.pid)
        child = cls(process, on_error_line)
        if dies_with_us and call is None and _has_groups():
            child._guard(_orphan_guard())
        return child

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its process group."""
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Its exit status, negative for a signal; None while it runs."""
        return self._process.returncode

    async def read(self) -> bytes:
        """Return the next bytes of its stdout; empty at the end."""
        if self._process.stdout is None:
            return b""
        return await self._process.stdout.read(_CHUNK)

    async def write(self, content: bytes, timeout_s: float = 5.0) -> bool:
        """Write to its stdin. Returns False if it does not take it: ended, closed, or not reading."""
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing() or self.exit_status is not None:
            return False
        try:
            stdin.write(content)
            async with asyncio.timeout(timeout_s):
                await stdin.drain()
        except (OSError, TimeoutError, RuntimeError):
            return False
        return True

    def close_stdin(self) -> None:
        """Close its stdin, which tells a program that reads it to end."""
        if self._process.stdin is not None:
            with contextlib.suppress(OSError, RuntimeError):
                self._process.stdin.close()

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it has ended and was reaped. Returns False if that did not happen in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._process.wait()
                # The pipe may be held open by a grandchild: its last words are waited for, but not for ever.
                await asyncio.wait({self._stderr_done}, timeout=0.5)
        except TimeoutError:
            return False
        return True

    async def stop(self, ask: Callable[[], Awaitable[object]] | None = None, ladder: Ladder | None = None) -> int:
        """End it: ask, interrupt, terminate, kill, each with its deadline; then reap. Returns the exit status."""
        steps = ladder or Ladder()
        was_running = self.exit_status is None
        try:
            if self.exit_status is None and ask is not None and steps.ask_s > 0:
                await ask()
                await self.wait(steps.ask_s)
            for number, seconds in ((signal.SIGINT, steps.interrupt_s), (signal.SIGTERM, steps.terminate_s)):
                if self.exit_status is None and seconds > 0:
                    self._signal(number)
                    await self.wait(seconds)
        finally:
            # Even if the steps are interrupted, no process of the group is left. But the group id of a program that
            # ended before may belong to somebody else by now.
            if was_running:
                self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))
            self.close_stdin()
        await self.wait()
        self._stderr_done.cancel()
        return self.exit_status or 0

    def _guard(self, guard: OrphanGuard) -> None:
        """Let the guard kill the program when we were killed, as long as it runs."""
        guard.guard(self.pid)
        ended = asyncio.create_task(self._process.wait(), name=f"end of {self.pid}")
        ended.add_done_callback(lambda _: guard.relieve(self.pid))
        self._guarded = ended

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _read_stderr(self) -> None:
        stream = self._process.stderr
        if stream is None:
            return
        splitter = LineSplitter(_STDERR_LINE)
        window_began, said = time.monotonic(), 0
        while chunk := await stream.read(_CHUNK):
            for raw in splitter.feed(chunk):
                line = raw.decode("utf-8", "replace").strip()
                if not line:
                    continue
                self.last_lines.append(line)
                if time.monotonic() - window_began > _WINDOW_S:
                    window_began, said = time.monotonic(), 0
                said += 1
                if self._on_error_line is not None and said <= _LINES_PER_WINDOW:
                    self._on_error_line(line)
        rest = splitter.rest()
        if rest is not None:
            self.last_lines.append(rest.decode("utf-8", "replace").strip())
