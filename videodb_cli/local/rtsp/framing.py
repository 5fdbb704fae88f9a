"""RTSP on the wire: bytes in, requests and interleaved packets out. No I/O; every length has a cap."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

MAX_HEADER_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 64
MAX_BODY_BYTES: Final = 64 * 1024

REASONS: Final = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    413: "Request Entity Too Large",
    454: "Session Not Found",
    455: "Method Not Valid in This State",
    461: "Unsupported Transport",
    501: "Not Implemented",
    505: "RTSP Version Not Supported",
}

_METHODS: Final = frozenset(
    b"OPTIONS DESCRIBE ANNOUNCE SETUP PLAY RECORD TEARDOWN GET_PARAMETER SET_PARAMETER PAUSE REDIRECT".split()
)


class FramingError(Exception):
    """The peer does not speak RTSP, or beyond a cap. The connection cannot go on; ``status`` is its last answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Header names are in lower case; of a repeated header the last counts."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def cseq(self) -> str:
        """The number that the answer repeats: digits, else ``0``."""
        value = self.headers.get("cseq", "")
        return value if value.isascii() and value.isdigit() and len(value) <= 10 else "0"


@dataclass(frozen=True, slots=True)
class Packet:
    """One RTP or RTCP packet and the interleaved channel (0 to 255) that it came on."""

    channel: int
    payload: bytes


class Framer:
    """Cuts a byte stream into requests and packets. What a client answers to us is skipped."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._head_looked_at = 0

    def feed(self, data: bytes) -> Iterator[Request | Packet]:
        """Take bytes as they came; give what is whole. Raises `FramingError`.

        Must be used up before it is called again.
        """
        self._buffer += data
        buffer = self._buffer
        at = 0
        try:
            while at < len(buffer):
                if buffer[at] == 0x24:  # "$"
                    if len(buffer) - at < 4:
                        return
                    begin, channel = at + 4, buffer[at + 1]
                    size = buffer[at + 2] << 8 | buffer[at + 3]
                    if begin + size > len(buffer):
                        return
                    payload = bytes(memoryview(buffer)[begin : begin + size])
                    at = begin + size
                    yield Packet(channel, payload)
                elif buffer[at] in b"\r\n":
                    at += 1  # some clients end a body with a line of its own
                else:
                    found, end = self._message(at)
                    if end is None:
                        return
                    at = end
                    self._head_looked_at = 0
                    if found is not None:
                        yield found
        finally:
            del buffer[:at]

    def _message(self, at: int) -> tuple[Request | None, int | None]:
        """The message that begins at ``at`` (None for an answer) and where it ends (None if it is not whole)."""
        buffer = self._buffer
        # One connection may send a head byte by byte: what was searched is not searched again.
        head_end, head_size = _head_end(buffer, at, at + max(0, self._head_looked_at - 3))
        if head_end < 0:
            if len(buffer) - at > MAX_HEADER_BYTES:
                raise FramingError(400, "the header is too long")
            if not _may_begin_message(bytes(buffer[at : at + 16])):
                raise FramingError(400, "this is not RTSP")
            self._head_looked_at = len(buffer) - at
            return None, None
        if head_end - at > MAX_HEADER_BYTES:
            raise FramingError(400, "the header is too long")
        first, headers = _parse_head(bytes(buffer[at:head_end]))
        body_at = head_end + head_size
        body_size = _body_size(headers)
        if len(buffer) - body_at < body_size:
            self._head_looked_at = head_end - at
            return None, None
        end = body_at + body_size
        if first[0].startswith("RTSP/"):
            return None, end
        if len(first) != 3 or not first[2].startswith("RTSP/"):
            raise FramingError(400, "the request line is malformed")
        if not first[2].startswith("RTSP/1."):
            raise FramingError(505, "RTSP 1.0 is spoken here")
        return Request(first[0], first[1], headers, bytes(buffer[body_at:end])), end


def answer(request: Request | None, status: int, headers: Mapping[str, str] | None = None, body: bytes = b"") -> bytes:
    """The bytes of one answer."""
    lines = [f"RTSP/1.0 {status} {REASONS[status]}", f"CSeq: {request.cseq if request is not None else '0'}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _head_end(buffer: bytearray, begin: int, search_from: int) -> tuple[int, int]:
    """Where the head ends and how long the empty line after it is; -1 if it has not ended."""
    strict = buffer.find(b"\r\n\r\n", max(begin, search_from))
    loose = buffer.find(b"\n\n", max(begin, search_from))
    if strict >= 0 and (loose < 0 or strict < loose):
        return strict, 4
    return loose, 2


def _may_begin_message(start: bytes) -> bool:
    word, separator, _ = start.partition(b" ")
    if separator:
        return word in _METHODS or word.startswith(b"RTSP/")
    return any(method.startswith(word) for method in (*_METHODS, b"RTSP/1.0")) and len(word) < 16


def _parse_head(head: bytes) -> tuple[list[str], dict[str, str]]:
    lines = head.decode("utf-8", "replace").replace("\r\n", "\n").split("\n")
    if len(lines) > MAX_HEADERS + 1:
        raise FramingError(400, "there are too many headers")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon:
            raise FramingError(400, "a header line has no colon")
        headers[name.strip().lower()] = value.strip()
    return lines[0].split(), headers or {}


def _body_size(headers: Mapping[str, str]) -> int:
    value = headers.get("content-length", "0")
    if not (value.isascii() and value.isdigit() and len(value) <= 12):
        raise FramingError(400, "the length of the body is malformed")
    if int(value) > MAX_BODY_BYTES:
        raise FramingError(413, f"a body may have {MAX_BODY_BYTES} bytes")
    return int(value)
