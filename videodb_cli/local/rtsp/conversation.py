"""One connection: requests answered, packets handed to and from its channel. No I/O; the server moves the bytes."""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import urlsplit

from videodb_cli.local.rtsp.framing import Framer, FramingError, Packet, Request, answer
from videodb_cli.local.rtsp.sdp import SdpError, parse_description, write_description

if TYPE_CHECKING:
    from videodb_cli.local.rtsp.relay import Relay, RelayChannel
    from videodb_cli.local.rtsp.sdp import Media

SESSION_TIMEOUT_S: Final = 60
SETTLE_TIMEOUT_S: Final = 15.0  # a connection that neither records nor plays by then is ended
DESCRIBE_WAIT_S: Final = 10.0
TEARDOWN_GRACE_S: Final = 5.0  # for a publisher to end by itself once its channel is closed
MAX_UNSENT_BYTES: Final = 32 * 1024 * 1024  # a reader that leaves more than this unread is dropped
MAX_HELD: Final = 256

_METHODS: Final = "OPTIONS, DESCRIBE, ANNOUNCE, SETUP, PLAY, RECORD, TEARDOWN, GET_PARAMETER, SET_PARAMETER"
_URL = re.compile(r"[\x21-\x7e]{1,2048}\Z")
_INTERLEAVED = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?\Z")


class Outlet(Protocol):
    """The way to the peer."""

    def write(self, data: bytes) -> None:
        """Queue bytes. Never waits."""
        ...

    def unsent(self) -> int:
        """How many queued bytes the peer has not taken yet."""
        ...

    def close(self) -> None:
        """End the connection once what is queued is out."""
        ...

    def abort(self) -> None:
        """End the connection now."""
        ...


class _RequestError(Exception):
    def __init__(self, status: int, reason: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.headers = {"X-Reason": reason} if reason else {}
        self.headers |= headers or {}


class Conversation:
    """The server's side of one connection. ``clock`` is monotonic, in seconds.

    The server calls `receive` with what came, `tick` about once a second, and `lost` when the connection has ended.
    """

    def __init__(self, relay: Relay, outlet: Outlet, *, clock: Callable[[], float]) -> None:
        self._relay = relay
        self._outlet = outlet
        self._clock = clock
        self._framer = Framer()
        self._session = secrets.token_hex(8)
        self._held: deque[Request | Packet] = deque()
        self._waiting: Request | None = None
        self._wait_until = 0.0
        self._began = self._heard = clock()
        self._channel: RelayChannel | None = None
        self._publishes = False
        self._plays = False
        self._over = False
        self._closed_since: float | None = None
        self._incoming: dict[int, tuple[int, bool]] = {}  # interleaved channel -> (track, is RTCP)
        self._outgoing: dict[tuple[int, bool], int] = {}

    def receive(self, data: bytes) -> None:
        """Take what the peer sent, in pieces of any size."""
        self._heard = self._clock()
        try:
            for item in self._framer.feed(data):
                if self._over:
                    return
                if self._waiting is not None:
                    self._hold(item)
                else:
                    self._handle(item)
        except FramingError as error:
            self._outlet.write(answer(None, error.status, {"X-Reason": str(error)}))
            self._finish()
        if self._publishes and self._channel is not None:
            self._channel.flush()

    def lost(self) -> None:
        """The connection has ended, for whatever reason."""
        self._leave()
        self._over = True

    def tick(self) -> None:
        """Let time pass: end what waits or is silent for too long."""
        now = self._clock()
        if self._over:
            return
        if self._waiting is not None:
            if now >= self._wait_until:
                self._answer_waiting()
        elif self._channel is not None and self._channel.closed:
            self._closed_since = now if self._closed_since is None else self._closed_since
            if now - self._closed_since > TEARDOWN_GRACE_S:
                self._finish()
        elif not self._plays and not (self._publishes and self._is_recording()):
            if now - self._began > SETTLE_TIMEOUT_S:
                self._finish()
        elif now - self._heard > SESSION_TIMEOUT_S and (self._publishes or self._outlet.unsent()):
            self._leave()
            self._over = True
            self._outlet.abort()

    # What a channel does with its reader

    def send(self, packets: list[tuple[int, bool, bytes]]) -> None:
        """Packets for a peer that plays. One that does not read them is dropped."""
        out: list[bytes] = []
        for track, is_rtcp, payload in packets:
            channel = self._outgoing.get((track, is_rtcp))
            if channel is not None:
                out += (bytes((0x24, channel, len(payload) >> 8, len(payload) & 0xFF)), payload)
        if out:
            self._outlet.write(b"".join(out))
        if self._outlet.unsent() > MAX_UNSENT_BYTES:
            self._leave()
            self._over = True
            self._outlet.abort()

    def end(self) -> None:
        """The channel that this peer plays is over."""
        self._plays = False
        self._finish()

    # Requests

    def _handle(self, item: Request | Packet) -> None:
        if isinstance(item, Packet):
            place = self._incoming.get(item.channel)
            if place is not None and self._channel is not None and self._is_recording():
                self._channel.take(*place, item.payload)
            return
        try:
            self._request(item)
        except _RequestError as refusal:
            self._outlet.write(answer(item, refusal.status, refusal.headers))

    def _request(self, request: Request) -> None:
        if _URL.match(request.url) is None:
            raise _RequestError(400, "the address is malformed")
        named = request.headers.get("session", "").partition(";")[0].strip()
        if named and named != self._session:
            raise _RequestError(454)
        match request.method:
            case "OPTIONS":
                self._reply(request, {"Public": _METHODS})
            case "GET_PARAMETER" | "SET_PARAMETER":
                self._reply(request)
            case "DESCRIBE":
                self._describe(request)
            case "ANNOUNCE":
                self._announce(request)
            case "SETUP":
                self._setup(request)
            case "RECORD":
                self._record(request)
            case "PLAY":
                self._play(request)
            case "TEARDOWN":
                self._reply(request)
                self._finish()
            case _:
                raise _RequestError(501, headers={"Public": _METHODS})

    def _announce(self, request: Request) -> None:
        if self._channel is not None:
            raise _RequestError(455)
        if request.headers.get("content-type", "application/sdp").partition(";")[0].strip() != "application/sdp":
            raise _RequestError(400, "the body must be application/sdp")
        channel = self._relay.find(_token_of(request))
        if channel is None:
            raise _RequestError(403, "no session expects anything here")
        try:
            tracks = parse_description(request.body)
        except SdpError as error:
            raise _RequestError(400, str(error)) from None
        problem = channel.announce(self, tracks)
        if problem is not None:
            raise _RequestError(403, problem)
        self._channel, self._publishes = channel, True
        self._reply(request)

    def _describe(self, request: Request) -> None:
        if self._publishes:
            raise _RequestError(455)
        channel = self._relay.find(_token_of(request))
        if channel is None or channel.closed:
            raise _RequestError(404)
        if not channel.when_recorded(self._answer_waiting):
            self._waiting, self._wait_until = request, self._clock() + DESCRIBE_WAIT_S
            return
        base = urlsplit(request.url)
        headers = {
            "Content-Type": "application/sdp",
            "Content-Base": f"{base.scheme or 'rtsp'}://{base.netloc}/{channel.token}/",
        }
        self._reply(request, headers, write_description(channel.tracks))

    def _setup(self, request: Request) -> None:
        channel = self._channel or self._relay.find(_token_of(request))
        if channel is None or channel.closed or (not self._publishes and channel.recorded_at is None):
            raise _RequestError(404)
        if self._plays or (self._publishes and self._is_recording()):
            raise _RequestError(455)
        if channel.token != _token_of(request):
            raise _RequestError(455, "one connection has one channel")
        track = self._track_of(request, channel.tracks)
        first = _interleaved(request.headers.get("transport", ""), track)
        used = {number for number, (other, _) in self._incoming.items() if other != track}
        used |= {number for (other, _), number in self._outgoing.items() if other != track}
        if {first, first + 1} & used:
            raise _RequestError(400, "two tracks have one interleaved channel")
        self._channel = channel
        if self._publishes:
            self._incoming[first], self._incoming[first + 1] = (track, False), (track, True)
        else:
            self._outgoing[track, False], self._outgoing[track, True] = first, first + 1
        mode = ";mode=record" if self._publishes else ""
        transport = f"RTP/AVP/TCP;unicast;interleaved={first}-{first + 1}{mode}"
        self._reply(request, {"Transport": transport}, session=True)

    def _record(self, request: Request) -> None:
        channel = self._channel
        if channel is None or not self._publishes or channel.recording or not self._incoming:
            raise _RequestError(455)
        if channel.closed:
            raise _RequestError(403, "the channel is closed")
        wanted = {number for number, track in enumerate(channel.tracks) if track.kind == channel.wants}
        if not wanted & {track for track, _ in self._incoming.values()}:
            raise _RequestError(455, f"this channel takes {channel.wants}")
        self._reply(request, session=True)
        channel.record()

    def _play(self, request: Request) -> None:
        channel = self._channel
        if channel is None or self._publishes or not self._outgoing:
            raise _RequestError(455)
        if channel.closed:
            raise _RequestError(404)
        self._reply(request, {"Range": "npt=now-"}, session=True)
        if not self._plays:
            self._plays = True
            channel.add_reader(self)

    # Parts

    def _track_of(self, request: Request, tracks: tuple[Media, ...]) -> int:
        url = request.url.rstrip("/")
        for number, track in enumerate(tracks):
            control = track.control if self._publishes else f"track={number}"
            if url == control.rstrip("/") or url.endswith(f"/{control}"):
                return number
        if len(tracks) == 1:
            return 0
        raise _RequestError(404, "there is no such track")

    def _reply(
        self, request: Request, headers: dict[str, str] | None = None, body: bytes = b"", *, session: bool = False
    ) -> None:
        wanted = dict(headers or {})
        if session:
            wanted["Session"] = f"{self._session};timeout={SESSION_TIMEOUT_S}"
        self._outlet.write(answer(request, 200, wanted, body))

    def _is_recording(self) -> bool:
        channel = self._channel
        return False if channel is None else channel.publisher is self and channel.recording

    def _is_busy(self) -> bool:
        return self._over or self._waiting is not None

    def _hold(self, item: Request | Packet) -> None:
        if len(self._held) >= MAX_HELD:
            self._finish()
            return
        self._held.append(item)

    def _answer_waiting(self) -> None:
        """The channel is described now, or nothing came in time."""
        request, self._waiting = self._waiting, None
        if request is None or self._over:
            return
        channel = self._relay.find(_token_of(request))
        if channel is None or channel.closed or channel.recorded_at is None:
            self._outlet.write(answer(request, 404))
        else:
            self._handle(request)
        self._began = self._clock()
        while self._held and not self._is_busy():
            self._handle(self._held.popleft())

    def _leave(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.remove_reader(self)
            channel.lose(self)
        self._plays = self._publishes = False
        self._incoming.clear()
        self._outgoing.clear()

    def _finish(self) -> None:
        if not self._over:
            self._over = True
            self._leave()
            self._outlet.close()


def _token_of(request: Request) -> str:
    try:
        return urlsplit(request.url).path.strip("/").partition("/")[0]
    except ValueError:
        raise _RequestError(400, "the address is malformed") from None


def _interleaved(transport: str, track: int) -> int:
    """The first of the two interleaved channels that are wanted. Raises 461 unless TCP is among what is offered."""
    for offer in transport.split(","):
        parts = [part.strip() for part in offer.split(";")]
        if parts[0].upper() != "RTP/AVP/TCP" or "multicast" in parts:
            continue
        for part in parts[1:]:
            name, _, value = part.partition("=")
            if name.lower() == "interleaved" and (found := _INTERLEAVED.match(value.strip())):
                first = int(found[1])
                if first > 254 or int(found[2] or first + 1) != first + 1:
                    raise _RequestError(400, "interleaved channels must be two in a row")
                return first
        return 2 * track
    raise _RequestError(461, "only TCP is taken: RTP/AVP/TCP;interleaved=…")
