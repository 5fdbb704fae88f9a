"""Installs the speech model with a progress bar on a terminal, and offers to do so."""

from __future__ import annotations

import contextlib
import sys
import time

from videodb_cli import console
from videodb_cli.commands.live import LiveRows

_MB = 1e6
_WIDEST_BAR = 30
_ROOM_FOR_WORDS = 46


def install_model() -> None:
    """Install the speech model. On a terminal stderr has a progress bar; otherwise a line at the start and the end."""
    from videodb_cli.local import models

    bar = DownloadBar(models.DOWNLOAD_MB * _MB)
    try:
        with contextlib.closing(models.install(progress=bar.draw if bar.is_possible else None)) as sentences:
            for sentence in sentences:
                bar.erase()
                console.talk(sentence)
    finally:
        bar.close()


def offers_model(question: str) -> bool:
    """Ask on stderr whether to download the speech model; False without a terminal, and for every answer but yes."""
    from videodb_cli.local import models

    if sys.stdin is None or not sys.stdin.isatty() or not sys.stderr.isatty():
        return False
    sys.stderr.write(f"{question} Download it now ({models.DOWNLOAD_MB} MB)? [y/N] ")
    sys.stderr.flush()
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        sys.stderr.write("\n")
    return answer.strip().lower() in {"y", "yes"}


class DownloadBar:
    """A progress bar on stderr with speed and time left. Nothing is drawn if stderr is not a terminal."""

    def __init__(self, total: float) -> None:
        self._total = total
        self._began: float | None = None
        self._rows = LiveRows(sys.stderr)

    @property
    def is_possible(self) -> bool:
        """Whether stderr is a terminal that can show it."""
        return self._rows.is_possible

    def draw(self, done: int) -> None:
        """Show that so many bytes have arrived."""
        now = time.monotonic()
        if self._began is None:
            self._began = now
        width = console.terminal_size(sys.stderr).columns - 1
        self._rows.show([bar_line(done, self._total, now - self._began, width)])

    def erase(self) -> None:
        """Remove the bar, to show something else."""
        self._rows.show([])

    def close(self) -> None:
        """Remove the bar for good."""
        self._rows.close()


def bar_line(done: float, total: float, elapsed_s: float, width: int) -> str:
    """Return one row: bar, megabytes, speed and time left, cut to a width."""
    share = min(done / total, 1.0)
    said = f"{min(done, total) / _MB:.0f} of {total / _MB:.0f} MB"
    if elapsed_s > 0 and done > 0:
        speed = done / elapsed_s
        minutes, seconds = divmod(round(max(total - done, 0) / speed), 60)
        said += f" · {speed / _MB:.1f} MB/s · {minutes}:{seconds:02d} left"
    cells = min(_WIDEST_BAR, width - _ROOM_FOR_WORDS)
    if cells < 5:
        return said[:width]
    filled = round(share * cells)
    return f"  {'━' * filled}{'─' * (cells - filled)} {said}"[:width]
