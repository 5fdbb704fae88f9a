"""Running streams: what a source must be able to do, and the glue from its analysers to the records and the socket.

A source works in threads of its own. Everything that it reports is handed to the event loop first, so that the state
has one thread.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import TYPE_CHECKING, Protocol

from videodb_cli.errors import VideodbError
from videodb_cli.local.http.answers import ServiceError, invalid
from videodb_cli.local.media.library import add_stream_asset
from videodb_cli.local.media.store import EXPORT
from videodb_cli.local.state.records import ExportRecord, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from videodb_cli.local.analysis.base import AnalysisRecord, StreamState
    from videodb_cli.local.media.store import MediaStore
    from videodb_cli.local.routing import FindingRouter
    from videodb_cli.local.state.jobs import AnalysisJob
    from videodb_cli.local.state.records import RTStream
    from videodb_cli.local.state.service_state import ServiceState

log = logging.getLogger(__name__)

LAST_STOP_S = 3.0


class StreamSource(Protocol):
    """One source played in real time into HLS, fragmented MP4 and analysers. ``start`` may block for seconds."""

    media_types: tuple[str, ...]

    @property
    def clock_moves(self) -> Sequence[tuple[float, float]]:
        """What each second of the recording was dated by: pairs of a second and the unix time that belongs to it."""

    def start(self) -> None:
        """Open the source and play it; returns when it plays. Raises what `open_source` raises."""

    def start_transcription(self) -> None:
        """Begin to recognise speech from now on."""

    def stop_transcription(self) -> None:
        """Stop to recognise speech; what was heard before is still reported."""

    def start_screen_index(self) -> None:
        """Begin to read the text on the picture from now on."""

    def stop_screen_index(self) -> None:
        """Stop to read the text on the picture."""

    def start_audio_index(self) -> None:
        """Begin to describe the sound from now on."""

    def stop_audio_index(self) -> None:
        """Stop to describe the sound."""

    def stop(self, timeout_s: float = 10.0) -> None:
        """End playing, and wait for the end of all workers, at most so long."""

    def export(self, target: Path, *, start: float | None = None, end: float | None = None) -> float:
        """Write what was played between two unix times into an MP4 file; return its length in seconds."""


class SourceFactory(Protocol):
    """Makes the source for one run of a stream; its media go under ``directory``.

    A ``patient`` source may be silent for a long time: somebody else ends it when it is over.
    """

    def __call__(
        self,
        url: str,
        directory: Path,
        *,
        on_record: Callable[[AnalysisRecord], None],
        on_state: Callable[[StreamState], None],
        patient: bool = False,
    ) -> StreamSource:
        """Return a source that is not started yet; it calls back from threads of its own."""


def live_source(
    url: str,
    directory: Path,
    *,
    on_record: Callable[[AnalysisRecord], None],
    on_state: Callable[[StreamState], None],
    patient: bool = False,
    keeps_pictures: bool = False,
) -> StreamSource:
    """The real source: PyAV and the analysers, imported only when a stream is started."""
    from videodb_cli.local.media.live_stream import LiveStream

    return LiveStream(
        url, directory, on_record=on_record, on_state=on_state, patient=patient, keeps_pictures=keeps_pictures
    )


class StreamRunner:
    """Starts and stops sources, and hands on what they find. Its methods run on the event loop."""

    def __init__(
        self,
        state: ServiceState,
        router: FindingRouter,
        media: MediaStore,
        *,
        make_source: SourceFactory = live_source,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._state = state
        self._router = router
        self._media = media
        self._make_source = make_source
        self._on_change = on_change
        self._sources: dict[str, StreamSource] = {}  # the latest of each stream, kept after its end for the export
        self._locks: dict[str, asyncio.Lock] = {}
        self._early_ends: dict[int, StreamState] = {}  # of sources that ended before start() was seen to return
        self._ending = threading.Event()
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}  # for the end of a stream

    @property
    def running(self) -> int:
        """How many streams play now."""
        return sum(stream.status == "connected" for stream in self._state.streams.values())

    async def start(self, stream: RTStream) -> None:
        """Play the source of ``stream`` from its beginning into a new recording; nothing happens if it plays already.

        Raises `ServiceError` 400 with the reason if the source cannot be opened.
        """
        async with self._lock(stream):
            if stream.status == "connected":
                return
            media_id, directory = self._media.create_directory()
            loop = asyncio.get_running_loop()
            source = self._build(stream, directory, loop)
            started_at = self._state.clock()
            try:
                await _in_daemon_thread(source.start)
            except BaseException as error:
                self._early_ends.pop(id(source), None)
                self._media.remove(media_id)
                if isinstance(error, VideodbError):
                    raise problem_of(error) from error
                raise
            before = self._sources.get(stream.id)
            if before is not None:
                await asyncio.to_thread(before.stop)
            self._sources[stream.id] = source
            wanted = set(stream.media_types)
            stream.media_types = tuple(kind for kind in source.media_types if not wanted or kind in wanted)
            stream.media_id, stream.started_at = media_id, started_at
            stream.export = stream.exported_asset_id = None
            stream.recordings.append(Recorded(media_id, started_at, source.clock_moves))
            stream.status, stream.error = "connected", None
            self._on_change()
            early_end = self._early_ends.pop(id(source), None)
            if early_end is not None:
                self._take_state(stream, source, early_end)
                return
            await self._resume_analysis(stream, source)

    async def stop(self, stream: RTStream) -> None:
        """Stop playing and finish the recording. Idempotent."""
        async with self._lock(stream):
            source = self._sources.get(stream.id)
            if source is not None:
                await asyncio.to_thread(source.stop)
            self._mark_stopped(stream)

    async def forget(self, stream: RTStream) -> None:
        """Stop playing and throw the recordings away: the stream could not be had as it was asked for."""
        await self.stop(stream)
        self._sources.pop(stream.id, None)
        self._locks.pop(stream.id, None)
        for recorded in stream.recordings:
            await asyncio.to_thread(self._media.remove, recorded.media_id)

    async def wait_stopped(self, stream: RTStream, timeout_s: float | None) -> bool:
        """Whether ``stream`` has come to its end, everything told, within ``timeout_s`` (None: however long)."""
        if stream.status != "connected":
            return True
        stopped = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(stream.id, [])
        waiting.append(stopped)
        try:
            await asyncio.wait_for(stopped, timeout_s)
        except TimeoutError:
            return False
        finally:
            waiting.remove(stopped)
        return True

    async def stop_all(self) -> None:
        """Stop every source at the end of the service, when nobody waits for what is still being analysed."""
        self._ending.set()
        await asyncio.gather(*(asyncio.to_thread(source.stop, LAST_STOP_S) for source in self._sources.values()))

    async def start_transcription(self, stream: RTStream, ws_connection_id: str | None) -> None:
        """Recognise speech; if that runs already, send it to the new connection id from now on.

        Raises `ServiceError` 400, for a stream without sound or when the speech model is missing.
        """
        async with self._lock(stream):
            transcription = stream.transcription
            source = self._must_play(stream)
            if transcription.status != "running":
                if "audio" not in stream.media_types:
                    raise invalid(f"RTStream {stream.id} has no audio to transcribe")
                await _call(source.start_transcription)
            now = self._state.clock()
            transcription.status = "running"
            transcription.created_at = transcription.created_at or now
            transcription.updated_at = now
            if ws_connection_id is not None:
                transcription.ws_connection_id = ws_connection_id

    async def stop_transcription(self, stream: RTStream) -> None:
        """Stop recognising speech; what was said stays readable. Idempotent."""
        async with self._lock(stream):
            transcription = stream.transcription
            if transcription.status != "running":
                return
            source = self._playing(stream)
            if source is not None:
                await _call(source.stop_transcription)
            transcription.status, transcription.updated_at = "stopped", self._state.clock()

    async def start_job(self, stream: RTStream, job: AnalysisJob) -> None:
        """Let an index or an understanding describe the picture, or the sound, from now on.

        Raises `ServiceError` 400 for a stream that does not play, or has no such media.
        """
        async with self._lock(stream):
            kind = "audio" if job.extraction_type == "transcript" else "video"
            source = self._must_play(stream)
            if kind not in stream.media_types:
                raise invalid(f"RTStream {stream.id} has no {kind} to index")
            if not _running_jobs(stream, job.extraction_type, besides=job):
                await _call(source.start_audio_index if kind == "audio" else source.start_screen_index)
            job.status = "running"
            self._router.job_began(job)

    async def stop_job(self, stream: RTStream, job: AnalysisJob) -> None:
        """Stop an index or an understanding; its records stay readable. Idempotent."""
        async with self._lock(stream):
            if job.status != "running":
                return
            source = self._playing(stream)
            if source is not None and not _running_jobs(stream, job.extraction_type, besides=job):
                is_sound = job.extraction_type == "transcript"
                await _call(source.stop_audio_index if is_sound else source.stop_screen_index)
            self._router.job_ended(stream, job)
            job.status, job.stopped_at = "stopped", self._state.clock()

    async def export(self, stream: RTStream, name: str | None) -> ExportRecord:
        """The recording as an MP4, made once; of a stream that was started again, all of them in a row.

        Raises `ServiceError` 400 while it plays or if none was stored.
        """
        async with self._lock(stream):
            if stream.export is not None:
                return stream.export
            if stream.status == "connected":
                raise ServiceError(
                    400, f"RTStream {stream.id} is still running: stop it before the export", "STREAM_RUNNING"
                )
            source = self._sources.get(stream.id)
            if source is None or stream.media_id is None or not stream.store:
                raise no_recordings(stream)
            found = (self._media.recording(recorded.media_id) for recorded in stream.recordings)
            paths = [path for path in found if path is not None]
            media_id, directory = self._media.create_directory(hls_of=stream.media_id if len(paths) < 2 else None)
            target = directory / EXPORT
            try:
                if len(paths) < 2:
                    duration = await asyncio.to_thread(source.export, target)
                else:
                    duration = await asyncio.to_thread(self._join, paths, target)
            except VideodbError as error:
                self._media.remove(media_id)
                raise problem_of(error) from error
            name = name or f"{stream.name} - Recording"
            asset = add_stream_asset(self._state, self._media, stream, media_id=media_id, name=name, length=duration)
            stream.export = ExportRecord(asset.id, media_id, name, duration)
            return stream.export

    async def add_raw_asset(self, stream: RTStream) -> None:
        """Make an asset of what was recorded of a stream that has ended, without a copy; several runs are joined."""
        if stream.exported_asset_id is not None or not stream.store or stream.media_id is None:
            return
        if len(stream.recordings) > 1:
            await self.export(stream, None)
            return
        media_id, _ = self._media.create_directory(hls_of=stream.media_id)
        add_stream_asset(self._state, self._media, stream, media_id=media_id, name=f"{stream.name} - Recording")

    def _join(self, paths: list[Path], target: Path) -> float:
        from videodb_cli.local.media.mix import join_recordings

        return join_recordings(paths, target.parent, target, unwanted=self._ending)

    async def _resume_analysis(self, stream: RTStream, source: StreamSource) -> None:
        """Analysis that was asked for before the stream was started again goes on with the new source."""
        if stream.transcription.status == "running" and "audio" in stream.media_types:
            await _call(source.start_transcription)
        if _running_jobs(stream, "time") and "video" in stream.media_types:
            await _call(source.start_screen_index)
        if _running_jobs(stream, "transcript") and "audio" in stream.media_types:
            await _call(source.start_audio_index)

    def _build(self, stream: RTStream, directory: Path, loop: asyncio.AbstractEventLoop) -> StreamSource:
        made: list[StreamSource] = []

        def hand_over(function: Callable[[], None]) -> None:
            try:
                loop.call_soon_threadsafe(function)
            except RuntimeError:  # the loop has ended with the service: nobody is left to tell
                log.debug("a report of %s came after the end of the service", stream.id)

        def on_record(record: AnalysisRecord) -> None:
            hand_over(lambda: self._router.take(stream, record))

        def on_state(state: StreamState) -> None:
            hand_over(lambda: self._take_state(stream, made[0] if made else None, state))

        patient = stream.channel is not None  # a capture session ends its streams; their publishers may come back
        source = self._make_source(stream.url, directory, on_record=on_record, on_state=on_state, patient=patient)
        made.append(source)
        return source

    def _take_state(self, stream: RTStream, source: StreamSource | None, state: StreamState) -> None:
        if source is None:
            return
        if self._sources.get(stream.id) is not source:
            if state.status in {"ended", "failed"} and stream.status != "connected":
                self._early_ends[id(source)] = state  # start() has not returned yet, or it raises what this says
            return
        if state.error is not None or state.status == "failed":
            stream.error = state.error or "the source failed"
            log.warning("stream %s: %s", stream.id, stream.error)
        if state.status in {"ended", "failed"}:
            self._mark_stopped(stream)

    def _mark_stopped(self, stream: RTStream) -> None:
        if stream.is_playing:
            for job in stream.jobs():
                self._router.job_ended(stream, job)
        stream.status = "stopped"
        for waiting in self._waiting.get(stream.id, ()):
            if not waiting.done():
                waiting.set_result(None)
        self._on_change()

    def _playing(self, stream: RTStream) -> StreamSource | None:
        return self._sources.get(stream.id) if stream.status == "connected" else None

    def _must_play(self, stream: RTStream) -> StreamSource:
        source = self._playing(stream)
        if source is None:
            raise ServiceError(400, f"RTStream {stream.id} is stopped: start it first", "STREAM_STOPPED")
        return source

    def _lock(self, stream: RTStream) -> asyncio.Lock:
        return self._locks.setdefault(stream.id, asyncio.Lock())


def problem_of(error: VideodbError) -> ServiceError:
    """A failure of ours as the service's error body: the sentence, and the command that mends it."""
    message = error.message if error.hint is None else f"{error.message} · {error.hint}"
    return ServiceError(400, message, error.code.upper())


def no_recordings(stream: RTStream) -> ServiceError:
    """400: nothing of ``stream`` was recorded, or it was created without ``store``."""
    return ServiceError(400, f"No recordings available for RTStream {stream.id}", "NO_RECORDINGS")


def _running_jobs(stream: RTStream, extraction_type: str, *, besides: AnalysisJob | None = None) -> list[AnalysisJob]:
    return [
        job
        for job in stream.jobs()
        if job is not besides and job.status == "running" and job.extraction_type == extraction_type
    ]


async def _in_daemon_thread(function: Callable[[], None]) -> None:
    """Run a call that may wait long for a dead address, in a thread that the end of the process does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[None] = loop.create_future()

    def settle(error: BaseException | None) -> None:
        if not done.done():
            done.set_exception(error) if error is not None else done.set_result(None)

    def work() -> None:
        failure: BaseException | None = None
        try:
            function()
        except BaseException as error:  # noqa: BLE001 - raised again where the call is awaited
            failure = error
        try:
            loop.call_soon_threadsafe(settle, failure)
        except RuntimeError:
            log.debug("the service ended while a source was being opened")

    threading.Thread(target=work, name="open source", daemon=True).start()
    await done


async def _call(function: Callable[[], None]) -> None:
    """Run a call that may load a model in a thread, its failure as a `ServiceError`."""
    try:
        await asyncio.to_thread(function)
    except VideodbError as error:
        raise problem_of(error) from error
