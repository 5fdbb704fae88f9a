"""Where the findings of the analysers go: to transcripts, indexes and understandings, and to whoever is told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from videodb_cli.local import events
from videodb_cli.local.state.jobs import SceneIndex, SceneRecord, Understanding
from videodb_cli.local.state.records import SpokenRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from videodb_cli.local.analysis.base import AnalysisRecord
    from videodb_cli.local.describe.describer import Describer
    from videodb_cli.local.events import Event
    from videodb_cli.local.state.jobs import AnalysisJob, Index
    from videodb_cli.local.state.records import RTStream
    from videodb_cli.local.state.service_state import ServiceState

_TICK_S: Final = 0.25


class FindingRouter:
    """Keeps findings as records and sends their events. Its methods run on the event loop.

    ``send(connection_id, event)`` reaches a socket; ``on_found`` gets each record of an index, for its alerts. With a
    ``describer`` the records of a job are described with its prompt first.
    """

    def __init__(
        self,
        state: ServiceState,
        send: Callable[[str | None, Event], object],
        on_found: Callable[[RTStream, Index, AnalysisRecord], None],
        on_transcript: Callable[[RTStream, Event], None],
        describer: Describer | None = None,
    ) -> None:
        self._state = state
        self._send = send
        self._on_found = on_found
        self._on_transcript = on_transcript
        self._describer = describer
        self._timer: asyncio.TimerHandle | None = None

    def take(self, stream: RTStream, record: AnalysisRecord) -> None:
        """Hand one finding to everything on the stream that wants it."""
        if record.kind == "transcript":
            self._take_speech(stream, record)
            return
        extraction_type = "time" if record.kind == "visual_index" else "transcript"
        for job in stream.jobs():
            if job.extraction_type == extraction_type and job.wants(record.start):
                if job.batch is None:
                    self._keep(stream, job, record)
                else:
                    self._keep_all(stream, job, job.batch.take(record))
                    if job.status == "running":
                        self._watch()
                    else:  # it was seen before the stop, and no window passes any more
                        self.job_ended(stream, job)

    def job_began(self, job: AnalysisJob) -> None:
        """A job was started: its windows pass from now on, also while nothing is found."""
        if job.batch is not None:
            self._watch()

    def job_ended(self, stream: RTStream, job: AnalysisJob) -> None:
        """A job was stopped, or its stream: what it has gathered is told."""
        if job.batch is not None:
            self._keep_all(stream, job, job.batch.flush(self._state.clock()))

    def close(self) -> None:
        """No longer look at the time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _take_speech(self, stream: RTStream, record: AnalysisRecord) -> None:
        if record.is_final:
            words = tuple((word.text, word.start, word.end) for word in record.words)
            stream.transcription.records.append(SpokenRecord(record.start, record.end, record.text, words))
        event = events.transcript(stream, record)
        self._send(stream.transcription.ws_connection_id, event)
        if record.is_final:
            self._on_transcript(stream, event)

    def _watch(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        now = self._state.clock()
        is_needed = False
        for stream in self._state.streams.values():
            for job in stream.jobs():
                if job.batch is not None and job.status == "running" and stream.is_playing:
                    self._keep_all(stream, job, job.batch.tick(now))
                    is_needed = True
        if is_needed:
            self._watch()

    def _keep_all(self, stream: RTStream, job: AnalysisJob, records: list[AnalysisRecord]) -> None:
        for record in records:
            self._keep(stream, job, record)

    def _keep(self, stream: RTStream, job: AnalysisJob, record: AnalysisRecord) -> None:
        if self._describer is not None and isinstance(job, SceneIndex | Understanding):
            self._describer.describe(job.id, job.prompt, record, lambda told: self._publish(stream, job, told))
        else:
            self._publish(stream, job, record)

    def _publish(self, stream: RTStream, job: AnalysisJob, record: AnalysisRecord) -> None:
        kept = SceneRecord(record.start, record.end, record.text, record.model)
        if isinstance(job, SceneIndex):
            job.records.append(kept)
            self._send(job.ws_connection_id, events.index_event(record.kind, stream, job, record))
            self._on_found(stream, job, record)
        elif isinstance(job, Understanding):
            self._send(job.ws_connection_id, events.understanding_event(stream, job, record))
            if job.store:
                job.records.append(kept)
            for index in stream.materialized.values():
                if index.source_understanding_id == job.id and index.status == "running":
                    index.records.append(kept)
                    self._on_found(stream, index, record)
