"""Lines out of a stream of bytes, with a limit. No I/O here."""

from __future__ import annotations

from collections.abc import Iterator


class LineSplitter:
    """Cuts bytes into lines without their newline. A line that is longer than the limit is dropped whole and counted.

    It never holds more than ``limit`` bytes and one chunk.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held = bytearray()
        self._skipping = False
        self.too_long = 0

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the lines that this chunk completes."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            piece = chunk[start:end]
            start = end + 1
            if self._skipping:
                self._skipping = False
            elif len(self._held) + len(piece) > self._limit:
                self.too_long += 1
                self._held.clear()
            else:
                self._held += piece
                line = bytes(self._held)
                self._held.clear()
                yield line
        if self._skipping:
            return
        self._held += chunk[start:]
        if len(self._held) > self._limit:
            self.too_long += 1
            self._skipping = True
            self._held.clear()

    def rest(self) -> bytes | None:
        """Return what stands after the last newline, at the end of the stream; None if nothing does."""
        return bytes(self._held) or None
