"""Typed answers of the control plane. Reading is tolerant: a missing member is None, an unknown one is ignored.

Statuses are an open set, and prefixes of ids have no meaning, so neither is validated.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from videodb_cli.model.rtstreams import SessionStream, read_streams
from videodb_cli.settings import Secret


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


@dataclass(frozen=True, slots=True)
class Export:
    """A finished or running export of a session."""

    status: str | None
    video_id: str | None = None
    stream_url: str | None = None
    player_url: str | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> Self:
        """Read an answer of ``…/export``, a session, or the ``data`` of its event."""
        return cls(
            _text(data.get("export_status")),
            _text(data.get("exported_video_id")) or _text(data.get("video_id")),
            _text(data.get("stream_url")),
            _text(data.get("player_url")),
        )


@dataclass(frozen=True, slots=True)
class CaptureSession:
    """A capture session as the control plane shows it. ``error`` is its code and message when it failed."""

    id: str
    status: str | None
    collection_id: str | None
    streams: tuple[SessionStream, ...]
    export: Export
    error: tuple[str, str] | None

    @classmethod
    def read(cls, data: Mapping[str, Any], session_id: str | None = None) -> Self | None:
        """Read a session; None if it has no id and none is given."""
        found = _text(data.get("session_id")) or _text(data.get("id")) or session_id
        if found is None:
            return None
        return cls(
            found,
            _text(data.get("status")),
            _text(data.get("collection_id")),
            read_streams(data.get("rtstreams")),
            Export.read(data),
            read_error(data.get("error")),
        )


@dataclass(frozen=True, slots=True)
class StreamingSession:
    """A session as a recorder sees it, with the secret URLs to publish each channel to."""

    id: str
    status: str | None
    urls: Mapping[str, str]
    certificate_hash: str | None
    error: tuple[str, str] | None = None

    @classmethod
    def read(cls, data: Mapping[str, Any], asked_for: str) -> Self:
        """Read the answer of ``/capture/session/start`` or of ``GET /capture/session/{id}``."""
        urls = {}
        for channel in _objects(data.get("channels")):
            channel_id, url = (
                _text(channel.get("channel_id")) or _text(channel.get("id")),
                _text(channel.get("rtsp_url")),
            )
            if channel_id is not None and url is not None:
                urls[channel_id] = url
        return cls(
            _text(data.get("streaming_session_id")) or asked_for,
            _text(data.get("status")),
            urls,
            _text(data.get("ssl_certificate_hash")),
            read_error(data.get("error")),
        )


@dataclass(frozen=True, slots=True)
class ClientToken:
    """A client token and when it ends, as the service writes it."""

    token: Secret
    expires_at: object
    expires_in: object


def read_error(value: object) -> tuple[str, str] | None:
    """Read the error of a session, which is an object with code and message, or a string."""
    if isinstance(value, dict):
        code, message = _text(value.get("code")), _text(value.get("message"))
        return (code or "failed", message or "the service gives no reason") if code or message else None
    text = _text(value)
    return ("failed", text) if text is not None else None
