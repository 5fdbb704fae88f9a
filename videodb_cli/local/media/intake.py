"""Media of capture sessions coming in: a place to publish for each channel, and a stream for each that is published.

A recorder publishes to our own `rtsp` server; the stream reads the same address, as any player would.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from videodb_cli.local.http.answers import ServiceError
from videodb_cli.local.rtsp.relay import BACKLOG_AFTER_READER_S

if TYPE_CHECKING:
    from pathlib import Path

    from videodb_cli.local.media.store import MediaStore
    from videodb_cli.local.media.streams import StreamRunner
    from videodb_cli.local.rtsp import relay
    from videodb_cli.local.rtsp.server import RtspServer
    from videodb_cli.local.state.records import CaptureSessionRecord, Recorded, RTStream, SessionChannel
    from videodb_cli.local.state.service_state import ServiceState

log = logging.getLogger(__name__)

ABANDONED_AFTER_S: Final = 60.0
_FINISH_S: Final = 20.0  # for what was said last to be recognised


class IntakeListener(Protocol):
    """Who is told how the channels of a session are."""

    def on_recording(self, session: CaptureSessionRecord) -> None:
        """Every channel records."""
        ...

    def on_refused(self, session: CaptureSessionRecord, channel: SessionChannel, reason: str) -> None:
        """What is published for a channel cannot be read."""
        ...

    def on_broken(self, session: CaptureSessionRecord, reason: str) -> None:
        """Nothing of what is published can be recorded any more."""
        ...

    def on_abandoned(self, session: CaptureSessionRecord) -> None:
        """No channel has had a publisher for a while."""
        ...


@dataclass(frozen=True, slots=True)
class Recording:
    """What was recorded of one channel. ``began_at``: the unix second of its beginning."""

    channel: SessionChannel
    stream: RTStream
    recorded: Recorded
    path: Path
    began_at: float


@dataclass(slots=True)
class _Place:
    channel: SessionChannel
    inlet: relay.RelayChannel
    stream: RTStream | None = None

    @property
    def flows(self) -> bool:
        return self.inlet.recording and self.has_come

    @property
    def has_come(self) -> bool:
        """Whether it has been recorded from; what is very short may be over before the other channels come."""
        return self.inlet.recorded_at is not None and self.stream is not None and self.stream.status == "connected"


@dataclass(slots=True)
class _Run:
    session: CaptureSessionRecord
    listener: IntakeListener
    places: list[_Place] = field(default_factory=list)
    told: bool = False
    closing: bool = False
    abandoned: asyncio.TimerHandle | None = None
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    watches: set[asyncio.Task[None]] = field(default_factory=set)


class MediaIntake:
    """The channels of all sessions. Its methods run on the event loop; ``rtsp`` is set before the first session."""

    def __init__(
        self,
        state: ServiceState,
        streams: StreamRunner,
        media: MediaStore,
        *,
        abandoned_after_s: float = ABANDONED_AFTER_S,
    ) -> None:
        self.rtsp: RtspServer | None = None
        self._state = state
        self._streams = streams
        self._media = media
        self.abandoned_after_s = abandoned_after_s
        self._runs: dict[str, _Run] = {}

    def open(self, session: CaptureSessionRecord, listener: IntakeListener) -> None:
        """Expect the channels of ``session``; ``listener`` is told how it goes on."""
        assert self.rtsp is not None  # noqa: S101 - the server sets it before it answers anything
        run = _Run(session, listener)
        self._runs[session.id] = run
        for channel in session.channels:
            inlet = self.rtsp.relay.expect(
                channel.type,
                on_record=lambda inlet: self._recorded(run, inlet),
                on_lost=lambda _: self._lost(run),
            )
            run.places.append(_Place(channel, inlet))

    def urls(self, session: CaptureSessionRecord, host: str) -> dict[str, str]:
        """Where to publish each channel, for somebody who reaches this machine as ``host``; empty once it is over."""
        run = self._runs.get(session.id)
        if run is None or run.closing or self.rtsp is None:
            return {}
        return {place.channel.channel_id: self.rtsp.url(place.inlet.token, host) for place in run.places}

    def missing(self, session: CaptureSessionRecord) -> list[str]:
        """The channels that do not record."""
        run = self._runs.get(session.id)
        return [place.channel.channel_id for place in run.places if not place.has_come] if run is not None else []

    async def close(self, session: CaptureSessionRecord) -> None:
        """Expect nothing more and finish every recording. Idempotent."""
        run = self._runs.get(session.id)
        if run is None or run.closing:
            return
        _no_longer_watch(run)
        if self.rtsp is not None:
            for place in run.places:
                self.rtsp.relay.drop(place.inlet)
        await asyncio.gather(*run.tasks, return_exceptions=True)
        streams = [place.stream for place in run.places if place.stream is not None]
        # The end of what was published ends the streams, in their own time: first what came last is heard.
        await asyncio.gather(*(self._streams.wait_stopped(stream, _FINISH_S) for stream in streams))
        await asyncio.gather(*(self._streams.stop(stream) for stream in streams))

    def end(self) -> None:
        """Tell nothing more of any session: the service ends."""
        for run in self._runs.values():
            _no_longer_watch(run)

    def recordings(self, session: CaptureSessionRecord) -> list[Recording]:
        """What was recorded of the channels that are to be stored, in the order of the channels.

        A channel whose stream was stopped and started again has several, the oldest first.
        """
        run = self._runs.get(session.id)
        found: list[Recording] = []
        for place in run.places if run is not None else ():
            if place.stream is None or place.inlet.recorded_at is None or not place.channel.store:
                continue
            of_channel: dict[float, Recording] = {}
            for recorded in place.stream.recordings:
                path = self._media.recording(recorded.media_id)
                began_at = recorded.began_at
                if began_at - place.inlet.recorded_at <= BACKLOG_AFTER_READER_S:
                    # It has the beginning too: one that was started again so early replaces the one before.
                    began_at = place.inlet.recorded_at
                if path is not None:
                    of_channel[began_at] = Recording(place.channel, place.stream, recorded, path, began_at)
            found += of_channel.values()
        return found

    async def add_raw_assets(self, session: CaptureSessionRecord) -> None:
        """Make an asset of each channel of which something was stored; the session has ended."""
        for stream in {found.stream.id: found.stream for found in self.recordings(session)}.values():
            try:
                await self._streams.add_raw_asset(stream)
            except ServiceError as error:
                log.warning("%s of %s has no asset of its own: %s", stream.name, session.id, error.message)

    def _recorded(self, run: _Run, inlet: relay.RelayChannel) -> None:
        if run.abandoned is not None:
            run.abandoned.cancel()
            run.abandoned = None
        place = next(place for place in run.places if place.inlet is inlet)
        self._spawn(run, self._read(run, place))

    async def _read(self, run: _Run, place: _Place) -> None:
        """Let the stream of a channel play what is published, unless it does already."""
        stream = place.stream
        if stream is None:
            stream = place.stream = self._add_stream(run.session, place)
        if stream.status != "connected":
            try:
                await self._streams.start(stream)
            except ServiceError as error:
                if not run.closing:
                    run.listener.on_refused(run.session, place.channel, error.message)
                return
            self._spawn(run, self._watch(run, stream), run.watches)
        if not run.told and not run.closing and all(other.has_come for other in run.places):
            run.told = True
            run.session.rtstream_ids = tuple(other.stream.id for other in run.places if other.stream is not None)
            run.listener.on_recording(run.session)

    async def _watch(self, run: _Run, stream: RTStream) -> None:
        """Tell if a stream breaks (a full disk) and no other one is left. One that the user stops has no error."""
        await self._streams.wait_stopped(stream, None)
        if stream.error is not None and not run.closing and not any(place.flows for place in run.places):
            run.listener.on_broken(run.session, f"{stream.name}: {stream.error}")

    def _add_stream(self, session: CaptureSessionRecord, place: _Place) -> RTStream:
        assert self.rtsp is not None  # noqa: S101 - see open
        stream = self._state.add_stream(
            url=self.rtsp.own_url(place.inlet.token),
            name=place.channel.channel_id,
            collection_id=session.collection_id,
            media_types=["video" if place.channel.type == "video" else "audio"],
            sample_rate=30,
            store=place.channel.store,
            ws_connection_id=session.ws_connection_id,
        )
        stream.channel = place.channel.category
        return stream

    def _lost(self, run: _Run) -> None:
        if run.closing or run.abandoned is not None or any(place.inlet.recording for place in run.places):
            return
        loop = asyncio.get_running_loop()
        run.abandoned = loop.call_later(self.abandoned_after_s, run.listener.on_abandoned, run.session)

    @staticmethod
    def _spawn(run: _Run, work: Coroutine[object, object, None], tasks: set[asyncio.Task[None]] | None = None) -> None:
        task = asyncio.ensure_future(work)
        (run.tasks if tasks is None else tasks).add(task)
        task.add_done_callback(lambda done: _finished(run, done))


def _no_longer_watch(run: _Run) -> None:
    run.closing = True
    if run.abandoned is not None:
        run.abandoned.cancel()
    for watch in tuple(run.watches):
        watch.cancel()


def _finished(run: _Run, task: asyncio.Task[None]) -> None:
    run.tasks.discard(task)
    run.watches.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a channel of %s could not be read", run.session.id, exc_info=error)
