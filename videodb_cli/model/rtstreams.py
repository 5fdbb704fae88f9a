"""Reads ``rtstreams``, the list of a session's streams in answers, in events and in our state file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple


class SessionStream(NamedTuple):
    """One rtstream of a capture session. ``media_types`` are ``audio`` and ``video``."""

    id: str
    name: str
    media_types: tuple[str, ...] = ()
    channel: str | None = None

    @property
    def label(self) -> str | None:
        """Its name, else the channel that it carries; None if it has neither."""
        return self.name or self.channel


def read_stream(entry: Mapping[str, Any]) -> SessionStream | None:
    """Read one entry of a list; None for one without an id."""
    stream_id = _text(entry, "rtstream_id", "rtstreamId", "id")
    if stream_id is None:
        return None
    media = entry.get("media_types", entry.get("mediaTypes"))
    types = tuple(str(kind).lower() for kind in media) if isinstance(media, list) else ()
    name = _text(entry, "name", "rtstream_name", "rtstreamName") or ""
    return SessionStream(stream_id, name, types, _text(entry, "channel_id", "channelId"))


def read_streams(listed: object) -> tuple[SessionStream, ...]:
    """Read a list of any shape; what makes no sense in it is left out."""
    if not isinstance(listed, list):
        return ()
    found = (read_stream(entry) for entry in listed if isinstance(entry, dict))
    return tuple(stream for stream in found if stream is not None)


def _text(entry: Mapping[str, Any], *keys: str) -> str | None:
    """The first of these members that is a string with something in it."""
    return next((value for key in keys if isinstance(value := entry.get(key), str) and value), None)
