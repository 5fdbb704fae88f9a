"""What ffmpeg's last words mean. By text: its exit statuses differ between versions."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

# Pattern, our code, our sentence, and whether trying again is pointless.
_MEANINGS: Final = (
    (r"cannot open display|Could not open X", "display_gone", "the X server cannot be reached", False),
    (r"certificate verify failed|self.signed", "certificate", "the service's TLS certificate is not trusted", True),
    (r"40[13] |ANNOUNCE failed: 40[13]", "publish_refused", "the service refuses the channel (403)", False),
    (r"method ANNOUNCE failed: 4|404 ", "publish_refused", "the service does not expect this channel", False),
    (r"Connection refused", "publish_unreachable", "the service's media port refuses the connection", False),
    (r"Connection timed out|No route to host|Network is unreachable", "publish_unreachable",
     "the service's media port cannot be reached", False),
    (r"Broken pipe|Connection reset", "publish_lost", "the service closed the connection", False),
    (r"Failed to resolve hostname", "publish_unreachable", "the name of the service's media port is not known", False),
    (r"No such process|No such entity|Error opening input.*Input/output error", "source_gone",
     "the source is gone", False),
    (r"Unknown encoder|Unrecognized option|Option not found|No such filter|Unknown input format", "ffmpeg_too_old",
     "this ffmpeg lacks what is needed (pip install 'videodb-cli[capture]')", True),
    (r"Invalid data found", "bad_media", "the source makes no sense to ffmpeg", True),
    (r"No space left", "disk_full", "the disk is full", False),
)  # fmt: skip
_URL = re.compile(r"rtsps?://[^\s'\"]+", re.IGNORECASE)


def without_urls(line: str) -> str:
    """Return a line of ffmpeg's with publish URLs taken out: they are secrets, and lines go to a log."""
    return _URL.sub("rtsp://…", line)


def meaning_of(lines: Iterable[str], exit_status: int | None) -> tuple[str, str, bool]:
    """Return code, sentence, and whether it is final, of a publisher that ended."""
    said = [without_urls(line) for line in lines]
    text = "\n".join(said)
    for pattern, code, sentence, final in _MEANINGS:
        if re.search(pattern, text, re.IGNORECASE):
            return code, sentence, final
    if exit_status is not None and exit_status < 0:
        return "publisher_killed", f"ffmpeg was killed by signal {-exit_status}", False
    last = said[-1][:200] if said else "it said nothing"
    return "publisher_ended", f"ffmpeg ended with status {exit_status} ({last})", False
