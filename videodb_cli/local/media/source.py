"""A source of media: an address checked and opened, with every way it can be wrong told as one sentence."""

from __future__ import annotations

import stat
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote, urlsplit

from videodb_cli import mediafile
from videodb_cli.errors import NotFoundError, RefusedError, UnreachableError, UsageError, VideodbError
from videodb_cli.userpaths import absolute, expanded

if TYPE_CHECKING:
    import av
    import av.container

_OPEN_TIMEOUT_S = 12.0
_READ_TIMEOUT_S = 10.0
_PATIENT_READ_TIMEOUT_S = 86_400.0
_LOOK_AHEAD_S = 15.0
_LOOK_AHEAD_PACKETS = 3000
_KEY_FRAME_EVERY_S = 4.0  # further apart than this, a playlist would grow too slowly to be watched
_FIRST_PICTURE_PACKETS = 200
_TRANSPORTS = {
    "file": "file,crypto,data",  # a playlist on disk must not reach the network
    "http": "http,https,tcp,tls,crypto,data,httpproxy",
    "https": "http,https,tcp,tls,crypto,data,httpproxy",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,tls,tcp",
    "srt": "srt,udp",
}
_RTSP_OPTIONS = {"rtsp_transport": "tcp", "analyzeduration": "1", "fpsprobesize": "0", "probesize": "32768"}

# ``push`` is what a streaming server passes on as it comes: rtmp, rtmps, and srt where PyAV has it.
SourceKind = Literal["file", "http", "rtsp", "push"]


@dataclass(frozen=True, slots=True)
class MediaAddress:
    """What a user gave as ``url``, understood. ``location`` is what the demuxer opens; it may hold a password."""

    kind: SourceKind
    location: str
    shown: str


@dataclass(frozen=True, slots=True)
class Picture:
    """What the first decoded frame says: size in pixels, quarter turns in degrees, shape of a pixel, pixel format."""

    width: int
    height: int
    rotation: int
    pixel_ratio: float
    pixel_format: str


@dataclass(slots=True)
class MediaSource:
    """An opened source. ``picture`` is None if there is no video, or if it is live and nothing was decoded yet."""

    address: MediaAddress
    container: av.container.InputContainer
    video: av.VideoStream | None
    audio: av.AudioStream | None
    picture: Picture | None
    key_frames_are_close: bool

    @property
    def is_live(self) -> bool:
        """Whether it is played by somebody else in real time, and not a file or a download."""
        return self.address.kind in ("rtsp", "push")

    @property
    def media_types(self) -> tuple[str, ...]:
        """What it has: ``video``, ``audio``, or both, in this order."""
        return (("video",) if self.video else ()) + (("audio",) if self.audio else ())


def parse_address(url: str) -> MediaAddress:
    """Understand a path, a ``file:`` URL, or an http, https, rtsp, rtsps, rtmp, rtmps or srt address.

    Raises `UsageError` for other schemes, `NotFoundError` for a missing file, and `RefusedError` for one that is no
    regular file or cannot be read.
    """
    scheme = urlsplit(url).scheme.lower() if "://" in url or url.lower().startswith("file:") else ""
    if scheme in ("", "file"):
        return _file_address(Path(unquote(urlsplit(url).path)) if scheme else Path(url))
    parts = urlsplit(url)
    shown = f"{scheme}://{parts.hostname or ''}{parts.path}"  # without user, password and query
    if not parts.hostname:
        raise UsageError(f"The address {shown} names no host.", code="source_address")
    if scheme in ("http", "https"):
        return MediaAddress("http", url, shown)
    if scheme in ("rtsp", "rtsps"):
        return MediaAddress("rtsp", url, shown)
    if scheme in ("rtmp", "rtmps", "srt"):
        # The path is the key of the stream there.
        return MediaAddress("push", url, f"{scheme}://{parts.hostname}/…")
    raise UsageError(
        f"A stream cannot be read from a {scheme}:// address.",
        code="source_address",
        hint="Give a file, or an http(s), rtsp(s), rtmp(s) or srt address.",
    )


def open_source(url: str, *, patient: bool = False) -> MediaSource:
    """Open a source and look at its streams. Takes as long as the network does, at most about 25 s.

    Later reads give up after 10 s of silence, those of a ``patient`` source after a day.

    Raises `NotFoundError`, `RefusedError` (code ``source_unreadable``), `UnreachableError`
    (code ``source_unreachable``) or `UsageError`.
    """
    address = parse_address(url)
    container = _open(address, _PATIENT_READ_TIMEOUT_S if patient else _READ_TIMEOUT_S)
    try:
        return _with_streams(address, container)
    except BaseException:
        container.close()
        raise


def _with_streams(address: MediaAddress, container: av.container.InputContainer) -> MediaSource:
    if mediafile.is_text(container.format.name):
        raise _unreadable(address, mediafile.NOT_MEDIA)
    video, audio = _best_video(container), _best_audio(container)
    if address.kind in ("rtsp", "push") and video is not None:
        if video.codec_context.name == "h264" and not video.codec_context.width:
            raise _unreadable(address, "too little of its picture came to show it")
        return MediaSource(address, container, video, audio, None, True)
    picture, close, pictures = _look_ahead(address) if video is not None else (None, True, 0)
    contents = mediafile.Contents(container.format.name, pictures, audio is not None, None)
    reason = mediafile.why_unplayable(contents)
    if reason is not None:
        raise _unreadable(address, reason)
    if not contents.has_film:
        return MediaSource(address, container, None, audio, None, True)
    return MediaSource(address, container, video, audio, picture, close)


def _file_address(path: Path) -> MediaAddress:
    path = expanded(str(path))
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFoundError(f"There is no file {path}.", code="source_missing") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise RefusedError(f"{path} cannot be read: {reason}.", code="source_unreadable") from error
    address = MediaAddress("file", str(absolute(path)), str(path))
    if stat.S_ISDIR(mode):
        raise _unreadable(address, "it is a directory")
    if not stat.S_ISREG(mode):
        raise _unreadable(address, "it is not a regular file")
    if path.stat().st_size == 0:
        raise _unreadable(address, "it is empty")
    return address


def _open(address: MediaAddress, read_timeout_s: float = _READ_TIMEOUT_S) -> av.container.InputContainer:
    options = dict(_RTSP_OPTIONS) if address.kind == "rtsp" else {}
    scheme = urlsplit(address.location).scheme.lower() if address.kind != "file" else "file"
    if scheme in _TRANSPORTS:
        options["protocol_whitelist"] = _TRANSPORTS[scheme]
    if address.kind == "http":
        options["http_proxy"] = _http_proxy(address)
    container = _open_with(address, options, read_timeout_s)
    if address.kind == "rtsp" and any(not stream.codec_context.width for stream in container.streams.video):
        # The short look was not enough for this camera: look again as long as it takes.
        container.close()
        container = _open_with(address, {"rtsp_transport": "tcp"}, read_timeout_s)
    return container


def _http_proxy(address: MediaAddress) -> str:
    """Return the proxy by which a source is read, empty for none: left alone, the library decides in its own way."""
    from videodb_cli.network.failures import FINAL
    from videodb_cli.network.route import decide

    try:
        proxy = decide(address.location).proxy
    except FINAL as error:
        raise UsageError(f"{address.shown} cannot be read: {error}.", code="source_proxy", hint=error.hint) from None
    except ValueError:
        raise UsageError(f"The address {address.shown} is not one.", code="source_address") from None
    if proxy is not None and proxy.scheme != "http":
        raise UsageError(
            f"{address.shown} cannot be read: media come by http:// proxies only, not by {proxy.address} "
            f"({proxy.source}).",
            code="source_proxy",
            hint=f"NO_PROXY={urlsplit(address.location).hostname} reads it directly",
        )
    return proxy.url().reveal() if proxy is not None else ""


def _open_with(address: MediaAddress, options: dict[str, str], read_timeout_s: float) -> av.container.InputContainer:
    import av

    location = f"file:{address.location}" if address.kind == "file" else address.location
    # Without it, PyAV below 19 refuses a file with a title that is not UTF-8; 19 knows no such option and reads it.
    tolerant: dict[str, Any] = {"metadata_errors": "replace"} if int(av.__version__.partition(".")[0]) < 19 else {}
    try:
        container: av.container.InputContainer = av.open(
            location, "r", options=options, timeout=(_OPEN_TIMEOUT_S, read_timeout_s), **tolerant
        )
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise _told(address, error) from error
    return container


def _told(address: MediaAddress, error: Exception) -> VideodbError:
    import av

    if address.kind == "file":
        if isinstance(error, av.error.PermissionError):
            return _unreadable(address, "permission denied")
        return _unreadable(address, mediafile.NOT_MEDIA)
    if isinstance(error, av.error.HTTPNotFoundError):
        return NotFoundError(f"There is nothing at {address.shown} (404).", code="source_missing")
    if isinstance(error, (av.error.HTTPUnauthorizedError, av.error.HTTPForbiddenError)):
        return RefusedError(f"{address.shown} refuses to give the stream.", code="source_refused")
    if isinstance(error, av.error.ProtocolNotFoundError):
        scheme = urlsplit(address.location).scheme.lower()
        return UsageError(f"The PyAV that is installed cannot read {scheme}:// addresses.", code="source_address")
    if isinstance(error, av.error.InvalidDataError) and address.kind == "http":
        return _unreadable(address, mediafile.NOT_MEDIA)
    if isinstance(error, av.error.ExitError):
        return UnreachableError(
            f"{address.shown} gave no answer within {_OPEN_TIMEOUT_S:.0f} s.", code="source_unreachable"
        )
    reason = getattr(error, "strerror", None) or str(error)
    return UnreachableError(f"{address.shown} cannot be reached: {reason}.", code="source_unreachable")


def _unreadable(address: MediaAddress, reason: str) -> RefusedError:
    return mediafile.unplayable(address.shown, reason)


def _best_video(container: av.container.InputContainer) -> av.VideoStream | None:
    from av.stream import Disposition

    for stream in container.streams.video:
        if not stream.disposition & Disposition.attached_pic and _has_decoder(stream):
            return stream
    return None


def _best_audio(container: av.container.InputContainer) -> av.AudioStream | None:
    return next((stream for stream in container.streams.audio if _has_decoder(stream)), None)


def _has_decoder(stream: av.VideoStream | av.AudioStream) -> bool:
    # A codec that this build does not know leaves the stream without a context.
    return stream.codec_context is not None


def _look_ahead(address: MediaAddress) -> tuple[Picture | None, bool, int]:
    """The first picture, whether key frames come often enough to cut segments at them, and how many pictures were seen.

    Reads up to 15 s of the source through a second opening, so that the first one still stands at its beginning.
    """
    import av

    picture: Picture | None = None
    pictures = 0
    key_frames: list[float] = []
    first = last = None
    try:
        with _open(address) as container:
            stream = _best_video(container)
            if stream is None:
                return None, True, 0
            for count, packet in enumerate(container.demux(stream)):
                if picture is None and count < _FIRST_PICTURE_PACKETS:
                    picture = _decoded_picture(packet)
                pictures += packet.size > 0
                if packet.pts is None or not packet.time_base:  # None below PyAV 19, then 0/1
                    continue
                last = float(packet.pts * packet.time_base)
                first = last if first is None else first
                if packet.is_keyframe:
                    key_frames.append(last)
                if last - first > _LOOK_AHEAD_S or count > _LOOK_AHEAD_PACKETS:
                    break
    except av.error.FFmpegError:
        pass  # a damaged end is met again, and told, when it is played
    pictures = pictures if picture is not None else 0
    if first is None or last is None or not key_frames:
        return picture, False, pictures
    marks = [first, *key_frames, last]
    gaps = [later - earlier for earlier, later in pairwise(marks)]
    return picture, max(gaps) <= _KEY_FRAME_EVERY_S, pictures


def _decoded_picture(packet: av.Packet[av.VideoStream]) -> Picture | None:
    import av

    try:
        frames = packet.decode()
    except av.error.FFmpegError:
        return None
    for frame in frames:
        if isinstance(frame, av.VideoFrame):
            return picture_of(frame, packet.stream)
    return None


def picture_of(frame: av.VideoFrame, stream: object) -> Picture:
    """The properties of a decoded frame that decide how its stream is written."""
    ratio = getattr(stream, "sample_aspect_ratio", None)
    return Picture(
        frame.width,
        frame.height,
        round(frame.rotation / 90) * 90 % 360,
        float(ratio) if ratio else 1.0,
        frame.format.name,
    )
