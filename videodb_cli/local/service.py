"""The embedded service as one object: state, sockets, streams and media. `app` puts HTTP in front of it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from videodb_cli.local import events
from videodb_cli.local.alerts import AlertDesk
from videodb_cli.local.describe.describer import Describer
from videodb_cli.local.dialect import Dialect, DialectName
from videodb_cli.local.faults.plan import Fault, Faults
from videodb_cli.local.http.answers import ServiceError
from videodb_cli.local.http.security import new_key
from videodb_cli.local.media.intake import MediaIntake
from videodb_cli.local.media.library import Library, clock_of, with_span
from videodb_cli.local.media.session_export import SessionExporter
from videodb_cli.local.media.store import CAP_BYTES, PLAYLIST, MediaStore, cut_playlist
from videodb_cli.local.media.streams import SourceFactory, StreamRunner, live_source
from videodb_cli.local.routing import FindingRouter
from videodb_cli.local.sockets import Hub
from videodb_cli.local.state.service_state import ServiceState
from videodb_cli.local.state.sessions import CHANNELS_TIMEOUT_S, SessionKeeper
from videodb_cli.local.webhooks import Webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from videodb_cli.local.describe.options import DescribeOptions
    from videodb_cli.local.events import Event
    from videodb_cli.local.state.records import RTStream
    from videodb_cli.settings import Secret

WATCH_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """What a service is started with. ``idle_exit_s``: end that long after the last socket and stream; None: never.

    ``describe``: the endpoint whose model describes and judges, None without one.
    """

    directory: Path
    key: str = field(default_factory=new_key, repr=False)
    loopback: bool = True
    idle_exit_s: float | None = None
    started_by: str = "local start"
    rtsps: bool = False
    channels_timeout_s: float = CHANNELS_TIMEOUT_S
    media_cap_bytes: int = CAP_BYTES
    faults: tuple[Fault, ...] = ()
    describe: DescribeOptions | None = None
    describe_key: Secret | None = None
    dialect: DialectName = "service"


class Service:
    """Everything behind the routes. Made and used on one event loop. ``on_watch`` is called every few seconds."""

    def __init__(
        self,
        options: Options,
        *,
        make_source: SourceFactory = live_source,
        on_watch: Callable[[], None] = lambda: None,
    ) -> None:
        self.options = options
        self._on_watch = on_watch
        self.base_url = ""  # known once the port is bound
        self.started_at = time.time()
        self.stop_requested = asyncio.Event()
        self.keep_media = False
        self.out_of_credits = False  # as in an account that has used them up; for tests of what is said then
        self.idle_exit_s = options.idle_exit_s
        self.faults = Faults()
        self.faults.set(list(options.faults))
        self.state = ServiceState(clock=lambda: time.time() + self.faults.skew_s)
        self.media = MediaStore(options.directory / "media", cap_bytes=options.media_cap_bytes)
        self.hub = Hub(on_change=self.touch)
        self.webhooks = Webhooks()
        self.dialect = Dialect(options.dialect)
        self.describer = Describer(options.describe, options.describe_key) if options.describe is not None else None
        if self.describer is not None and make_source is live_source:
            make_source = partial(live_source, keeps_pictures=True)
        self.alerts = AlertDesk(self.state, self._send, self._deliver, self.playback, self.describer)
        self.router = FindingRouter(self.state, self._send, self.alerts.take, self._tell_transcript, self.describer)
        self.streams = StreamRunner(
            self.state,
            self.router,
            self.media,
            make_source=make_source,
            on_change=self.touch,
        )
        self.library = Library(self.state, self.media, self._addresses)
        self.intake = MediaIntake(self.state, self.streams, self.media)
        exporter = SessionExporter(self.state, self.media, self.intake, self._addresses)
        self.sessions = SessionKeeper(
            self.state,
            self.hub,
            self.webhooks,
            self.intake,
            exporter,
            channels_timeout_s=options.channels_timeout_s,
        )
        self._busy_at = time.monotonic()

    @property
    def socket_url(self) -> str:
        """Where sockets are opened, without the ticket."""
        return "ws" + self.base_url.removeprefix("http") + "/socket"

    def open(self) -> None:
        """Prepare the media directory."""
        self.media.open()

    async def close(self) -> None:
        """Stop every stream and remove the media, unless they are to be kept."""
        self.intake.end()
        await self.sessions.close()
        if self.intake.rtsp is not None:
            await self.intake.rtsp.close()  # first: streams that read from it end at once
        self.router.close()
        await self.streams.stop_all()
        if self.describer is not None:
            await self.describer.close()
        await self.webhooks.close()
        await asyncio.to_thread(self.media.close, keep=self.keep_media)

    def request_stop(self, *, keep_media: bool = False) -> None:
        """Ask the server to end; ``keep_media`` leaves the recordings on disk."""
        self.keep_media = self.keep_media or keep_media
        self.stop_requested.set()

    def stay(self) -> None:
        """No longer end when idle."""
        self.idle_exit_s = None

    async def watch(self) -> None:
        """Until cancelled: end an idle service, and hold the media under their cap."""
        interval = WATCH_EVERY_S
        if self.idle_exit_s is not None:
            interval = min(interval, self.idle_exit_s / 4)
        while True:
            await asyncio.sleep(interval)
            self._on_watch()
            if self.is_idle_too_long():
                self.request_stop()
            await self._hold_cap()

    def is_idle_too_long(self) -> bool:
        """Whether neither a socket nor a stream has been open for ``idle_exit_s``."""
        if self.idle_exit_s is None:
            return False
        if self.hub.connections or self.streams.running or self.sessions.running:
            self.touch()
        return time.monotonic() - self._busy_at >= self.idle_exit_s

    def require_credits(self) -> None:
        """Raises `ServiceError` 402 if a test has asked for that."""
        if self.out_of_credits:
            raise ServiceError(402, "Insufficient credits to start this", "INSUFFICIENT_CREDITS")

    def media_url(self, media_id: str, name: str) -> str:
        """The address of one media file."""
        return f"{self.base_url}/media/{media_id}/{name}"

    def _send(self, connection_id: str | None, event: Event) -> None:
        self.hub.send(connection_id, self.dialect.event(event))

    def _deliver(self, url: str, body: Mapping[str, object]) -> None:
        self.webhooks.send(url, self.dialect.webhook(body))

    def _tell_transcript(self, stream: RTStream, event: Event) -> None:
        """A session's callback URL gets what was said, too."""
        session = self.state.session_of(stream)
        if session is not None and session.callback_url is not None:
            self._deliver(session.callback_url, events.transcript_webhook(session, event, self.state.clock()))

    def _addresses(self, media_id: str) -> tuple[str, str]:
        return self.media_url(media_id, PLAYLIST), self.player_url(media_id)

    def playback(self, stream: RTStream, start: float | None, end: float | None) -> tuple[str, str] | None:
        """The stream and player URL of a span of unix seconds, or of all; None if nothing of it is recorded."""
        if stream.media_id is None or stream.started_at is None:
            return None
        stream_url, player_url = self._addresses(stream.media_id)
        if start is None and end is None:
            return stream_url, player_url
        path = self.media.path(stream.media_id, PLAYLIST)
        playlist = path.read_text("utf-8") if path is not None else ""
        clock = clock_of(stream.recordings[-1], playlist)
        if start is not None and end is not None and start <= end < start + 1.0:
            end = start + 1.0
        first = max(0.0, clock.stream_second(start)) if start is not None else 0.0
        last = clock.stream_second(end) if end is not None else 1e9
        if last <= first or cut_playlist(playlist, first, last) is None:
            return None
        return with_span(stream_url, player_url, first, last)

    def player_url(self, media_id: str) -> str:
        """The address of the page that plays a recording; ``get_embed_code`` of the SDKs asks for this form."""
        return f"{self.base_url}/play/watch?v={media_id}"

    def touch(self) -> None:
        """Begin the wait of an idle service anew."""
        self._busy_at = time.monotonic()

    async def _hold_cap(self) -> None:
        """Over the cap, the oldest recording that is not playing goes; a lone stream that fills it is stopped."""
        while await asyncio.to_thread(self.media.usage) > self.media.cap_bytes:
            playing = {
                stream.media_id: stream for stream in self.state.streams.values() if stream.status == "connected"
            }
            victim = next((media_id for media_id in self.media.ids() if media_id not in playing), None)
            if victim is not None:
                await self.drop_media(victim)
                continue
            oldest = next(iter(playing.values()), None)
            if oldest is None:
                return  # only recordings kept from earlier runs are left; they are the user's
            oldest.error = f"stopped: all recordings together reached {self.media.cap_bytes} bytes"
            await self.streams.stop(oldest)

    async def drop_media(self, media_id: str) -> None:
        """Remove a recording with everything that is played from its files."""
        for lost in (*self.media.sharing(media_id), *self.library.forget_media(media_id)):
            await self.drop_media(lost)
        for stream in self.state.streams.values():
            if stream.media_id == media_id:
                stream.media_id = None
            stream.recordings = [found for found in stream.recordings if found.media_id != media_id]
            if stream.export is not None and stream.export.media_id == media_id:
                stream.export = None
        for session in self.state.sessions.values():
            session.exports = {
                channel: export for channel, export in session.exports.items() if export.media_id != media_id
            }
        await asyncio.to_thread(self.media.remove, media_id)

    def find_stream_of(self, media_id: str) -> RTStream | None:
        """The stream whose latest recording this is."""
        return next((stream for stream in self.state.streams.values() if stream.media_id == media_id), None)
