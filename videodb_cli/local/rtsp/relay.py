"""Channels between one publisher and its readers, who stay when the publisher is lost and comes back. No I/O."""

from __future__ import annotations

import secrets
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from videodb_cli.local.rtsp.sdp import Media

MAX_BACKLOG_BYTES: Final = 16 * 1024 * 1024
BACKLOG_AFTER_READER_S: Final = 10.0  # a reader that must look twice finds the beginning again
_RTCP_SENDER_REPORT: Final = 200


class Reader(Protocol):
    """Somebody who plays a channel."""

    def send(self, packets: list[tuple[int, bool, bytes]]) -> None:
        """Take packets: (track, whether it is RTCP, bytes). Never waits."""
        ...

    def end(self) -> None:
        """The channel is over."""
        ...


@dataclass(slots=True)
class _Splice:
    """Shifts the numbers and stamps of one track so that a publisher that came back goes on where the first ended."""

    clock_rate: int
    sequence_shift: int = 0
    stamp_shift: int = 0
    first_stamp: int | None = None
    last_stamp: int = 0
    last_sequence: int = 0
    joined: bool = False  # whether the present publisher has sent anything on this track

    def rtp(self, packet: bytes, since_first_s: float) -> bytes:
        sequence, stamp = struct.unpack_from("!HI", packet, 2)
        if self.first_stamp is None:
            self.first_stamp = stamp
            self.joined = True
        elif not self.joined:
            self.joined = True
            wanted = self.first_stamp + round(since_first_s * self.clock_rate)
            behind = (wanted - self.last_stamp) & 0xFFFFFFFF
            if behind == 0 or behind >= 0x80000000:  # never backwards, however the clock of this machine was set
                wanted = self.last_stamp + self.clock_rate // 50
            self.stamp_shift = (wanted - stamp) & 0xFFFFFFFF
            self.sequence_shift = (self.last_sequence + 1 - sequence) & 0xFFFF
        self.last_sequence = (sequence + self.sequence_shift) & 0xFFFF
        self.last_stamp = (stamp + self.stamp_shift) & 0xFFFFFFFF
        if not self.stamp_shift and not self.sequence_shift:
            return packet
        return packet[:2] + struct.pack("!HI", self.last_sequence, self.last_stamp) + packet[8:]

    def rtcp(self, packet: bytes) -> bytes:
        if not self.stamp_shift or packet[1] != _RTCP_SENDER_REPORT or len(packet) < 20:
            return packet
        (stamp,) = struct.unpack_from("!I", packet, 16)
        return packet[:16] + struct.pack("!I", (stamp + self.stamp_shift) & 0xFFFFFFFF) + packet[20:]


class RelayChannel:
    """One place to publish to, known by its unguessable ``token``.

    ``wants`` is the kind of track that must be announced. ``on_record`` is called when a publisher begins to send (each
    time), ``on_lost`` when it is gone. Times are unix seconds.
    """

    def __init__(
        self,
        token: str,
        wants: str,
        *,
        clock: Callable[[], float],
        on_record: Callable[[RelayChannel], None],
        on_lost: Callable[[RelayChannel], None],
    ) -> None:
        self.token = token
        self.wants = wants
        self.tracks: tuple[Media, ...] = ()
        self.publisher: object | None = None
        self.recording = False
        self.recorded_at: float | None = None  # when the first publisher began
        self.bytes = 0
        self.packets = 0
        self.publishers = 0
        self.closed = False
        self._clock = clock
        self._on_record = on_record
        self._on_lost = on_lost
        self._record_at = 0.0
        self._splices: list[_Splice] = []
        self._readers: list[Reader] = []
        self._backlog: list[tuple[int, bool, bytes]] | None = []
        self._backlog_bytes = 0
        self._first_reader_at: float | None = None
        self._pending: list[tuple[int, bool, bytes]] = []
        self._waiting: list[Callable[[], None]] = []

    def announce(self, publisher: object, tracks: tuple[Media, ...]) -> str | None:
        """Let ``publisher`` have the channel; else the reason why not."""
        if self.closed:
            return "the channel is closed"
        if self.publisher is not None:
            return "somebody publishes here already"
        if not any(track.kind == self.wants for track in tracks):
            return f"this channel takes {self.wants}"
        if self.tracks and [track.format for track in tracks] != [track.format for track in self.tracks]:
            return "a publisher that comes back must announce the same formats"
        if not self._splices:
            self._splices = [_Splice(track.clock_rate) for track in tracks]
        self.tracks = tracks
        self.publisher = publisher
        return None

    def record(self) -> None:
        """The publisher begins to send."""
        self.recording = True
        self.publishers += 1
        self._record_at = self._clock()
        if self.recorded_at is None:
            self.recorded_at = self._record_at
        for splice in self._splices:
            splice.joined = False
        waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()
        self._on_record(self)

    def take(self, track: int, is_rtcp: bool, packet: bytes) -> None:
        """One packet of the publisher. Readers get it with the next `flush`. Malformed and late ones are dropped."""
        if self.closed:
            return
        self.bytes += len(packet)
        self.packets += 1
        splice = self._splices[track]
        if is_rtcp:
            if len(packet) < 8 or packet[0] >> 6 != 2:
                return
            packet = splice.rtcp(packet)
        else:
            if len(packet) < 12 or packet[0] >> 6 != 2:
                return
            packet = splice.rtp(packet, self._record_at - (self.recorded_at or self._record_at))
        self._pending.append((track, is_rtcp, packet))

    def flush(self) -> None:
        """Hand what was taken to the readers, and keep it for early ones that have not come yet."""
        pending, self._pending = self._pending, []
        if not pending:
            return
        if self._backlog is not None:
            self._keep(self._backlog, pending)
        for reader in tuple(self._readers):
            reader.send(pending)

    def _keep(self, backlog: list[tuple[int, bool, bytes]], pending: list[tuple[int, bool, bytes]]) -> None:
        if self._first_reader_at is not None and self._clock() - self._first_reader_at > BACKLOG_AFTER_READER_S:
            self._backlog = None
            return
        backlog += pending
        self._backlog_bytes += sum(len(packet) for _, _, packet in pending)
        while self._backlog_bytes > MAX_BACKLOG_BYTES:
            # Rare: nobody reads. Half is dropped at once, since the list must not be moved for each packet.
            del backlog[: max(1, len(backlog) // 2)]
            self._backlog_bytes = sum(len(packet) for _, _, packet in backlog)

    def lose(self, publisher: object) -> None:
        """``publisher`` has gone: the channel is free for it to come back. Readers stay."""
        if self.publisher is not publisher:
            return
        self.flush()
        self.publisher = None
        was_recording, self.recording = self.recording, False
        if was_recording and not self.closed:
            self._on_lost(self)

    def when_recorded(self, wake: Callable[[], None]) -> bool:
        """Whether there is something to describe; if not yet, ``wake`` is called once there is, or the channel ends."""
        if self.recorded_at is not None:
            return True
        self._waiting.append(wake)
        return False

    def add_reader(self, reader: Reader) -> None:
        """``reader`` gets everything from now on; early ones also what came before, with the first key frame."""
        self._readers.append(reader)
        if self._first_reader_at is None:
            self._first_reader_at = self._clock()
        if self._backlog:
            reader.send(self._backlog)

    def remove_reader(self, reader: Reader) -> None:
        """``reader`` has gone."""
        if reader in self._readers:
            self._readers.remove(reader)

    @property
    def readers(self) -> int:
        """How many play this channel."""
        return len(self._readers)

    def close(self) -> None:
        """End it: readers get what is left and then the end, whoever waits is woken.

        A publisher stays connected for a moment, so that it can end in order; what it sends is dropped.
        """
        if self.closed:
            return
        self.flush()
        self.closed = True
        readers, self._readers = self._readers, []
        waiting, self._waiting = self._waiting, []
        self._backlog = None
        for reader in readers:
            reader.end()
        for wake in waiting:
            wake()


class Relay:
    """All channels by token. ``clock`` gives unix seconds."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._channels: dict[str, RelayChannel] = {}

    def expect(
        self, wants: str, *, on_record: Callable[[RelayChannel], None], on_lost: Callable[[RelayChannel], None]
    ) -> RelayChannel:
        """A new channel under a token that nobody can guess, for a track of the kind ``wants``."""
        channel = RelayChannel(secrets.token_hex(16), wants, clock=self._clock, on_record=on_record, on_lost=on_lost)
        self._channels[channel.token] = channel
        return channel

    def find(self, token: str) -> RelayChannel | None:
        """The channel of that token."""
        return self._channels.get(token)

    def drop(self, channel: RelayChannel) -> None:
        """Close a channel and forget it: its address is refused from now on."""
        self._channels.pop(channel.token, None)
        channel.close()
