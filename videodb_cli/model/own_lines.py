"""The names of the lines that we write into the log ourselves, on the channel `event.OWN_CHANNEL`."""

from __future__ import annotations

from typing import Final

CONNECTED: Final = "listener.connected"
DISCONNECTED: Final = "listener.disconnected"
GAP: Final = "listener.gap"
RECOVERED: Final = "listener.recovered"
LATE: Final = "listener.late"
CLOCK: Final = "listener.clock"
STOPPED: Final = "listener.stopped"
CAPTURE_FAILED: Final = "capture.failed"
CAPTURE_STALLED: Final = "capture.stalled"
CAPTURE_RESUMED: Final = "capture.resumed"
LOG_ROTATED: Final = "log.rotated"
LOG_TORN: Final = "log.torn"
