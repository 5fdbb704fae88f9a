"""The argument lists with which ffmpeg captures one channel and publishes it. Pure: strings in, strings out.

Each option here was tried with ffmpeg 9 of the wheel and with Debian's 5.1.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.program import FFmpeg, input_name
from videodb_cli.capture.ffmpeg.progress import PACKET_FORMAT

AUDIO_RATE: Final = 48000
# Seconds from key frame to key frame: what a reader waits for at most, and the grain of the service's HLS.
GOP_S: Final = 2


@dataclass(frozen=True, slots=True)
class Quality:
    """How channels are encoded. ``size`` None keeps the source's, up to 1080p. Bit rates in kbit/s."""

    fps: float = 10.0
    size: tuple[int, int] | None = None
    video_kbps: int = 3000
    audio_kbps: int = 64


@dataclass(frozen=True, slots=True)
class Playback:
    """How a file is played in place of a device."""

    path: Path
    loop: bool = False
    speed: float = 1.0


@dataclass(frozen=True, slots=True)
class PublishTarget:
    """Where a channel is published. ``ca_file`` holds the certificates to trust, for rtsps."""

    url: str
    ca_file: str | None = None

    @property
    def is_tls(self) -> bool:
        """Whether it is published encrypted."""
        return self.url.lower().startswith("rtsps:")


def publisher_arguments(
    ffmpeg: FFmpeg,
    channel: Channel,
    target: PublishTarget,
    quality: Quality,
    playback: Playback | None = None,
    *,
    paused: bool = False,
    offset_s: float = 0.0,
) -> list[str]:
    """Return the whole command line of one publisher. The URL is its last word.

    ``offset_s`` is how long it has been played already: a file goes on there when its publisher is started again.
    """
    speed = playback.speed if playback is not None else 1.0
    head = [
        ffmpeg.path,
        "-hide_banner",
        "-loglevel",
        "error",
        "-nostats",
        "-progress",
        "pipe:1",
        "-stats_period",
        "0.5",
    ]
    if playback is not None:
        source = _file_input(channel, playback, offset_s * playback.speed)
    elif channel.media == "video":
        source = _display_input(channel, quality)
    else:
        source = ["-fragment_size", "3200", "-f", "pulse", "-i", str(channel.details["source"])]
    code = _video if channel.media == "video" else _audio
    counting = ["-stats_mux_pre", "pipe:1", "-stats_mux_pre_fmt", PACKET_FORMAT] if ffmpeg.counts_packets else []
    return [*head, *source, *code(quality, speed, paused=paused), *counting, *_output(target)]


def _display_input(channel: Channel, quality: Quality) -> list[str]:
    area = channel.details
    return [
        *("-f", "x11grab", "-framerate", f"{quality.fps:g}", "-draw_mouse", "1"),
        *("-video_size", f"{area['width']}x{area['height']}"),
        *("-i", f"{area['x_display']}+{area['x']},{area['y']}"),
    ]


def _file_input(channel: Channel, playback: Playback, position_s: float) -> list[str]:
    loop = ["-stream_loop", "-1"] if playback.loop else []
    duration = channel.details.get("duration_s")
    if playback.loop and duration:
        position_s %= float(duration)
    seek = ["-ss", f"{position_s:.3f}"] if position_s > 0 else []
    # A playlist or a concat file must not reach out to other places.
    safe = ["-protocol_whitelist", "file,crypto,data"]
    return [
        *(*loop, *seek, *safe, "-readrate", f"{playback.speed:g}", "-i", input_name(playback.path)),
        *("-map", f"0:{channel.details['track']}"),
    ]


def _video(quality: Quality, speed: float, *, paused: bool) -> list[str]:
    width, height = quality.size or (1920, 1080)
    # Fit into the size, never enlarge, keep the shape, and make both sides even, as 4:2:0 wants them.
    scale = (
        f"scale=w='min(iw,{width})':h='min(ih,{height})':force_original_aspect_ratio=decrease:force_divisible_by=2"
        if quality.size is None
        else f"scale={width}:{height}:force_original_aspect_ratio=decrease:force_divisible_by=2"
    )
    filters = [
        *([f"setpts=PTS/{speed:g}"] if speed != 1.0 else []),
        f"fps={quality.fps:g}",
        scale,
        "setsar=1",
        "format=yuv420p",
        # Pause is a black box that is there all the time and switched by a command on stdin.
        f"drawbox@pause=c=black:t=fill:enable={int(paused)}",
    ]
    return [
        *("-an", "-sn", "-dn", "-vf", ",".join(filters), "-c:v", "libx264", "-preset", "ultrafast"),
        *("-tune", "zerolatency", "-pix_fmt", "yuv420p", "-g", str(max(1, round(quality.fps * GOP_S)))),
        *("-crf", "25", "-maxrate", f"{quality.video_kbps}k", "-bufsize", f"{quality.video_kbps * 2}k"),
    ]


def _audio(quality: Quality, speed: float, *, paused: bool) -> list[str]:
    filters = [
        *([f"atempo={speed:g}"] if speed != 1.0 else []),
        # Without it a source that was suspended for a while shifts everything after it.
        "aresample=async=1:first_pts=0",
        f"volume@pause={0 if paused else 1}",
    ]
    return [
        *("-vn", "-sn", "-dn", "-af", ",".join(filters), "-ac", "1", "-ar", str(AUDIO_RATE)),
        *("-c:a", "aac", "-b:a", f"{quality.audio_kbps}k"),
    ]


def _output(target: PublishTarget) -> list[str]:
    tls = ["-tls_verify", "1", *(["-ca_file", target.ca_file] if target.ca_file else [])] if target.is_tls else []
    return ["-f", "rtsp", "-rtsp_transport", "tcp", *tls, target.url]


def shown(arguments: Sequence[str]) -> str:
    """Return a command line as a log may show it: the publish URL, its last word, is a secret."""
    scheme = arguments[-1].partition(":")[0]
    return shlex.join([*arguments[:-1], f"{scheme}://…"])


def pause_command(channel: Channel, *, paused: bool) -> bytes:
    """Return what ffmpeg reads on stdin to turn a channel black or silent, or back."""
    if channel.media == "video":
        return b"cdrawbox@pause -1 enable %d\n" % paused
    return b"cvolume@pause -1 volume %d\n" % (not paused)
