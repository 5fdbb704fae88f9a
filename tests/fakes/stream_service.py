"""A service's streams, transcriptions, indexes and sessions, as `StreamCalls` shows them, without a network.

What a pipeline makes goes live to the connection that it is bound to, if that is open, and becomes a record that can be
read. Both may be late. The embedded service is the judge of the shapes; this one keeps virtual time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.virtual_time import VirtualTime
from videodb_cli.api.failures import NoSuchThingError, RequestFailedError

STATUSES = ("active", "stopping", "stopped", "exported")


@dataclass(frozen=True)
class Made:
    """One thing that a pipeline made; times are the service's (Unix seconds)."""

    text: str
    start: float
    end: float
    readable_at: float


@dataclass
class FakePipeline:
    """A transcription (without an index id) or an index. ``is_named``: its events carry the index id."""

    stream: str
    channel: str
    index_id: str | None
    bound_to: str | None
    is_named: bool = True
    is_running: bool = True
    made: list[Made] = field(default_factory=list)


class StreamService:
    """Streams and sessions, and who listens. Times are virtual.

    Attributes:
        skew_s: By how much the service's clock is ahead.
        is_down: Every call fails.
        latency_s: How long a call takes; it answers what was so when it began.
        rebinds: Whether starting a transcription again points it at another connection.
        is_strict: It answers 404 where a stream has no index, or no transcription.
    """

    def __init__(self, time: VirtualTime) -> None:
        self._time = time
        self.connections: dict[str, Callable[[bytes], None]] = {}
        self.pipelines: list[FakePipeline] = []
        self.streams: dict[str, str] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.session_connections: dict[str, str] = {}
        self.skew_s = 0.0
        self.is_down = False
        self.latency_s = 0.0
        self.rebinds = True
        self.is_strict = False
        self.sent: list[dict[str, Any]] = []
        self.session_calls = 0

    @property
    def clock_offset_s(self) -> float | None:
        return round(self.skew_s) if self.skew_s else None

    # ---- what happens at the service -----------------------------------------------------------------------------

    def add_stream(self, stream: str) -> None:
        self.streams[stream] = "connected"

    def add_session(self, session: str, streams: list[str], connection_id: str) -> None:
        members = [{"rtstream_id": stream, "name": f"name of {stream}"} for stream in streams]
        self.sessions[session] = {"id": session, "status": "active", "rtstreams": members}
        self.session_connections[session] = connection_id
        self.send_session(session)

    def step_session(self, session: str, *, is_silent: bool = False) -> None:
        """Let a session go on to its next status; its streams make nothing more once it has stopped.

        ``is_silent``: no event tells of it.
        """
        found = self.sessions[session]
        found["status"] = STATUSES[min(STATUSES.index(found["status"]) + 1, len(STATUSES) - 1)]
        found["export_status"] = {"stopped": "exporting", "exported": "exported"}.get(found["status"])
        if found["status"] == "stopped":
            members = {member["rtstream_id"] for member in found["rtstreams"]}
            for pipeline in self.pipelines:
                pipeline.is_running &= pipeline.stream not in members
        if not is_silent:
            self.send_session(session)

    def send_session(self, session: str) -> None:
        found = self.sessions[session]
        status = found["status"]
        data = {"rtstreams": found["rtstreams"]} if status == "active" else {}
        name = f"capture_session.{status}"
        event = {"channel": "capture_session", "event": name, "capture_session_id": session, "status": status}
        self.deliver(self.session_connections[session], {**event, "data": data})

    def add_pipeline(
        self, stream: str, channel: str, index_id: str | None, bound_to: str | None, *, is_named: bool = True
    ) -> FakePipeline:
        pipeline = FakePipeline(stream, channel, index_id, bound_to, is_named)
        self.pipelines.append(pipeline)
        return pipeline

    def make(
        self, pipeline: FakePipeline, text: str, *, live_after_s: float = 0.0, record_after_s: float = 0.0
    ) -> Made:
        """Let a pipeline make something now."""
        end = self._time.time() + self.skew_s
        made = Made(text, end - 2.0, end, end + record_after_s)
        pipeline.made.append(made)
        data: dict[str, Any] = {"text": text, "start": round(made.start * 1000), "end": round(made.end * 1000)}
        if pipeline.index_id is None:
            data["is_final"] = True
        event = {"channel": pipeline.channel, "rtstream_id": pipeline.stream, "data": data}
        if pipeline.index_id is not None:
            # Two sockets never carry the same message because two indexes say the same.
            data["model"] = f"model of {pipeline.index_id}"
            if pipeline.is_named:
                event["rtstream_index_id"] = pipeline.index_id
        if live_after_s > 0:
            self._time.later(live_after_s, self.deliver, pipeline.bound_to, event)
        else:
            self.deliver(pipeline.bound_to, event)
        return made

    def deliver(self, connection_id: str | None, event: dict[str, Any]) -> None:
        """Send an event to a connection, if it is open."""
        receive = self.connections.get(connection_id or "")
        if receive is not None:
            self.sent.append(event)
            receive(json.dumps(event).encode())

    # ---- StreamCalls ---------------------------------------------------------------------------------------------

    async def transcription_records(self, stream: str, since: float) -> list[Any]:
        pipeline = self._find(stream, None)
        found = [] if pipeline is None else self._records(pipeline, "text", since, float("inf"))
        await self._call(is_known=pipeline is not None or not self.is_strict)
        return found

    async def scene_records(self, stream: str, index: str, start: float, end: float) -> list[Any]:
        pipeline = self._find(stream, index)
        found = [] if pipeline is None else self._records(pipeline, "description", start, end)
        await self._call(is_known=pipeline is not None)
        return found

    async def scene_indexes(self, stream: str) -> list[Any]:
        kinds = {"visual_index": "time", "audio_index": "transcript"}
        found = [
            {"rtstream_index_id": p.index_id, "extraction_type": kinds[p.channel]}
            for p in self.pipelines
            if p.stream == stream and p.index_id is not None
        ]
        await self._call(is_known=bool(found) or not self.is_strict)
        return found

    async def transcription_status(self, stream: str) -> str | None:
        pipeline = self._find(stream, None)
        status = "not_configured" if pipeline is None else "running" if pipeline.is_running else "stopped"
        await self._call(is_known=pipeline is not None or not self.is_strict)
        return status

    async def start_transcription(self, stream: str, connection_id: str) -> None:
        await self._call()
        pipeline = self._find(stream, None)
        if pipeline is not None and self.rebinds:
            pipeline.bound_to = connection_id

    async def stream(self, stream: str) -> dict[str, Any]:
        status = self.streams.get(stream)
        await self._call(is_known=status is not None)
        return {"id": stream, "status": status}

    async def session(self, _collection: str, session: str) -> dict[str, Any]:
        self.session_calls += 1
        found = dict(self.sessions.get(session, {}))
        await self._call(is_known=bool(found))
        return found

    async def export(self, _collection: str, session: str, _connection_id: str) -> dict[str, Any]:
        return {"export_status": "exported", "video_id": f"m-{session}"}

    async def _call(self, *, is_known: bool = True) -> None:
        is_down = self.is_down
        await asyncio.sleep(self.latency_s)
        if is_down:
            raise RequestFailedError("the service is down")
        if not is_known:
            raise NoSuchThingError("no such thing", code="not_found")

    def _find(self, stream: str, index_id: str | None) -> FakePipeline | None:
        return next((p for p in self.pipelines if (p.stream, p.index_id) == (stream, index_id)), None)

    def _records(self, pipeline: FakePipeline, text: str, start: float, end: float) -> list[Any]:
        now = self._time.time() + self.skew_s
        return [
            {text: made.text, "start": made.start, "end": made.end}
            for made in pipeline.made
            if made.readable_at <= now and made.end >= start and made.start <= end
        ]
