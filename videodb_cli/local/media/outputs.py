"""What a stream leaves on disk: an HLS playlist that can be played while it grows, and a fragmented MP4."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from videodb_cli.local.media.timebase import exact

if TYPE_CHECKING:
    from pathlib import Path

    import av
    import av.container

    from videodb_cli.local.media.timebase import Ratio

PLAYLIST = "index.m3u8"
RECORDING = "stream.mp4"
KEY_FRAME_EVERY_S = 2.0

_HLS_OPTIONS = {
    "hls_time": "1.8",  # below the distance of key frames: with 2 s the first one would be missed
    "hls_list_size": "0",
    "hls_playlist_type": "event",
    "hls_segment_type": "mpegts",
    "hls_flags": "independent_segments+program_date_time+temp_file",
}
_MP4_OPTIONS = {
    "movflags": "delay_moov+default_base_moof+frag_keyframe",
    "frag_duration": "2000000",  # a recording without pictures has no key frames to cut at
    "flush_packets": "1",
}
_INTERLEAVE_US = "1000000"  # a picture that stands still must not hold the sound back for longer


@dataclass(slots=True)
class _Track:
    mp4: av.VideoStream | av.AudioStream
    hls: Any = None
    last_dts: dict[str, int] = field(default_factory=dict)  # of each file


class Outputs:
    """Writes packets to both files. Tracks are added first; then packets may come from any thread.

    Raises `OSError` (`av.error.FFmpegError`) when the disk refuses.
    """

    def __init__(self, directory: Path) -> None:
        import av

        common = {"max_interleave_delta": _INTERLEAVE_US}
        self._mp4 = av.open(str(directory / RECORDING), "w", format="mp4", options=_MP4_OPTIONS | common)
        segments = str(directory / "segment%05d.ts").replace("%05d", "\0").replace("%", "%%").replace("\0", "%05d")
        options = _HLS_OPTIONS | common | {"hls_segment_filename": segments}
        self._hls = av.open(str(directory / PLAYLIST), "w", format="hls", options=options)
        self._tracks: list[_Track] = []
        self._lock = threading.Lock()
        self._closed = False

    def add_copy(self, template: av.VideoStream | av.AudioStream) -> int:
        """A track whose packets are written as they come. Gives its number."""
        self._tracks.append(_Track(self._mp4.add_stream_from_template(template)))
        return len(self._tracks) - 1

    def add_video(self, width: int, height: int, options: dict[str, str]) -> tuple[int, av.VideoStream]:
        """A track that is encoded to H.264. Gives its number and the stream that encodes."""
        from fractions import Fraction

        stream = self._mp4.add_stream("libx264", rate=30, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 90_000)
        stream.codec_context.gop_size = 600
        self._tracks.append(_Track(stream))
        return len(self._tracks) - 1, stream

    def add_audio(self, rate: int, layout: str, bit_rate: int, *, fast: bool = False) -> tuple[int, av.AudioStream]:
        """A track that is encoded to AAC. Gives its number and the stream that encodes.

        ``fast`` takes a third of the time, for what is not encoded while it is heard.
        """
        stream = self._mp4.add_stream("aac", rate=rate, options={"aac_coder": "fast"} if fast else None)
        stream.layout, stream.bit_rate = layout, bit_rate
        self._tracks.append(_Track(stream))
        return len(self._tracks) - 1, stream

    def start(self) -> None:
        """Open the encoders and write the headers. No track can be added afterwards."""
        self._mp4.start_encoding()  # first: the playlist's streams copy the codec headers that this makes
        for track in self._tracks:
            track.hls = self._hls.add_stream_from_template(track.mp4)
        self._hls.start_encoding()

    def write(self, track: int, packet: av.Packet[Any]) -> None:
        """Write one packet, whose stamps count from the beginning of the stream, to both files."""
        import av

        state = self._tracks[track]
        pts, dts, base, duration = packet.pts, packet.dts, packet.time_base, packet.duration
        if pts is None and dts is None:
            return
        with self._lock:
            if self._closed:
                return
            for name, container, stream in (("mp4", self._mp4, state.mp4), ("hls", self._hls, state.hls)):
                # Both muxers rescale the stamps in place.
                packet.pts, packet.dts, packet.time_base, packet.duration = pts, dts, base, duration
                _make_increasing(packet, state.last_dts, name, stream.time_base, base)
                packet.stream = stream
                try:
                    container.mux(packet)
                except av.error.InvalidDataError:
                    continue  # a packet that was torn at its source; players leave such out too

    def close(self) -> None:
        """Finish both files, also if one of them fails; the first failure is raised. Idempotent."""
        import av

        with self._lock:
            if self._closed:
                return
            self._closed = True
            failure: Exception | None = None
            for container in (self._mp4, self._hls):
                try:
                    container.close()
                except av.error.InvalidDataError:
                    continue  # the last packet was torn; the file is finished all the same
                except (av.error.FFmpegError, OSError) as error:
                    failure = failure or error
            if failure is not None:
                raise failure


def _make_increasing(
    packet: av.Packet[Any], last: dict[str, int], name: str, wanted: Ratio | None, given: Ratio
) -> None:
    """Muxers refuse a decoding time that does not grow, and sources do have such."""
    base, now = exact(wanted or given), exact(given)
    dts = packet.dts if packet.dts is not None else packet.pts
    pts = packet.pts if packet.pts is not None else packet.dts
    if dts is None or pts is None:
        return
    scaled = round(dts * now / base)
    lowest = last.get(name, scaled - 1) + 1
    scaled = max(scaled, lowest)
    last[name] = scaled
    packet.dts = scaled
    packet.pts = max(round(pts * now / base), scaled)
    packet.duration = round((packet.duration or 0) * now / base)
    packet.time_base = base
