"""Channels of a capture that bring no media although they should. Pure: states of the capture in, stalls out.

Everything is counted in uptime seconds, because the wall clock may be set while a channel is silent.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from videodb_cli.process.clock import boot_id
from videodb_cli.rundir.capture_state import STALLED_AFTER_S, CaptureState, ChannelState

# Times in the state file are rounded.
_ROUNDED_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Stall:
    """A channel without media: since ``began``, for ``seconds`` by now. ``ended`` is set when media came again.

    ``began`` and ``ended`` are uptime seconds; ``media_word`` is ``frame`` or ``sound``.
    """

    session_id: str
    channel_id: str
    media_word: str
    began: float
    seconds: float
    reason: str | None = None
    ended: float | None = None


class StallWatch:
    """Compares each state of a capture with the one before it."""

    def __init__(self) -> None:
        self._capture: tuple[str, float | None] | None = None
        # By channel, in uptime seconds: since when it is stalled, and since when its next media are awaited.
        self._stalled: dict[str, float] = {}
        self._awaited: dict[str, float] = {}

    def take(self, state: CaptureState, now: float) -> list[Stall]:
        """Return the stalls that begin or end with this state. ``now`` is in uptime seconds.

        A state says how it was when it was written. Of a process that has not written any for as long as a stall
        lasts, nobody knows that media come: it counts as it is now.
        """
        written, uptime = state.written_at, state.uptime_s
        if state.status != "active" or written is None or uptime is None or state.boot_id != boot_id():
            return []
        if self._capture != (state.session_id, state.pid):
            self._capture = state.session_id, state.pid
            self._stalled.clear()
            self._awaited.clear()
        silent_s = now - uptime
        is_mute = silent_s >= STALLED_AFTER_S
        at = now if is_mute else uptime
        why = f"the process that captures has said nothing for {silent_s:.0f} s" if is_mute else None
        ahead_s = written - uptime
        found: list[Stall] = []
        for channel in state.channels:
            if channel.last_media_at is not None:
                found += self._over(state.session_id, channel, ahead_s)
                if channel.is_stalled(at + ahead_s) and channel.channel_id not in self._stalled:
                    began = self._awaited[channel.channel_id]
                    self._stalled[channel.channel_id] = began
                    reason = why or channel.reason
                    found.append(_stall(state.session_id, channel, began, at - began, reason))
        return found

    def _over(self, session_id: str, channel: ChannelState, ahead_s: float) -> list[Stall]:
        """Return what ended since the last state; also a stall that had begun since, with its beginning."""
        name = channel.channel_id
        awaited = (channel.awaited_since or 0.0) - ahead_s
        last, since = (channel.last_media_at or 0.0) - ahead_s, (channel.media_since or 0.0) - ahead_s
        before = self._awaited.get(name)
        self._awaited[name] = awaited
        began = self._stalled.get(name)
        if began is not None:
            if last <= began + _ROUNDED_S:
                return []
            del self._stalled[name]
            ended = since if since > began + _ROUNDED_S else last
            return [_stall(session_id, channel, began, ended - began, None, ended)]
        if before is None or since <= before + _ROUNDED_S:
            return []
        # It began and ended between two looks: the machine slept, or this process did.
        paused_until = (channel.paused_until or 0.0) - ahead_s
        began = max(before, paused_until) if paused_until < since else before
        return [
            _stall(session_id, channel, began, since - began),
            _stall(session_id, channel, began, since - began, None, since),
        ]


def _stall(
    session_id: str,
    channel: ChannelState,
    began: float,
    seconds: float,
    reason: str | None = None,
    ended: float | None = None,
) -> Stall:
    return Stall(session_id, channel.channel_id, channel.media_word, began, seconds, reason, ended)
