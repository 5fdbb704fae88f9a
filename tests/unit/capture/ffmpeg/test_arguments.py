"""The command lines of publishers: what a user asks for stands in them, and nothing in them can be taken otherwise."""

from pathlib import Path

import pytest

from videodb_cli.capture.channels import Channel
from videodb_cli.capture.ffmpeg.arguments import (
    Playback,
    PublishTarget,
    Quality,
    pause_command,
    publisher_arguments,
    shown,
)
from videodb_cli.capture.ffmpeg.failures import meaning_of, without_urls
from videodb_cli.capture.ffmpeg.program import FFmpeg, parse_tracks

NEW = FFmpeg("/x/ffmpeg", "imageio-ffmpeg", 9, frozenset({"x11grab", "pulse"}))
OLD = FFmpeg("/usr/bin/ffmpeg", "PATH", 5, frozenset({"x11grab", "pulse"}))
PLACE = {"x_display": ":0.0", "x": 1920, "y": 0, "width": 1280, "height": 720}
DISPLAY = Channel("display:2", "display", "d", details=PLACE)
MIC = Channel("mic:default", "mic", "m", details={"source": "-odd name"})
TARGET = PublishTarget("rtsp://127.0.0.1:5/secret")


def after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


def test_a_display_is_grabbed_at_its_place_and_rate() -> None:
    arguments = publisher_arguments(NEW, DISPLAY, TARGET, Quality(fps=15, video_kbps=800))
    assert after(arguments, "-i") == ":0.0+1920,0"
    assert after(arguments, "-video_size") == "1280x720"
    assert after(arguments, "-framerate") == "15"
    assert after(arguments, "-g") == "30"
    assert after(arguments, "-maxrate") == "800k"
    assert arguments[-1] == TARGET.url


def test_a_size_is_fitted_and_a_large_display_is_held_to_1080p() -> None:
    filters = after(publisher_arguments(NEW, DISPLAY, TARGET, Quality(size=(640, 360))), "-vf")
    assert "scale=640:360:force_original_aspect_ratio=decrease" in filters
    assert "min(iw,1920)" in after(publisher_arguments(NEW, DISPLAY, TARGET, Quality()), "-vf")


def test_sound_comes_from_its_source_and_keeps_its_time() -> None:
    arguments = publisher_arguments(NEW, MIC, TARGET, Quality(audio_kbps=96))
    assert after(arguments, "-i") == "-odd name"
    assert "aresample=async=1:first_pts=0" in after(arguments, "-af")
    assert after(arguments, "-b:a") == "96k"


def test_a_pause_outlives_a_restart() -> None:
    assert "enable=0" in after(publisher_arguments(NEW, DISPLAY, TARGET, Quality()), "-vf")
    assert "enable=1" in after(publisher_arguments(NEW, DISPLAY, TARGET, Quality(), paused=True), "-vf")
    assert after(publisher_arguments(NEW, MIC, TARGET, Quality(), paused=True), "-af").endswith("volume@pause=0")
    assert pause_command(DISPLAY, paused=True) == b"cdrawbox@pause -1 enable 1\n"
    assert pause_command(MIC, paused=False) == b"cvolume@pause -1 volume 1\n"


def test_a_file_is_no_option_and_no_protocol_and_goes_on_where_it_was() -> None:
    channel = Channel("mic:file", "mic", "f", details={"track": 1, "duration_s": 10.0})
    playback = Playback(Path("/tmp/http:x -i.mp4"), loop=True, speed=2.0)
    arguments = publisher_arguments(NEW, channel, TARGET, Quality(), playback, offset_s=8.0)
    assert after(arguments, "-i") == "file:/tmp/http:x -i.mp4"
    assert after(arguments, "-map") == "0:1"
    assert after(arguments, "-ss") == "6.000"
    assert after(arguments, "-readrate") == "2"
    assert "atempo=2" in after(arguments, "-af")
    assert after(arguments, "-protocol_whitelist") == "file,crypto,data"
    assert "-ss" not in publisher_arguments(NEW, channel, TARGET, Quality(), playback)


def test_packets_are_counted_where_ffmpeg_can() -> None:
    assert "-stats_mux_pre" in publisher_arguments(NEW, MIC, TARGET, Quality())
    assert "-stats_mux_pre" not in publisher_arguments(OLD, MIC, TARGET, Quality())


def test_tls_is_always_verified() -> None:
    arguments = publisher_arguments(NEW, MIC, PublishTarget("rtsps://h/x", "/ca.pem"), Quality())
    assert (after(arguments, "-tls_verify"), after(arguments, "-ca_file")) == ("1", "/ca.pem")
    assert "-tls_verify" not in publisher_arguments(NEW, MIC, TARGET, Quality())
    assert not OLD.verifies_tls


@pytest.mark.parametrize(
    ("line", "code", "final"),
    [
        ("[tcp @ 0x1] Connection to tcp://127.0.0.1:9 failed: Connection refused", "publish_unreachable", False),
        ("method ANNOUNCE failed: 403 Forbidden", "publish_refused", False),
        ("[x11grab] Cannot open display :9, error 1.", "display_gone", False),
        ("error:0A000086:SSL routines::certificate verify failed", "certificate", True),
        ("av_interleaved_write_frame(): Broken pipe", "publish_lost", False),
        ("nonsense", "publisher_ended", False),
    ],
)
def test_last_words_are_understood(line: str, code: str, final: bool) -> None:
    found = meaning_of([line], 1)
    assert (found[0], found[2]) == (code, final)


def test_a_kill_is_named_and_addresses_are_taken_out() -> None:
    assert meaning_of([], -9)[0] == "publisher_killed"
    line = "Error opening output rtsp://127.0.0.1:5/secret: Connection refused; RTSPS://h/y'"
    assert "secret" not in without_urls(line)
    assert "/y" not in without_urls(line)
    assert "secret" not in meaning_of(["odd rtsp://127.0.0.1:5/secret"], 1)[1]


@pytest.mark.parametrize(
    "url",
    ["rtsp://127.0.0.1:5/secret", "rtsps://me:secret@h/x", "RTSP://h/it's/secret?key=secret", "rtsp://h/a secret"],
)
def test_a_command_line_is_shown_without_its_secret(url: str) -> None:
    text = shown(publisher_arguments(NEW, DISPLAY, PublishTarget(url), Quality()))
    assert "secret" not in text
    assert text.startswith("/x/ffmpeg -hide_banner")
    assert "x11grab" in text


def test_tracks_of_a_file_and_no_cover_picture() -> None:
    tracks = parse_tracks(
        """Input #0, mov,mp4, from 'file:x':
  Duration: 01:02:03.50, start: 0.000000, bitrate: 176 kb/s
  Stream #0:0[0x1](und): Video: mjpeg, yuvj420p, 600x600, 90k tbr (attached pic)
  Stream #0:1[0x2](eng): Audio: aac (LC), 48000 Hz
  Stream #0:2: Video: h264 (High) (avc1 / 0x31637661), yuv420p(progressive), 1280x720 [SAR 1:1], 25 fps
  Stream #0:3: Audio: opus
"""
    )
    assert (tracks.video, tracks.audio, tracks.duration_s, tracks.size) == (2, 1, 3723.5, (1280, 720))
