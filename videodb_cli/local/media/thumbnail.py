"""One picture of a recording as a JPEG."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from videodb_cli.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path


def write_thumbnail(recording: Path, target: Path, second: float) -> None:
    """Write the picture that is seen at a second of ``recording``; the file appears when it is whole.

    Raises `NotFoundError` if there is none, `RefusedError` if the recording cannot be read or the file not written.
    """
    import av

    partial = target.with_name(f".{target.name}.partial")
    try:
        frame = _frame_at(recording, second)
        if frame is None:
            raise NotFoundError(f"The recording shows nothing at {second:g} s.", code="no_picture")
        codec: Any = av.CodecContext.create("mjpeg", "w")
        codec.width, codec.height, codec.pix_fmt = frame.width, frame.height, "yuvj420p"
        codec.time_base = Fraction(1, 25)
        picture = frame.reformat(format="yuvj420p")
        picture.pts = 0
        partial.write_bytes(b"".join(bytes(packet) for packet in (*codec.encode(picture), *codec.encode(None))))
        partial.replace(target)
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RefusedError(f"No picture can be made of the recording: {reason}.", code="thumbnail_failed") from error
    finally:
        partial.unlink(missing_ok=True)


def _frame_at(recording: Path, second: float) -> Any:
    """The last frame up to ``second``, or the first one after it."""
    import av

    found: Any = None
    with av.open(str(recording), "r") as source:
        if not source.streams.video:
            return None
        source.seek(round(second * 1_000_000), backward=True)
        for frame in source.decode(source.streams.video[0]):
            if (frame.time or 0.0) > second:
                return found or frame
            found = frame
    return found
