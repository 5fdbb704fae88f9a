"""A finished MP4 of a stream, or of a span of it, from the recording that is still being written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from videodb_cli.errors import NotFoundError, RefusedError

if TYPE_CHECKING:
    from pathlib import Path

    import av
    import av.container


def export_mp4(recording: Path, target: Path, *, start: float | None, end: float | None) -> float:
    """Write an MP4 (H.264, AAC, header first) of the seconds ``start`` to ``end`` of a recording; give its duration.

    Nothing is encoded again. A span begins with the key frame before it, which players that know edit lists leave out.
    The file appears under its name only when it is whole. Raises `NotFoundError` if nothing is recorded in that span,
    `RefusedError` if it cannot be written.
    """
    import av

    partial = target.with_name(f".{target.name}.partial")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(recording), "r") as source:
            if start is not None and start > 0:
                source.seek(round(start * 1_000_000), backward=True)
            copied = _copy(source, partial, start or 0.0, end)
        if copied <= 0:
            raise NotFoundError("Nothing is recorded in that span of the stream.", code="nothing_recorded")
        partial.replace(target)
    except (av.error.InvalidDataError, av.error.FileNotFoundError, av.error.EOFError) as error:
        raise NotFoundError("Nothing is recorded yet.", code="nothing_recorded") from error
    except (av.error.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RefusedError(f"The export cannot be written to {target}: {reason}.", code="export_failed") from error
    finally:
        partial.unlink(missing_ok=True)
    return copied


def _copy(source: av.container.InputContainer, target: Path, start: float, end: float | None) -> float:
    """Copy the packets of a span, with stamps that begin at 0; give the seconds from there to the end of the last."""
    import av

    options = {"movflags": "faststart"}
    reached = 0.0
    with av.open(str(target), "w", format="mp4", options=options) as out:
        streams: dict[int, Any] = {s.index: out.add_stream_from_template(s) for s in _tracks(source)}
        done: set[int] = set()
        try:
            for packet in source.demux(*_tracks(source)):
                if packet.dts is None or packet.pts is None or packet.stream.index in done:
                    continue
                base = packet.time_base
                from_s, to_s = float(packet.pts * base), float((packet.pts + (packet.duration or 0)) * base)
                if end is not None and float(packet.dts * base) >= end:
                    done.add(packet.stream.index)
                    if len(done) == len(streams):
                        break
                    continue
                if packet.stream.type == "audio" and to_s <= start:
                    continue
                if end is not None and from_s >= end:
                    continue
                shift = round(start / base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = streams[packet.stream.index]
                reached = max(reached, to_s - start)
                try:
                    out.mux(packet)
                except av.error.InvalidDataError:
                    continue  # torn at its source
        except (av.error.InvalidDataError, av.error.EOFError):
            pass  # the recording is still being written: what is whole so far is what there is
    return reached if end is None else min(reached, end - start)


def _tracks(source: av.container.InputContainer) -> list[Any]:
    return [stream for stream in source.streams if stream.type in ("video", "audio")]
