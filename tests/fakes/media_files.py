"""Small media files of any kind, made with PyAV."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np


def write_media(
    path: Path,
    *,
    video: str | None = "libx264",
    audio: str | None = "aac",
    seconds: float = 1.0,
    size: tuple[int, int] = (320, 180),
    rate: int = 10,
    gop: int = 10,
    pixels: str = "yuv420p",
    title: str = "",
    options: dict[str, str] | None = None,
    pictures: int | None = None,
) -> Path:
    """Write ``seconds`` of a grey picture that grows lighter, and of a tone; give the path back.

    ``pictures``: no more of them than these, while the tone goes on.
    """
    with av.open(str(path), "w", options=options or {}) as out:
        if title:
            out.metadata["title"] = title
        picture: Any = None
        sound: Any = None
        if video:
            picture = out.add_stream(video, rate=rate)
            picture.width, picture.height, picture.pix_fmt = *size, pixels
            picture.codec_context.gop_size = gop
        if audio:
            sound = out.add_stream(audio, rate=48_000)
            sound.layout = "stereo"
        for number in range(round(seconds * rate)):
            if picture is not None and (pictures is None or number < pictures):
                shade = np.full((size[1], size[0], 3), 40 + 10 * number % 200, np.uint8)
                frame = av.VideoFrame.from_ndarray(shade, "rgb24").reformat(format=pixels)
                frame.pts, frame.time_base = number, Fraction(1, rate)
                out.mux(picture.encode(frame))
            if sound is not None:
                count = 48_000 // rate
                wave = (0.2 * np.sin(np.arange(count) / 20)).astype(np.float32)
                piece = av.AudioFrame.from_ndarray(np.stack([wave, wave]).reshape(2, -1), "fltp", "stereo")
                piece.sample_rate, piece.pts, piece.time_base = 48_000, number * count, Fraction(1, 48_000)
                resampler = av.AudioResampler(sound.codec_context.format, "stereo", 48_000)
                for shaped in resampler.resample(piece):
                    out.mux(sound.encode(shaped))
        for stream in (picture, sound):
            if stream is not None:
                out.mux(stream.encode(None))
    return path
