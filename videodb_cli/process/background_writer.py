"""Writes lines from a thread, for output that must never stop the work."""

from __future__ import annotations

import os
import threading
from collections import deque

_MAX_WAITING = 8 << 20


class BackgroundWriter:
    """Writes lines to a descriptor in a thread, so that a reader who does not read cannot stop the work.

    While the pipe is full, lines wait, and are dropped once too many wait (`dropped` counts them). A closed pipe ends
    the writing.
    """

    def __init__(self, fd: int, *, capacity: int = 1000) -> None:
        self._fd = fd
        self._capacity = capacity
        self._lines: deque[bytes] = deque()
        self._put_bytes = 0
        self._taken_bytes = 0
        self._wake = threading.Event()
        self._closing = False
        self.dropped = 0
        self.is_broken = False
        self._thread = threading.Thread(target=self._run, name=f"writer-{fd}", daemon=True)
        self._thread.start()

    def put(self, line: bytes) -> None:
        """Queue one line, newline included; never waits."""
        waiting = self._put_bytes - self._taken_bytes
        if self.is_broken or len(self._lines) >= self._capacity or (waiting and waiting + len(line) > _MAX_WAITING):
            self.dropped += 1
            return
        self._put_bytes += len(line)
        self._lines.append(line)
        if not self._wake.is_set():
            self._wake.set()

    def close(self, timeout_s: float = 0.5) -> None:
        """Write what is queued, for at most this long; what the reader does not take by then is dropped."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            if not self._lines:
                if self._closing:
                    return
                self._wake.clear()
                if not self._lines and not self._closing:
                    self._wake.wait()
                continue
            batch = b"".join([self._lines.popleft() for _ in range(min(len(self._lines), 100))])
            try:
                self._write(memoryview(batch))
            except OSError:
                self.is_broken = True
                return
            self._taken_bytes += len(batch)

    def _write(self, batch: memoryview) -> None:
        import select

        while batch:
            try:
                batch = batch[os.write(self._fd, batch) :]
            except BlockingIOError:
                # Another process that has this pipe or terminal open has made it non-blocking.
                select.select([], [self._fd], [], 1.0)
