"""The truth about a capture: its state file, checked against its lock and its heartbeat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from videodb_cli.capture import info as capture_info
from videodb_cli.process.clock import present
from videodb_cli.rundir.paths import RunDir

# The state file is written every two seconds.
_SILENT_AFTER_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class CaptureStatus:
    """``why`` is set when the process runs and does not keep its state up to date.

    ``now`` is the present by the clock by which the times in ``fields`` were written.
    """

    running: bool
    fields: dict[str, Any]
    now: float
    why: str | None = None


def capture_status(run_dir: RunDir, now: float | None = None) -> CaptureStatus | None:
    """Look at the capture of a directory; None if there never was one. One that died counts as failed."""
    running = capture_info.is_running(run_dir)
    fields = capture_info.read(run_dir) if running else capture_info.mark_crashed(run_dir)
    now = present(fields or {}) if now is None else now
    if not fields:
        return CaptureStatus(True, {"status": "starting"}, now) if running else None
    written = fields.get("written_at")
    if running and isinstance(written, int | float) and now - written > _SILENT_AFTER_S:
        return CaptureStatus(True, fields, now, f"its process has said nothing for {now - written:.0f} s")
    return CaptureStatus(running, fields, now)
