"""What the official recorder is to record, and how often it says that media arrive. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from videodb_cli.capture.channels import Channel
from videodb_cli.rundir.capture_state import STALLED_AFTER_S, ChannelState

# It is not stalled before it has been silent for so many of its pauses between two reports; at most, in seconds:
_PAUSES: Final = 3
_LONGEST_S: Final = 60.0


def recording(session_id: str, token: str, channels: Sequence[Channel]) -> dict[str, Any]:
    """Return the parameters of ``startRecording``: those of the Python SDK, and those that only the Node SDK sends."""
    primary = next((channel.id for channel in channels if channel.primary), None)
    return {
        "sessionId": session_id,
        "uploadToken": token,
        "channels": [
            {
                "channel_id": channel.id,
                "type": channel.media,
                "name": channel.name,
                "store": channel.store,
                "is_primary": channel.primary,
                "record": True,
                "transcript": False,
            }
            for channel in channels
        ],
        **({} if primary is None else {"primary_video_channel_id": primary}),
    }


def take_progress(health: ChannelState | None, now: float) -> None:
    """Take a report that media of a channel were sent; None is a channel that nobody asked for.

    How often the recorder reports stands in no document, so a channel counts as stalled by the pace of its reports,
    from the second one on. The end of a stall tells nothing of that pace.
    """
    if health is None:
        return
    last, known_s = health.awaited_since, health.stall_after_s
    if last is not None and (known_s is None or now - last < known_s):
        health.stall_after_s = min(max(known_s or STALLED_AFTER_S, _PAUSES * (now - last)), _LONGEST_S)
    health.note_media(now)
