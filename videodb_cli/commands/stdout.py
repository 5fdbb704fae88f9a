"""Leads standard output elsewhere for a while, and brings it back with nothing left in its buffer."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from videodb_cli import console
from videodb_cli.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def led_to(fd: int) -> Iterator[None]:
    """Let stdout be another descriptor within the block.

    What cannot be written at the end of the block is lost, and raises OutputError if nothing else was raised.
    """
    console.flush()
    # Most is written to sys.stdout, and some to descriptor 1; where Python is embedded they are not the same.
    before = {number: os.dup(number) for number in {1, sys.stdout.fileno()}}
    for number in before:
        os.dup2(fd, number)
    try:
        yield
        console.flush()
    finally:
        # What is still in the buffer must not appear where stdout leads to afterwards.
        with contextlib.suppress(OSError, OutputError), Path(os.devnull).open("wb") as nowhere:
            for number in before:
                os.dup2(nowhere.fileno(), number)
            console.flush()
        for number, kept in before.items():
            os.dup2(kept, number)
            os.close(kept)
