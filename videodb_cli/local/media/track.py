"""A track: one thread that takes packets in order, and what decoding has in common for picture and sound."""

from __future__ import annotations

import logging
import queue
import threading
import time
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import VideodbError
from videodb_cli.local.media.timebase import exact

if TYPE_CHECKING:
    from collections.abc import Callable

    import av

    from videodb_cli.local.media.timebase import Ratio

EARLY_S = 10.0  # what came before an analyser is kept for it this long after the beginning of the stream

log = logging.getLogger(__name__)
_QUEUE_PACKETS = 512


def is_bug(error: Exception) -> bool:
    """Tell whether an error is none that a source, a codec or a disk makes: it keeps its traceback in the log."""
    import av

    return not isinstance(error, av.error.FFmpegError | OSError | ValueError | VideodbError)


@dataclass(frozen=True, slots=True)
class Item:
    """A packet whose stamps count from the beginning of the stream, or the passing of time without one."""

    packet: Any
    second: float
    zero: float  # the unix second of the stream's beginning


class Track(ABC):
    """A worker that takes packets in order. A failure to write is told once to ``on_failure`` and ends the track."""

    def __init__(self, name: str, *, on_failure: Callable[[str], None]) -> None:
        self._queue: queue.Queue[Item | None] = queue.Queue(_QUEUE_PACKETS)
        self._on_failure = on_failure
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._failed = False
        self._zero = 0.0

    def start(self) -> None:
        """Start the worker."""
        self._thread.start()

    def put(self, packet: av.Packet[Any] | None, second: float, zero: float, timeout_s: float) -> bool:
        """Hand over a packet, or None for the passing of time. False if the track is too far behind to take it."""
        try:
            self._queue.put(Item(packet, second, zero), timeout=timeout_s)
        except queue.Full:
            return False
        return True

    def finish(self, timeout_s: float) -> bool:
        """Work off what is queued, flush codecs, end the thread. False if that took longer than ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while self._thread.is_alive():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            try:
                self._queue.put(None, timeout=min(left, 0.1))
            except queue.Full:
                continue
            self._thread.join(max(0.0, deadline - time.monotonic()))
        return True

    def _run(self) -> None:
        while True:
            item = self._queue.get()
            try:
                if item is None:
                    if not self._failed:
                        self._flush()
                    return
                if not self._failed:
                    self._zero = item.zero
                    self._take(item)
            except Exception as error:
                self._failed = True
                if is_bug(error):
                    log.exception("a track was ended by a bug")
                self._on_failure(f"The recording cannot be written: {getattr(error, 'strerror', None) or error}.")
                if item is None:
                    return

    @abstractmethod
    def _take(self, item: Item) -> None: ...

    @abstractmethod
    def _flush(self) -> None: ...


def decoded(packet: av.Packet[Any]) -> list[Any]:
    """The frames of a packet; none if it is damaged, which players forgive too."""
    import av

    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []


def flushed(stream: av.VideoStream | av.AudioStream) -> list[Any]:
    """Return the frames that a decoder still holds at the end of its stream."""
    import av

    try:
        return list(stream.codec_context.decode(None))
    except av.error.FFmpegError:
        return []


def seconds_of(frame: av.VideoFrame | av.AudioFrame, base: Ratio | None, fallback: float) -> float:
    """When a frame is due. Frames that a codec gives up at the end do not know their own time base."""
    pts, known = frame.pts, frame.time_base or base
    return fallback if pts is None or not known else float(pts * exact(known))
