"""One running stream: a source played in real time into files and analysers."""

from __future__ import annotations

import logging
import threading
import time
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import ConflictError, NotFoundError, RefusedError
from videodb_cli.local.analysis.base import StreamState, require_packages
from videodb_cli.local.media.analysers import Analysers
from videodb_cli.local.media.outputs import RECORDING, Outputs
from videodb_cli.local.media.timeline import Placed, Timeline, WallClock, in_order
from videodb_cli.local.media.track import is_bug
from videodb_cli.process.clock import STEP_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import av

    from videodb_cli.local.analysis.base import AnalysisRecord
    from videodb_cli.local.media.audio import AudioTrack
    from videodb_cli.local.media.source import MediaSource
    from videodb_cli.local.media.track import Track
    from videodb_cli.local.media.video import VideoTrack

log = logging.getLogger(__name__)
_STALL_S = 0.5  # a source that is later than this has stalled: the clock is set anew
_EARLY_S = 0.25  # a live source that is earlier than this had a backlog
_TICK_S = 0.5
_FLUSH_AT_END_S = 120.0
_STUCK_S = 1.5
_UNIX_SECONDS = 1e8  # numbers above are unix seconds, below are seconds of the stream


class LiveStream:
    """One running rtstream: a source played in real time into HLS, fragmented MP4 and analysers.

    Its directory holds ``index.m3u8``, its segments and ``stream.mp4``. ``on_record`` and ``on_state`` are called from
    the stream's threads, one at a time for each. States: ``connecting``, ``running``, then ``ended`` or ``failed`` once
    everything that was said and shown has been told and the files are finished. A ``running`` state with an error says
    that a part (an analyser) stopped while the stream goes on. A ``patient`` stream bears a source that is silent for
    longer than ten seconds: somebody else ends it when it is over. With ``keeps_pictures`` records of the picture
    hold it.
    """

    def __init__(
        self,
        url: str,
        directory: Path,
        *,
        on_record: Callable[[AnalysisRecord], None],
        on_state: Callable[[StreamState], None],
        models_dir: Path | None = None,
        patient: bool = False,
        keeps_pictures: bool = False,
    ) -> None:
        self._patient = patient
        self.media_types: tuple[str, ...] = ()
        self._url = url
        self._directory = directory
        self._on_state = on_state
        self._state_lock = threading.Lock()
        self._control = threading.Lock()
        self._stopping = threading.Event()
        self._finishing = threading.Event()
        self._finished = threading.Event()
        self._flush_until = float("inf")
        self._failure: str | None = None
        self._status: str = "new"
        self._clock = WallClock()
        self._newest = float("-inf")  # the furthest second of the stream so far
        # Monotonic seconds of the stream's second 0, and how far the wall clock was ahead at the last move.
        self._zero = self._ahead_s = 0.0
        self._source: MediaSource | None = None
        self._outputs: Outputs | None = None
        self._video: VideoTrack | None = None
        self._audio: AudioTrack | None = None
        self._analysers = Analysers(
            require=self._require,
            on_record=on_record,
            on_error=self._complain,
            models_dir=models_dir,
            keeps_pictures=keeps_pictures,
        )
        self._reader = threading.Thread(target=self._run, name="ingest", daemon=True)

    def start(self) -> None:
        """Open the source and begin to play it. Takes as long as opening does (about 25 s at most for a dead address).

        Raises `NotFoundError` (no such file or address), `RefusedError` (not media, not readable, disk refuses),
        `UnreachableError` (no answer), `UsageError` (an address of an unknown kind) or `MissingDependencyError`.
        """
        require_packages("av", "numpy")
        import av

        from videodb_cli.local.media.source import open_source

        if self._status != "new":
            raise ConflictError("This stream has been started before.", code="stream_started")
        self._tell(StreamState("connecting"))
        try:
            source = open_source(self._url, patient=self._patient)
        except Exception as error:
            self._tell(StreamState("failed", str(error)))
            self._finished.set()
            raise
        try:
            self._open_outputs(source)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            source.container.close()
            reason = getattr(error, "strerror", None) or str(error)
            message = f"The stream cannot be written to {self._directory}: {reason}."
            self._tell(StreamState("failed", message))
            self._finished.set()
            raise RefusedError(message, code="stream_directory") from error
        self._source = source
        self.media_types = source.media_types
        self._tell(StreamState("running"))
        self._reader.start()

    @property
    def clock_moves(self) -> Sequence[tuple[float, float]]:
        """How the stream was dated (see `WallClock`); it grows while it plays."""
        return self._clock.moves

    def start_transcription(self) -> None:
        """Transcribe what is said from now on; returns when the model is loaded. Does nothing if that runs.

        Raises `MissingDependencyError` (code ``model_missing`` without the speech model), `RefusedError` (code
        ``no_audio``) if the stream has no sound, `ConflictError` (code ``stream_not_running``).
        """
        self._analysers.start_transcription()

    def stop_transcription(self) -> None:
        """No longer transcribe. What was said before is still told."""
        self._analysers.stop_transcription()

    def start_audio_index(self) -> None:
        """Tell what is heard from now on, without words if the speech model is missing. Does nothing if that runs.

        Raises `MissingDependencyError` (a package), `RefusedError` (code ``no_audio``) or `ConflictError` (code
        ``stream_not_running``).
        """
        self._analysers.start_audio_index()

    def stop_audio_index(self) -> None:
        """No longer tell what is heard."""
        self._analysers.stop_audio_index()

    def start_screen_index(self) -> None:
        """Read the text of the picture from now on; returns when the reader is loaded. Does nothing if that runs.

        Raises `MissingDependencyError`, `RefusedError` (code ``no_video``), `ConflictError` (``stream_not_running``).
        """
        self._analysers.start_screen_index()

    def stop_screen_index(self) -> None:
        """No longer read the picture. What was seen before is still told."""
        self._analysers.stop_screen_index()

    def stop(self, timeout_s: float = 10.0) -> None:
        """End the stream, tell what was said and shown so far, finish the files. Idempotent; at most ``timeout_s``."""
        self._flush_until = min(self._flush_until, time.monotonic() + max(0.0, timeout_s - 1.0))
        self._stopping.set()
        if not self._reader.is_alive():
            if self._status == "new":
                self._tell(StreamState("ended"))
                self._finished.set()
            return
        if threading.current_thread().name in ("video", "audio", "speech", "screen", "ingest"):
            return  # called from a callback: the caller would wait for itself
        deadline = time.monotonic() + timeout_s
        if not self._finishing.wait(min(_STUCK_S, timeout_s)):
            self._finish()  # the reader hangs in a silent source and may do so for a long time
        self._finished.wait(max(0.0, deadline - time.monotonic()))

    def export(self, target: Path, *, start: float | None = None, end: float | None = None) -> float:
        """Write a playable MP4 (H.264, AAC) of the stream so far, or of a span of it; give its duration in seconds.

        ``start`` and ``end`` are unix seconds as in the records, or seconds of the stream if below 1e8. While the
        stream runs, its last two seconds or so are not in it yet. Raises `NotFoundError` (code ``nothing_recorded``)
        or `RefusedError` (code ``export_failed``).
        """
        from videodb_cli.local.media.export import export_mp4

        recording = self._directory / RECORDING
        if not recording.is_file() or not self._clock.moves:
            raise NotFoundError("Nothing is recorded yet.", code="nothing_recorded")
        return export_mp4(recording, target, start=self._stream_second(start), end=self._stream_second(end))

    def _stream_second(self, moment: float | None) -> float | None:
        if moment is None or moment < _UNIX_SECONDS:
            return moment
        return self._clock.stream_second(moment)

    def _open_outputs(self, source: MediaSource) -> None:
        from videodb_cli.local.media.audio import AudioTrack
        from videodb_cli.local.media.video import VideoTrack

        self._directory.mkdir(parents=True, exist_ok=True)
        outputs = Outputs(self._directory)
        if source.video is not None:
            self._video = self._analysers.video = VideoTrack(source, outputs, on_failure=self._fail)
        if source.audio is not None:
            self._audio = self._analysers.audio = AudioTrack(source, outputs, on_failure=self._fail)
        outputs.start()
        self._outputs = outputs

    def _require(self, media_type: str) -> None:
        if self._status != "running":
            raise ConflictError("The stream does not run.", code="stream_not_running")
        if media_type not in self.media_types:
            lacks = "sound" if media_type == "audio" else "picture"
            raise RefusedError(f"The stream has no {lacks}.", code=f"no_{media_type}")

    def _run(self) -> None:
        for track in self._tracks():
            track.start()
        try:
            self._play()
        except Exception as error:
            if not self._stopping.is_set():
                self._fail(_why_broken(error, self._clock))
            if is_bug(error):
                log.exception("a stream was ended by a bug")
        finally:
            self._finish()
            if self._source is not None:
                self._source.container.close()

    def _play(self) -> None:
        """Hand every packet to its track at the moment when it is to be seen or heard."""
        source = self._source
        if source is None:
            return
        container = source.container
        known_start: int | None = container.start_time
        start = None if known_start is None else known_start / 1_000_000
        timeline = Timeline(start=start, forward_jumps_are_breaks="mpegts" in container.format.name)
        streams: list[Any] = [stream for stream in (source.video, source.audio) if stream is not None]
        # takewhile: a stream that fails must not go on reading a live source whose packets it throws away.
        packets = takewhile(lambda _: not self._stopping.is_set(), container.demux(*streams))
        placed = (
            Placed(packet, packet.stream_index, _place(packet, timeline), packet.size)
            for packet in packets
            if packet.size
        )
        for item in placed if source.is_live else in_order(placed, len(streams)):
            if self._stopping.is_set() or not self._wait_for(item.second, is_live=source.is_live):
                return
            is_sound = source.audio is not None and item.track == source.audio.index
            track: Track | None = self._audio if is_sound else self._video
            if is_sound:
                self._tick(item.second)
            if track is None or not self._hand(track, item.packet, item.second):
                return

    def _wait_for(self, second: float, *, is_live: bool) -> bool:
        """Wait until a second of the stream is due. False if the stream is to stop."""
        now, ahead_s = time.monotonic(), time.time() - time.monotonic()
        is_first = not self._clock.moves
        late = 0.0 if is_first else now - self._zero - second
        is_newest, self._newest = second >= self._newest, max(self._newest, second)
        is_moved = is_first or (is_newest and late > _STALL_S) or (is_live and late < -_EARLY_S)
        if is_moved:
            self._zero = now - second
        if is_moved or abs(ahead_s - self._ahead_s) >= STEP_S:
            # Also when somebody has set the wall clock: the stream plays on, and is dated by the new one.
            self._ahead_s = ahead_s
            self._clock.move(second, self._zero + ahead_s)
        if is_live:
            return True
        due = max(now, self._zero + second)
        while (left := due - time.monotonic()) > 0:
            if self._stopping.wait(min(left, _TICK_S)):
                return False
            if left > _TICK_S:
                self._tick(second - left + _TICK_S)
        return not self._stopping.is_set()

    def _tick(self, second: float) -> None:
        """Tell the video track that time passes, for pictures that stand still."""
        if self._video is not None:
            self._video.put(None, second, self._clock.zero, timeout_s=0.0)

    def _hand(self, track: Track, packet: av.Packet[Any], second: float) -> bool:
        while not track.put(packet, second, self._clock.zero, timeout_s=_TICK_S):
            if self._stopping.is_set():
                return False
        return True

    def _finish(self) -> None:
        with self._control:
            if self._finishing.is_set():
                return
            self._finishing.set()
        if not self._stopping.is_set():
            self._flush_until = time.monotonic() + _FLUSH_AT_END_S
        for track in self._tracks():
            track.finish(max(1.0, self._flush_until - time.monotonic()))
        try:
            if self._outputs is not None:
                self._outputs.close()
        except Exception as error:  # noqa: BLE001 - whatever it is, the stream must come to its end
            self._fail(f"The recording cannot be finished: {getattr(error, 'strerror', None) or error}.")
        self._analysers.finish(self._close)
        self._analysers.wait_finished(lambda: self._flush_until)
        try:
            self._tell(StreamState("failed" if self._failure else "ended", self._failure))
        finally:
            self._finished.set()

    def _tracks(self) -> Iterator[Track]:
        if self._video is not None:
            yield self._video
        if self._audio is not None:
            yield self._audio

    def _close(self) -> None:
        self._status = "finishing"

    def _complain(self, message: str) -> None:
        if self._status == "running":
            self._tell(StreamState("running", message))

    def _fail(self, message: str) -> None:
        self._failure = self._failure or message
        self._flush_until = min(self._flush_until, time.monotonic() + _FLUSH_AT_END_S)
        self._stopping.set()

    def _tell(self, state: StreamState) -> None:
        with self._state_lock:
            self._status = state.status
            self._on_state(state)


def _place(packet: av.Packet[Any], timeline: Timeline) -> float:
    """Give the packet stamps that count from the beginning of the stream; its decoding time in those seconds."""
    base = packet.time_base
    track = packet.stream_index
    stamp = packet.dts if packet.dts is not None else packet.pts
    duration = float((packet.duration or 0) * base)
    if stamp is None:
        second = timeline.expected(track)
        timeline.place(track, None, duration)
        packet.pts = packet.dts = round(second / base)
        return second
    offset = round(timeline.place(track, float(stamp * base), duration) / base)
    packet.dts = stamp + offset
    packet.pts = (packet.pts if packet.pts is not None else stamp) + offset
    return float(packet.dts * base)


def _why_broken(error: Exception, clock: WallClock) -> str:
    import av

    played = f" after {time.time() - clock.zero:.0f} s" if clock.moves else ""
    if isinstance(error, av.error.ExitError):
        return f"The source stopped sending{played}."
    return f"The source broke off{played}: {getattr(error, 'strerror', None) or error}."
