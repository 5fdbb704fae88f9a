"""Records deliveries that a target refused for good, one line of JSON for each event."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import orjson

from videodb_cli.app.forward.forwarder import Delivery, Refused
from videodb_cli.errors import RefusedError
from videodb_cli.eventlog.write.stamps import iso_from_ms
from videodb_cli.rundir import private


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A private file of refused events. ``target`` is what it says of the receiver: no path, which may be a secret."""

    path: Path
    target: str

    def add(self, delivery: Delivery, refused: Refused) -> None:
        """Appends whole lines, or nothing.

        Raises:
            RefusedError: The file cannot be written. The event is not passed over: the next run begins with it.
        """
        record = {
            "at": iso_from_ms(int(time.time() * 1000)),
            "target": self.target,
            "status": refused.status,
            "why": refused.why,
            "webhook_id": delivery.webhook_id,
            "idempotency_key": delivery.key,
        }
        lines = [orjson.dumps({**record, "event": orjson.Fragment(line)}) + b"\n" for line in delivery.lines]
        try:
            _append(self.path, b"".join(lines))
        except OSError as error:
            raise RefusedError(f"cannot write {self.path}: {error.strerror}", code="file") from error


def _append(path: Path, content: bytes) -> None:
    fd = private.open_fd(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
    try:
        size = os.fstat(fd).st_size
        # A process that was killed may have left a line without its end.
        if size and os.pread(fd, 1, size - 1) != b"\n":
            content = b"\n" + content
        left = memoryview(content)
        try:
            while left:
                left = left[os.write(fd, left) :]
        except OSError:
            os.ftruncate(fd, size)
            raise
    finally:
        os.close(fd)
