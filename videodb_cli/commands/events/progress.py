"""A progress bar for the indexing of a log."""

from __future__ import annotations

import sys
import time
from typing import Self

from videodb_cli import console

_BAR_WIDTH = 24
_BAR_AFTER_S = 0.4


class ProgressBar:
    """A progress bar on stderr, shown when indexing takes a while and somebody looks."""

    def __init__(self) -> None:
        self._begin = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def show(self, done: int, total: int) -> None:
        """Draw it."""
        if not sys.stderr.isatty() or time.monotonic() - self._begin < _BAR_AFTER_S or not total:
            return
        filled = _BAR_WIDTH * done // total
        console.redraw(f"indexing {'━' * filled}{' ' * (_BAR_WIDTH - filled)} {100 * done // total:3d} %")
        self._drawn = True

    def __exit__(self, *_: object) -> None:
        if self._drawn:
            console.redraw("")
