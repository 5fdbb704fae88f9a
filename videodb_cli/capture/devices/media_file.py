"""The tracks of a media file as if they were this machine's display and microphone."""

from __future__ import annotations

from pathlib import Path

from videodb_cli.capture.channels import Channel, Channels
from videodb_cli.capture.ffmpeg.program import FFmpeg, find_ffmpeg, probe_file
from videodb_cli.userpaths import absolute


def file_channels(path: Path, ffmpeg: FFmpeg | None = None) -> Channels:
    """Return ``display:file`` and ``mic:file``, as far as the file has them.

    Raises NotFoundError, RefusedError for what cannot be played, MissingDependencyError without ffmpeg.
    """
    tracks = probe_file(ffmpeg or find_ffmpeg(), path)
    shared = {"source": str(absolute(path)), "duration_s": tracks.duration_s}
    found = []
    if tracks.audio is not None:
        found.append(Channel("mic:file", "mic", path.name, default=True, details={**shared, "track": tracks.audio}))
    if tracks.video is not None:
        size = {"width": tracks.size[0], "height": tracks.size[1]} if tracks.size else {}
        details = {**shared, **size, "track": tracks.video}
        found.append(Channel("display:file", "display", path.name, default=True, details=details))
    reasons = {"system_audio": f"a file has none: {path.name}", "camera": f"a file has none: {path.name}"}
    if tracks.audio is None:
        reasons["mic"] = f"{path.name} has no sound"
    if tracks.video is None:
        reasons["display"] = f"{path.name} has {'only a still picture' if tracks.still else 'no picture'}"
    return Channels(tuple(found), reasons)
