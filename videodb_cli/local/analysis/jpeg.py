"""A picture as JPEG, for a model that looks at it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Picture = NDArray[np.uint8]

_LONGEST_SIDE: Final = 1280  # vision models make pictures smaller themselves
_BEST, _WORST = 2, 5  # the encoder's scale, 1 to 31


def jpeg_of(picture: Picture) -> bytes:
    """Return a BGR picture as JPEG, at most 1280 pixels on its longer side."""
    import av
    from av.video.reformatter import ColorRange

    height, width = picture.shape[:2]
    scale = min(1.0, _LONGEST_SIDE / max(width, height))
    # Colours are halved in both directions: even sizes.
    width, height = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    frame = av.VideoFrame.from_ndarray(picture, "bgr24").reformat(
        width, height, format="yuvj420p", dst_color_range=ColorRange.JPEG
    )
    frame.pts = 0
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
    encoder.time_base = Fraction(1, 1)
    encoder.color_range = ColorRange.JPEG
    encoder.qmin, encoder.qmax = _BEST, _WORST
    return b"".join(bytes(packet) for packet in (*encoder.encode(frame), *encoder.encode(None)))
