"""A progress bar for the indexing of a log."""

from __future__ import annotations

import sys
import time
from typing import Self

from videodb_cli import console
from videodb_cli.commands.live import LiveRows

_BAR_WIDTH = 24
_BAR_AFTER_S = 0.4


class ProgressBar:
    """A progress bar on stderr, shown on a terminal if indexing takes a while."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._live = LiveRows(sys.stderr)

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int) -> None:
        """Draw the bar for ``done`` of ``total`` bytes."""
        if not self._live.is_possible or time.monotonic() - self._begin < _BAR_AFTER_S or not total:
            return
        room = min(console.terminal_size(sys.stderr).columns - len("indexing  100 %") - 1, _BAR_WIDTH)
        filled = room * done // total
        self._live.show([f"indexing {'━' * filled}{' ' * (room - filled)} {100 * done // total:3d} %"])

    def __exit__(self, *_: object) -> None:
        self._live.close()
