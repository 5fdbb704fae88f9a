"""Streams and sessions of an embedded service, under the control of a test instead of media."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from videodb_cli.local import events
from videodb_cli.local.analysis.base import AnalysisRecord
from videodb_cli.local.http.server import Running
from videodb_cli.local.service import Service
from videodb_cli.local.state.jobs import SceneIndex, SceneRecord
from videodb_cli.local.state.records import CaptureSessionRecord, RTStream, SpokenRecord


class Stage:
    """Streams and sessions of a running service, under the control of a test."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.environment = {"VIDEO_DB_API_KEY": running.key, "VIDEO_DB_API": running.url}
        self.transcriptions: list[tuple[str, str | None]] = []

    def do(self, work: Callable[[Service], Any]) -> Any:
        async def run(service: Service) -> Any:
            return work(service)

        return self._running.call(run)

    def stream(self, name: str = "mic:default") -> RTStream:
        async def make(service: Service) -> RTStream:
            stream = service.state.add_stream(
                url="file:///nothing",
                name=name,
                collection_id="default",
                media_types=("audio", "video"),
                sample_rate=30,
                store=False,
                ws_connection_id=None,
            )
            await service.streams.start(stream)
            return stream

        found: RTStream = self._running.call(make)
        return found

    def transcribe(self, stream: RTStream, connection_id: str) -> None:
        def start(_: Service) -> None:
            stream.transcription.status = "running"
            stream.transcription.ws_connection_id = connection_id

        self.do(start)

    def index(self, stream: RTStream, connection_id: str) -> SceneIndex:
        return self.do(
            lambda service: service.state.jobs.add_index(
                stream,
                extraction_type="time",
                extraction_config={},
                prompt="x",
                name=None,
                ws_connection_id=connection_id,
            )
        )

    def session(self, stream: RTStream, connection_id: str) -> CaptureSessionRecord:
        def make(service: Service) -> CaptureSessionRecord:
            session = service.state.create_session(
                "default", end_user_id="u", callback_url=None, ws_connection_id=connection_id, metadata={}
            )
            session.status = "active"
            session.rtstream_ids = (stream.id,)
            data = events.session_data(session, service.state.streams)
            service.hub.send(connection_id, events.lifecycle(session.id, "active", data))
            return session

        return self.do(make)

    def speak(self, stream: RTStream, text: str, at: float, length: float = 2.0) -> None:
        """Final speech, as a source reports it: kept as a record, and sent to whom it may concern."""
        self.do(lambda service: self.say_on_loop(service, stream, text, at, length))

    def show(self, stream: RTStream, index: SceneIndex, text: str, at: float, length: float = 2.0) -> None:
        """What an index sees."""
        self.do(lambda service: self.show_on_loop(service, stream, index, text, at, length))

    @staticmethod
    def say_on_loop(service: Service, stream: RTStream, text: str, at: float, length: float) -> None:
        """`speak`, from the service's loop. The service's clock may be wrong."""
        at += service.faults.skew_s
        record = AnalysisRecord(kind="transcript", text=text, start=at, end=at + length, is_final=True, model="test")
        stream.transcription.records.append(SpokenRecord(at, at + length, text))
        service.hub.send(stream.transcription.ws_connection_id, events.transcript(stream, record))

    @staticmethod
    def show_on_loop(
        service: Service, stream: RTStream, index: SceneIndex, text: str, at: float, length: float
    ) -> None:
        """`show`, from the service's loop."""
        at += service.faults.skew_s
        record = AnalysisRecord(kind="visual_index", text=text, start=at, end=at + length, is_final=True, model="test")
        index.records.append(SceneRecord(at, at + length, text))
        service.hub.send(index.ws_connection_id, events.index_event("visual_index", stream, index, record))

    def close_sockets(self, code: int = 1001) -> None:
        def close(service: Service) -> None:
            for connection in service.hub.connections.values():
                connection.close(code)

        self.do(close)
