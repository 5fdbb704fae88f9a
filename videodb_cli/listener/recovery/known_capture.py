"""What the state file of this directory's capture adds to what the log says: its session, streams and connections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from videodb_cli.errors import RefusedError
from videodb_cli.rundir import capture_state
from videodb_cli.rundir.paths import RunDir


@dataclass(frozen=True, slots=True)
class KnownCapture:
    """The capture of this directory.

    Attributes:
        session_status: What the process that captures knows of its session.
        streams: The names of its streams by their ids.
        index_connections: The connection to which each index sends its events.
        connections: Every connection that the capture or a part of it was given.
    """

    session_id: str | None = None
    collection_id: str | None = None
    status: str | None = None
    session_status: str | None = None
    streams: Mapping[str, str | None] = field(default_factory=dict)
    index_connections: Mapping[str, str] = field(default_factory=dict)
    connections: frozenset[str] = frozenset()


def read_known_capture(run_dir: RunDir) -> KnownCapture:
    """Read the state file. One that is not there, or cannot be used, adds nothing."""
    try:
        found = capture_state.read(run_dir)
    except (RefusedError, OSError):
        found = None
    if found is None:
        return KnownCapture()
    streams: dict[str, str | None] = {
        item.rtstream_id: item.name or item.channel_id for item in found.channels if item.rtstream_id
    }
    for pipeline in found.pipelines:
        if pipeline.rtstream_id:
            streams.setdefault(pipeline.rtstream_id, None)
    index_connections = {
        pipeline.rtstream_index_id: pipeline.ws_connection_id
        for pipeline in found.pipelines
        if pipeline.rtstream_index_id and pipeline.ws_connection_id
    }
    connections = (found.ws_connection_id, *(pipeline.ws_connection_id for pipeline in found.pipelines))
    return KnownCapture(
        found.session_id or None,
        found.collection_id or None,
        found.status,
        found.session_status,
        streams,
        index_connections,
        frozenset(filter(None, connections)),
    )
