"""The ffmpeg that captures and publishes: which one, what it can do, and what it says about sources and files.

Preferred is the one of the ``imageio-ffmpeg`` wheel, because distributions ship older ones that do not verify TLS
certificates; one on PATH is second.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from videodb_cli import mediafile
from videodb_cli.errors import MissingDependencyError
from videodb_cli.process.environment import tool_environment
from videodb_cli.userpaths import absolute

INSTALL_HINT = "pip install 'videodb-cli[capture]'"
_PROBE_S = 15.0
_VERSION = re.compile(rb"ffmpeg version (?:n|N-)?(\d+)[.\-]?(\S*)")
_SOURCE = re.compile(r"^\s*(\*)?\s*(\S+) \[(.*)\](?: \(([^()]*)\))?\s*$")
_INPUT = re.compile(r"^Input #0, ([^,\s]+)")
_STREAM = re.compile(r"^\s*Stream #0:(\d+).*?: (Video|Audio): (.*)$")
_DURATION = re.compile(r"^\s*Duration: (\d+):(\d\d):(\d\d(?:\.\d+)?)")
_SIZE = re.compile(r"\b(\d{2,5})x(\d{2,5})\b")


@dataclass(frozen=True, slots=True)
class FFmpeg:
    """One ffmpeg program. ``major`` 0 means that its version is not known."""

    path: str
    origin: str
    major: int
    devices: frozenset[str]

    @property
    def counts_packets(self) -> bool:
        """Whether it can say the size of each packet that it sends (since 6.0)."""
        return self.major >= 6 or self.major == 0

    @property
    def verifies_tls(self) -> bool:
        """Whether it can be trusted to verify a certificate: Debian's 5.1 accepted a self-signed one (tried)."""
        return self.major >= 7


@dataclass(frozen=True, slots=True)
class PulseSource:
    """One source as ``ffmpeg -sources pulse`` tells it."""

    name: str
    description: str
    is_default: bool


@dataclass(frozen=True, slots=True)
class FileTracks:
    """What can be played of a media file: indexes of its first picture and first sound. Seconds, pixels.

    ``still`` is whether it has only one picture: that is a cover, and ``video`` is None.
    """

    video: int | None
    audio: int | None
    duration_s: float | None
    size: tuple[int, int] | None
    demuxer: str = ""
    still: bool = False


def _candidates() -> list[tuple[str, str]]:
    found = []
    try:
        import imageio_ffmpeg

        found.append((str(imageio_ffmpeg.get_ffmpeg_exe()), "imageio-ffmpeg"))
    except (ImportError, RuntimeError, OSError):
        pass
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        found.append((on_path, "PATH"))
    return found


def _run(arguments: list[str], timeout_s: float = _PROBE_S) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        arguments,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=timeout_s,
        check=False,
        env=tool_environment(),
    )


def _look_at(path: str, origin: str) -> FFmpeg | None:
    try:
        answer = _run([path, "-devices"])
    except (OSError, subprocess.TimeoutExpired):
        return None
    if answer.returncode != 0:
        return None
    version = _VERSION.search(answer.stdout) or _VERSION.search(answer.stderr)
    devices: set[str] = set()
    for line in answer.stdout.decode("utf-8", "replace").splitlines():
        flags, _, rest = line.strip().partition(" ")
        if "D" in flags and set(flags) <= set("DE."):
            devices.update(rest.split()[0].split(",") if rest.split() else ())
    return FFmpeg(path, origin, int(version.group(1)) if version else 0, frozenset(devices))


@cache
def available_ffmpegs() -> tuple[FFmpeg, ...]:
    """Return every ffmpeg that runs here, the preferred one first."""
    found = (_look_at(path, origin) for path, origin in _candidates())
    return tuple(ffmpeg for ffmpeg in found if ffmpeg is not None)


def find_ffmpeg(*needed_devices: str) -> FFmpeg:
    """Return the first ffmpeg with these input devices. Raises MissingDependencyError."""
    found = available_ffmpegs()
    for ffmpeg in found:
        if set(needed_devices) <= ffmpeg.devices:
            return ffmpeg
    if not found:
        raise MissingDependencyError("no ffmpeg is installed", code="no_ffmpeg", hint=INSTALL_HINT)
    missing = sorted(set(needed_devices) - found[0].devices)
    raise MissingDependencyError(
        f"ffmpeg ({found[0].path}) has no {' and no '.join(missing)} device",
        code="ffmpeg_device",
        hint=f"{INSTALL_HINT} --upgrade",
    )


def parse_pulse_sources(text: str) -> list[PulseSource]:
    """Read the answer of ``ffmpeg -sources pulse``."""
    found = []
    for line in text.splitlines():
        match = _SOURCE.match(line)
        if match:
            found.append(PulseSource(match[2], match[3].strip() or match[2], match[1] == "*"))
    return found


def pulse_sources(ffmpeg: FFmpeg) -> list[PulseSource] | str:
    """Ask the sound server through ffmpeg; a string says why nothing came. It exits 0 even when it cannot list."""
    try:
        answer = _run([ffmpeg.path, "-hide_banner", "-sources", "pulse"], 5.0)
    except subprocess.TimeoutExpired:
        return "the sound server does not answer"
    except OSError as error:
        return f"ffmpeg does not run: {error.strerror}"
    found = parse_pulse_sources((answer.stdout + answer.stderr).decode("utf-8", "replace"))
    return found or "no PulseAudio or PipeWire server answers"


def parse_tracks(text: str) -> FileTracks:
    """Read what ``ffmpeg -i FILE`` says about its input. A cover picture is no video."""
    video = audio = duration = size = None
    demuxer = ""
    for line in text.splitlines():
        if match := _INPUT.match(line):
            demuxer = match[1]
        elif match := _DURATION.match(line):
            duration = int(match[1]) * 3600 + int(match[2]) * 60 + float(match[3])
        elif match := _STREAM.match(line):
            if match[2] == "Audio" and audio is None:
                audio = int(match[1])
            elif match[2] == "Video" and video is None and "(attached pic)" not in match[3]:
                video = int(match[1])
                dimensions = _SIZE.search(match[3])
                size = (int(dimensions[1]), int(dimensions[2])) if dimensions else None
    return FileTracks(video, audio, duration, size, demuxer)


def input_name(path: Path) -> str:
    """Return the path as ffmpeg is to be given it: never an option, never another protocol."""
    return f"file:{absolute(path)}"


def probe_file(ffmpeg: FFmpeg, path: Path) -> FileTracks:
    """Return the tracks of a media file, of which something was decoded. Raises what `mediafile` does."""
    mediafile.check_file(path)
    tracks = parse_tracks(_answer(ffmpeg, path).stderr.decode("utf-8", "replace"))
    if tracks.video is None and tracks.audio is None:
        raise mediafile.unplayable(path, mediafile.NOT_MEDIA)
    contents = mediafile.Contents(
        tracks.demuxer,
        _decoded(ffmpeg, path, tracks.video, mediafile.LEAST_PICTURES),
        _decoded(ffmpeg, path, tracks.audio, 1) > 0,
        tracks.duration_s,
    )
    mediafile.check_contents(path, contents)
    return replace(
        tracks,
        video=tracks.video if contents.has_film else None,
        audio=tracks.audio if contents.has_sound else None,
        still=contents.pictures > 0 and not contents.has_film,
    )


def _decoded(ffmpeg: FFmpeg, path: Path, track: int | None, wanted: int) -> int:
    """Return how many pictures, or pieces of sound, could be decoded of a track, counted up to ``wanted``."""
    if track is None:
        return 0
    answer = _answer(ffmpeg, path, "-map", f"0:{track}", "-frames", str(wanted), "-f", "framecrc", "-")
    return sum(not line.startswith(b"#") for line in answer.stdout.splitlines())


def _answer(ffmpeg: FFmpeg, path: Path, *output: str) -> subprocess.CompletedProcess[bytes]:
    """Let ffmpeg open a file; nothing that the file names elsewhere is opened."""
    safe = ("-protocol_whitelist", "file,crypto,data")
    try:
        return _run([ffmpeg.path, "-hide_banner", *safe, "-i", input_name(path), *output])
    except subprocess.TimeoutExpired:
        raise mediafile.unplayable(path, f"ffmpeg makes no sense of it in {_PROBE_S:g} s") from None
    except OSError as error:
        raise MissingDependencyError(f"ffmpeg does not run: {error.strerror}", hint=INSTALL_HINT) from error
