"""Descriptions: what real publishers say is understood, everything else is refused or left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videodb_cli.local.rtsp.sdp import SdpError, parse_description, write_description

FFMPEG = b"""v=0\r
o=- 0 0 IN IP4 127.0.0.1\r
s=No Name\r
c=IN IP4 127.0.0.1\r
t=0 0\r
a=tool:libavformat 62.3.100\r
m=video 0 RTP/AVP 96\r
a=rtpmap:96 H264/90000\r
a=fmtp:96 packetization-mode=1; sprop-parameter-sets=Z0LAH9oBQBbsBEAAAAMAQAAABQPGDKg=,aM4PyA==; profile-level-id=42C0\r
a=control:streamid=0\r
m=audio 0 RTP/AVP 97\r
b=AS:64\r
a=rtpmap:97 MPEG4-GENERIC/48000/1\r
a=fmtp:97 profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3; config=118856E500\r
a=control:streamid=1\r
"""


def test_what_ffmpeg_announces() -> None:
    video, audio = parse_description(FFMPEG)
    assert (video.kind, video.payload_type, video.encoding, video.clock_rate) == ("video", 96, "H264", 90000)
    assert video.parameters.startswith("packetization-mode=1")
    assert (audio.kind, audio.encoding, audio.clock_rate, audio.channels) == ("audio", "MPEG4-GENERIC", 48000, 1)
    assert (video.control, audio.control) == ("streamid=0", "streamid=1")


def test_what_readers_get_says_the_same() -> None:
    tracks = parse_description(FFMPEG)
    written = write_description(tracks)
    again = parse_description(written)
    assert [track.format for track in again] == [track.format for track in tracks]
    assert [track.control for track in again] == ["track=0", "track=1"]
    assert b"tool" not in written


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"v=0\r\n",
        b"v=0\r\nm=application 0 RTP/AVP 96\r\n",
        b"v=0\r\nm=video 0 RTP/SAVP 96\r\na=rtpmap:96 H264/90000\r\n",
        b"v=0\r\nm=video 0 RTP/AVP 96\r\n",
        b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/0\r\n",
        b"v=0\r\nm=video 0 RTP/AVP 200\r\n",
        b"v=0\r\n" + b"m=audio 0 RTP/AVP 0\r\n" * 5,
        b"v=0\r\n" + b"m=audio 0 RTP/AVP 0\r\na=control:x\r\n" * 2,
    ],
)
def test_what_is_refused(body: bytes) -> None:
    with pytest.raises(SdpError):
        parse_description(body)


@given(st.binary(max_size=300).map(lambda noise: b"v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n" + noise))
def test_noise_stays_out_of_what_readers_get(body: bytes) -> None:
    try:
        tracks = parse_description(body)
    except SdpError:
        return
    for line in write_description(tracks).decode("ascii").split("\r\n")[:-1]:
        assert line[1] == "="
        assert line.isprintable()
