"""One recording of several: the picture of one channel with the sound of some, each at its true time, or in a row."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

from videodb_cli.errors import NotFoundError, RefusedError
from videodb_cli.local.media.export import export_mp4
from videodb_cli.local.media.outputs import RECORDING, Outputs

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import av
    import numpy as np
    from numpy.typing import NDArray

    Samples = NDArray[np.float32]

log = logging.getLogger(__name__)

RATE: Final = 48_000
_CHANNELS: Final = 2
_BIT_RATE: Final = 128_000
_SEAM_S: Final = 0.1  # smaller differences between stamps and counted samples are rounding


@dataclass(frozen=True, slots=True)
class MixInput:
    """A recording and the unix second at which it began."""

    path: Path
    began_at: float


def mix_session(
    pictures: Sequence[MixInput],
    sounds: Sequence[MixInput],
    directory: Path,
    target: Path,
    *,
    unwanted: threading.Event,
) -> float:
    """Write the HLS files of the session into ``directory`` and a playable MP4 (H.264, AAC) to ``target``.

    ``pictures`` are recordings of one channel, one after the other. The recording begins with the first (without any:
    with the first sound): sound from before it is left out, sound that came later begins later, and where there is a
    hole the picture stands and there is silence. The picture is copied (a recording in another format than the last one
    is left out), all sound is mixed into one track. Gives the duration in seconds. It is given up when ``unwanted`` is
    set.

    Raises `NotFoundError` (code ``nothing_recorded``) or `RefusedError` (code ``export_failed``).
    """
    import av

    try:
        pictures = _alike([part for part in pictures if _has(part.path, "video")])
        sounds = [part for part in sounds if _has(part.path, "audio")]
        began_at = pictures[0].began_at if pictures else min((sound.began_at for sound in sounds), default=0.0)
        _write(pictures, sounds, directory, began_at, unwanted)
        return export_mp4(directory / RECORDING, target, start=None, end=None)
    except (av.error.InvalidDataError, av.error.FileNotFoundError, av.error.EOFError) as error:
        raise NotFoundError("Nothing is recorded yet.", code="nothing_recorded") from error
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RefusedError(f"The export cannot be written to {directory}: {reason}.", code="export_failed") from error
    finally:
        (directory / RECORDING).unlink(missing_ok=True)


def join_recordings(paths: Sequence[Path], directory: Path, target: Path, *, unwanted: threading.Event) -> float:
    """As `mix_session`, of one stream's recordings in a row, without the time between them."""
    parts, at = [], 0.0
    for path in paths:
        parts.append(MixInput(path, at))
        at += _length_s(path)
    return mix_session(parts, parts, directory, target, unwanted=unwanted)


class SoundTrack:
    """The sound of one recording, read forward as stereo at 48 kHz, on a time line that begins at ``begins_at``.

    ``begins_at`` is unix seconds. Before the recording and in its holes there is silence.
    """

    def __init__(self, part: MixInput, begins_at: float) -> None:
        import av

        self._container = av.open(str(part.path), "r")
        self._frames = self._resampled()
        self._shift = round((part.began_at - begins_at) * RATE)
        self._at = 0  # where on the time line the next sample to be read stands
        self._piece: tuple[int, Samples] | None = None
        self._expected: int | None = None
        self.ended = False

    def read(self, count: int) -> Samples:
        """The next ``count`` samples: an array of (channels, samples). Silence after the end."""
        import numpy as np

        out = np.zeros((_CHANNELS, count), np.float32)
        until = self._at + count
        while (piece := self._next_piece()) is not None:
            start, samples = piece
            if start >= until:
                break
            first = max(start, self._at)
            last = min(start + samples.shape[1], until)
            if last > first:
                out[:, first - self._at : last - self._at] = samples[:, first - start : last - start]
            if start + samples.shape[1] > until:
                break
            self._piece = None
        self._at = until
        return out

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def _next_piece(self) -> tuple[int, Samples] | None:
        if self._piece is None and not self.ended:
            self._piece = next(self._frames, None)
            self.ended = self._piece is None
        return self._piece

    def _resampled(self) -> Iterator[tuple[int, Samples]]:
        import av
        import numpy as np

        stream = self._container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        try:
            for packet in self._container.demux(stream):
                for frame in _decoded(packet):
                    stamp = None if frame.time is None else round(frame.time * RATE) + self._shift
                    for piece in resampler.resample(frame):
                        samples = np.asarray(piece.to_ndarray(), dtype=np.float32)
                        expected = self._expected
                        if expected is None or (stamp is not None and abs(stamp - expected) > _SEAM_S * RATE):
                            expected = stamp if stamp is not None else self._shift
                        self._expected = expected + samples.shape[1]
                        stamp = self._expected
                        yield expected, samples
        except (av.error.InvalidDataError, av.error.EOFError):
            return  # damaged from here on: what was whole has been heard


def _write(
    pictures: Sequence[MixInput],
    sounds: Sequence[MixInput],
    directory: Path,
    began_at: float,
    unwanted: threading.Event,
) -> None:
    import av

    outputs = Outputs(directory)
    tracks = [SoundTrack(sound, began_at) for sound in sounds]
    sources = [av.open(str(picture.path), "r") for picture in pictures]
    try:
        video_number = outputs.add_copy(sources[0].streams.video[0]) if sources else -1
        mixer = _Mixer(outputs, tracks, unwanted) if tracks else None
        if not sources and mixer is None:
            raise NotFoundError("Nothing is recorded yet.", code="nothing_recorded")
        outputs.start()
        for picture, source in zip(pictures, sources, strict=True):
            later_s = picture.began_at - began_at
            for packet in source.demux(source.streams.video[0]):
                if packet.dts is None or packet.pts is None or not packet.size:
                    continue
                _check_wanted(unwanted)
                shift = round(later_s / packet.time_base)
                packet.dts, packet.pts = packet.dts + shift, packet.pts + shift
                if mixer is not None:
                    mixer.write_until(float(packet.dts * packet.time_base))
                outputs.write(video_number, packet)
        if mixer is not None:
            mixer.finish()
    finally:
        for track in tracks:
            track.close()
        for source in sources:
            source.close()
        outputs.close()


class _Mixer:
    """Sums its tracks block by block and encodes the sum."""

    def __init__(self, outputs: Outputs, tracks: Sequence[SoundTrack], unwanted: threading.Event) -> None:
        self._unwanted = unwanted
        self._outputs = outputs
        self._tracks = tracks
        self._number, self._encoder = outputs.add_audio(RATE, "stereo", _BIT_RATE, fast=True)
        self._written = 0

    def write_until(self, second: float) -> None:
        """Write the sound up to a second of the recording."""
        while self._written < second * RATE:
            self._block()

    def finish(self) -> None:
        """Write what is left of every track."""
        while not all(track.ended for track in self._tracks):
            _check_wanted(self._unwanted)
            self._block()
        for packet in self._encoder.encode(None):
            self._outputs.write(self._number, packet)

    def _block(self) -> None:
        import av
        import numpy as np

        size = self._encoder.codec_context.frame_size or 1024
        mixed = np.zeros((_CHANNELS, size), np.float32)
        for track in self._tracks:
            mixed += track.read(size)
        frame = av.AudioFrame.from_ndarray(np.clip(mixed, -1.0, 1.0), "fltp", "stereo")
        frame.sample_rate = RATE
        frame.time_base = Fraction(1, RATE)
        frame.pts = self._written
        self._written += size
        for packet in self._encoder.encode(frame):
            self._outputs.write(self._number, packet)


def _check_wanted(unwanted: threading.Event) -> None:
    if unwanted.is_set():
        raise RefusedError("The export was given up because the service ends.", code="export_failed")


def _alike(pictures: Sequence[MixInput]) -> list[MixInput]:
    """Those that can stand in one track with the last of them."""
    import av

    formats = []
    for picture in pictures:
        with av.open(str(picture.path), "r") as container:
            context = container.streams.video[0].codec_context
            formats.append((context.name, context.width, context.height, context.extradata))
    alike = [picture for picture, found in zip(pictures, formats, strict=True) if found == formats[-1]]
    if len(alike) < len(pictures):
        log.warning("%d recordings in another format are left out", len(pictures) - len(alike))
    return alike


def _length_s(path: Path) -> float:
    import av

    end = 0.0
    with av.open(str(path), "r") as container:
        try:
            for packet in container.demux():
                if packet.pts is not None and packet.time_base:
                    end = max(end, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        except (av.error.InvalidDataError, av.error.EOFError):
            pass  # damaged from there on
    return end


def _has(path: Path, kind: str) -> bool:
    import av

    with av.open(str(path), "r") as container:
        return any(stream.type == kind for stream in container.streams)


def _decoded(packet: av.Packet[Any]) -> list[Any]:
    import av

    try:
        return list(packet.decode())
    except av.error.FFmpegError:
        return []
