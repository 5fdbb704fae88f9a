"""What the service keeps for each resource, and the JSON shapes in which it shows them. Data only: no clock, no I/O.

Times are unix seconds (float) inside and in REST answers; ``created_at`` is ISO 8601 in UTC, as the public API has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from videodb_cli.local.state.moments import iso

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from videodb_cli.local.state.jobs import AnalysisJob, MaterializedIndex, SceneIndex, Understanding

SESSION_STATUSES: Final = ("created", "starting", "active", "stopping", "stopped", "exported", "failed")

# What may follow what. A session that failed or was exported stays so.
SESSION_TRANSITIONS: Final[Mapping[str, frozenset[str]]] = {
    "created": frozenset({"starting", "stopping", "failed"}),
    "starting": frozenset({"active", "stopping", "failed"}),
    "active": frozenset({"stopping", "failed"}),
    "stopping": frozenset({"stopped", "failed"}),
    "stopped": frozenset({"exported", "failed"}),
    "exported": frozenset(),
    "failed": frozenset(),
}


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection; the service has one, ``default``."""

    id: str
    name: str
    description: str
    created_at: float

    def as_json(self) -> dict[str, object]:
        """The public shape (openapi ``Collection``)."""
        return {
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "is_public": False,
            "owner": "u-local",
            "created_at": iso(self.created_at),
        }


@dataclass(frozen=True, slots=True)
class SessionChannel:
    """One channel that a recorder offers to a session."""

    channel_id: str
    name: str
    type: str  # "audio" or "video"
    store: bool
    is_primary: bool

    @property
    def category(self) -> str:
        """``mic``, ``system_audio`` or ``screen``: what the SDK's ``get_rtstream`` compares with."""
        prefix = self.channel_id.partition(":")[0].lower()
        if prefix in {"mic", "system_audio"}:
            return prefix
        if prefix in {"display", "screen", "camera"}:
            return "screen"
        return "screen" if self.type == "video" else "mic"

    def as_json(self) -> dict[str, object]:
        """The shape inside a session."""
        return {
            "channel_id": self.channel_id,
            "name": self.name,
            "type": self.type,
            "store": self.store,
            "is_primary": self.is_primary,
        }


@dataclass(slots=True)
class SessionExport:
    """One export of a session: the picture of one channel with all sound. ``status``: exporting | exported | failed."""

    status: str
    video_id: str | None = None
    media_id: str | None = None
    stream_url: str | None = None
    player_url: str | None = None
    duration: float | None = None
    error: str | None = None
    connection_ids: set[str] = field(default_factory=set)  # who asked to be told


@dataclass(slots=True)
class CaptureSessionRecord:
    """One capture session and where it stands in its life cycle."""

    id: str
    collection_id: str
    end_user_id: str
    callback_url: str | None
    ws_connection_id: str | None
    metadata: Mapping[str, object]
    created_at: float
    status: str = "created"
    channels: tuple[SessionChannel, ...] = ()
    rtstream_ids: tuple[str, ...] = ()
    export_status: str | None = None
    exported_video_id: str | None = None
    stream_url: str | None = None
    player_url: str | None = None
    error: Mapping[str, object] | None = None
    exports: dict[str | None, SessionExport] = field(default_factory=dict)  # by the channel id of the picture

    @property
    def primary_video_channel_id(self) -> str | None:
        """The channel marked primary, else the first picture, else none."""
        videos = [channel for channel in self.channels if channel.type == "video"]
        primary = [channel for channel in videos if channel.is_primary]
        return next((channel.channel_id for channel in primary or videos), None)

    def as_json(self, streams: Mapping[str, RTStream]) -> dict[str, object]:
        """The public shape. It has ``session_id`` and no ``id``: the SDK passes the rest on as keyword arguments."""
        shape: dict[str, object] = {
            "session_id": self.id,
            "end_user_id": self.end_user_id,
            "status": self.status,
            "collection_id": self.collection_id,
            "metadata": dict(self.metadata),
            "created_at": iso(self.created_at),
            "channels": [channel.as_json() for channel in self.channels],
            "primary_video_channel_id": self.primary_video_channel_id,
            "rtstreams": [
                streams[stream_id].as_session_member() for stream_id in self.rtstream_ids if stream_id in streams
            ],
            "export_status": self.export_status,
            "exported_video_id": self.exported_video_id,
        }
        # The public description types these as strings: absent rather than null.
        if self.ws_connection_id is not None:
            shape["ws_connection_id"] = self.ws_connection_id
        if self.callback_url is not None:
            shape["callback_url"] = self.callback_url
        if self.error is not None:
            shape["error"] = dict(self.error)
        return shape


@dataclass(frozen=True, slots=True)
class SpokenRecord:
    """One final piece of speech. ``words``: ``(text, start, end)``."""

    start: float
    end: float
    text: str
    words: tuple[tuple[str, float, float], ...] = ()

    def as_json(self) -> dict[str, object]:
        """The shape of ``transcription_records``."""
        return {
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "word_timestamps": [{"word": word, "start": start, "end": end} for word, start, end in self.words],
        }


@dataclass(slots=True)
class Transcription:
    """Whether speech of a stream is recognised, for whom, and what came out."""

    status: str = "not_configured"  # running | stopped | not_configured
    ws_connection_id: str | None = None
    created_at: float | None = None
    updated_at: float | None = None
    records: list[SpokenRecord] = field(default_factory=list)

    def as_json(self, *, playing: bool) -> dict[str, object]:
        """The shape of the status call. Of a stream that does not play nothing is transcribed, whatever was asked."""
        status = "stopped" if self.status == "running" and not playing else self.status
        shape: dict[str, object] = {"status": status, "engine": "default"}
        if self.created_at is not None and self.updated_at is not None:
            shape |= {"language": "en", "created_at": iso(self.created_at), "updated_at": iso(self.updated_at)}
        return shape


@dataclass(frozen=True, slots=True)
class ExportRecord:
    """A finished recording of a stream or session, playable under ``media_id``."""

    video_id: str
    media_id: str
    name: str
    duration: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run of a stream: where its media are, and the unix second at which it began.

    ``clock_moves`` are those of the source's `WallClock`, and grow while it plays; empty before the first packet.
    """

    media_id: str
    began_at: float
    clock_moves: Sequence[tuple[float, float]] = ()


@dataclass(slots=True)
class RTStream:
    """One live stream. ``media_id`` is the unguessable name of its latest recording, absent before the first start.

    ``recordings`` are those of all its runs that are still on the disk, the oldest first.
    """

    id: str
    name: str
    url: str
    collection_id: str
    media_types: tuple[str, ...]
    sample_rate: int
    store: bool
    ws_connection_id: str | None
    created_at: float
    channel: str | None = None  # mic | system_audio | screen, for the streams of a capture session
    status: str = "stopped"  # connected | stopped
    error: str | None = None
    started_at: float | None = None
    media_id: str | None = None
    recordings: list[Recorded] = field(default_factory=list)
    export: ExportRecord | None = None
    exported_asset_id: str | None = None
    transcription: Transcription = field(default_factory=Transcription)
    indexes: dict[str, SceneIndex] = field(default_factory=dict)
    understandings: dict[str, Understanding] = field(default_factory=dict)
    materialized: dict[str, MaterializedIndex] = field(default_factory=dict)

    def jobs(self) -> Iterator[AnalysisJob]:
        """Everything that takes what the analysers find in this stream."""
        yield from self.indexes.values()
        yield from self.understandings.values()

    @property
    def is_playing(self) -> bool:
        """Whether the source plays now."""
        return self.status == "connected"

    def as_json(self) -> dict[str, object]:
        """The public shape (openapi ``RTStream``), and ``error`` when the source failed."""
        shape: dict[str, object] = {
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "sample_rate": self.sample_rate,
            "media_types": list(self.media_types),
            "collection_id": self.collection_id,
            "store": self.store,
            "created_at": iso(self.created_at),
        }
        if self.channel is not None:
            shape["channel_id"] = self.channel
        if self.exported_asset_id is not None:
            shape["exported_asset_id"] = self.exported_asset_id
        if self.error is not None:
            shape["error"] = self.error
        return shape

    def as_session_member(self) -> dict[str, object]:
        """The shape inside a session: ``rtstream_id`` in place of ``id``."""
        shape = self.as_json()
        return {"rtstream_id": shape.pop("id"), **shape}
