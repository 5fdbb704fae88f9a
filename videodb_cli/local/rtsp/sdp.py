"""What a publisher says about its media (SDP), read and written anew. Pure.

Nothing of it is handed on as it came: readers get lines that were understood, so that no publisher can feed strange
lines to the library that reads them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

MAX_TRACKS: Final = 4
_MAX_LINE: Final = 16 * 1024

# The payload types that need no rtpmap and that somebody still sends.
_STATIC: Final = {0: ("PCMU", 8000, 1), 8: ("PCMA", 8000, 1), 14: ("MPA", 90000, 1), 26: ("JPEG", 90000, 1)}
_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9._-]{1,40})/(\d{1,7})(?:/(\d{1,2}))?\Z")
_FMTP = re.compile(r"(\d{1,3}) ([\x20-\x7e]+)\Z")
_CONTROL = re.compile(r"[\x21-\x7e]{1,512}\Z")


class SdpError(ValueError):
    """The description is not one that we can take; the message says why."""


@dataclass(frozen=True, slots=True)
class Media:
    """One track. ``control`` is what its SETUP will name; ``clock_rate`` counts its RTP stamps per second."""

    kind: Literal["video", "audio"]
    payload_type: int
    encoding: str
    clock_rate: int
    channels: int
    parameters: str
    control: str

    @property
    def format(self) -> tuple[object, ...]:
        """What must be the same when a publisher comes back, for its readers to go on."""
        return self.kind, self.payload_type, self.encoding.upper(), self.clock_rate, self.channels, self.parameters


def parse_description(body: bytes) -> tuple[Media, ...]:
    """The tracks of an announced description. Raises `SdpError`."""
    try:
        lines = body.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError:
        raise SdpError("the description is not text") from None
    sections: list[list[str]] = []
    if not lines or lines[0].strip() != "v=0":
        raise SdpError("the description does not begin with v=0")
    for line in lines:
        if len(line) > _MAX_LINE:
            raise SdpError("a line of the description is too long")
        if line.startswith("m="):
            sections.append([line])
        elif sections:
            sections[-1].append(line)
    if not sections:
        raise SdpError("the description names no media")
    if len(sections) > MAX_TRACKS:
        raise SdpError(f"the description names more than {MAX_TRACKS} tracks")
    tracks = tuple(_parse_media(section, number) for number, section in enumerate(sections))
    if len({track.control for track in tracks}) != len(tracks):
        raise SdpError("two tracks have one control address")
    return tracks


def write_description(tracks: Sequence[Media]) -> bytes:
    """The description that readers get; track ``n`` has the control address ``track=n``."""
    lines = ["v=0", "o=- 0 0 IN IP4 127.0.0.1", "s=channel", "c=IN IP4 0.0.0.0", "t=0 0", "a=control:*"]
    for number, track in enumerate(tracks):
        channels = f"/{track.channels}" if track.kind == "audio" else ""
        lines.append(f"m={track.kind} 0 RTP/AVP {track.payload_type}")
        lines.append(f"a=rtpmap:{track.payload_type} {track.encoding}/{track.clock_rate}{channels}")
        if track.parameters:
            lines.append(f"a=fmtp:{track.payload_type} {track.parameters}")
        lines.append(f"a=control:track={number}")
    return ("\r\n".join(lines) + "\r\n").encode()


def _parse_media(lines: Sequence[str], number: int) -> Media:
    parts = lines[0][2:].split()
    if len(parts) < 4 or parts[2] not in {"RTP/AVP", "RTP/AVP/TCP"} or not parts[3].isdigit():
        raise SdpError("a media line is malformed, or not plain RTP")
    kind: Literal["video", "audio"]
    if parts[0] == "video":
        kind = "video"
    elif parts[0] == "audio":
        kind = "audio"
    else:
        raise SdpError(f"media of the kind {parts[0][:20]} cannot be taken")
    payload_type = int(parts[3])
    if payload_type > 127:
        raise SdpError("a payload type is above 127")
    encoding, clock_rate, channels = _STATIC.get(payload_type, ("", 0, 1))
    parameters = ""
    control = f"track={number}"
    for line in lines[1:]:
        name, _, value = line.partition(":")
        if name == "a=rtpmap" and (found := _RTPMAP.match(value.strip())) and int(found[1]) == payload_type:
            encoding, clock_rate, channels = found[2], int(found[3]), int(found[4] or 1)
        elif name == "a=fmtp" and (found := _FMTP.match(value.strip())) and int(found[1]) == payload_type:
            parameters = found[2]
        elif name == "a=control" and _CONTROL.match(value.strip()):
            control = value.strip()
    if not encoding or not 1000 <= clock_rate <= 1_000_000 or not 1 <= channels <= 32:
        raise SdpError("a track does not say how it is encoded")
    return Media(kind, payload_type, encoding, clock_rate, channels, parameters, control)
