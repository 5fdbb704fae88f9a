"""The calls that recovery makes: it reads records of streams back, and binds pipelines to a new connection.

Items of answers are returned as the service sent them: the caller checks them.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

from videodb_cli.api.control_plane import ControlPlane

_PAGE_SIZE = 500
_MAX_PAGES = 2000


class StreamCalls:
    """The calls that recovery needs. Every method raises as `ControlPlane.call` does."""

    def __init__(self, service: ControlPlane) -> None:
        self._service = service

    @property
    def clock_offset_s(self) -> float | None:
        """Seconds by which the service's clock is ahead of ours, to the second; None before the first answer."""
        return self._service.clock_offset_s

    async def transcription_records(self, stream: str, since: float) -> list[Any]:
        """Return what was said in a stream since a time (Unix seconds), all pages of it."""
        return await self._pages(
            f"/rtstream/{_name(stream)}/transcription", {"since": _seconds(since)}, "transcription_records"
        )

    async def scene_records(self, stream: str, index: str, start: float, end: float) -> list[Any]:
        """Return what an index found between two times (Unix seconds), all pages of it."""
        return await self._pages(
            f"/rtstream/{_name(stream)}/index/scene/{_name(index)}",
            {"start": _seconds(start), "end": _seconds(end)},
            "scene_index_records",
        )

    async def scene_indexes(self, stream: str) -> list[Any]:
        """Return the scene indexes of a stream."""
        data = await self._service.call("GET", f"/rtstream/{_name(stream)}/index/scene")
        return _list(data.get("scene_indexes"))

    async def transcription_status(self, stream: str) -> str | None:
        """Return ``running``, ``stopped`` or ``not_configured``."""
        data = await self._service.call("GET", f"/rtstream/{_name(stream)}/transcription/status")
        return _text(data.get("status"))

    async def start_transcription(self, stream: str, connection_id: str) -> None:
        """Start the transcription of a stream, or start it again, with events to this connection."""
        await self._service.start_transcription(stream, ws_connection_id=connection_id)

    async def stream(self, stream: str) -> dict[str, Any]:
        """Return one stream."""
        return await self._service.rtstream(stream)

    async def session(self, collection: str, session: str) -> dict[str, Any]:
        """Return one capture session."""
        return await self._service.call("GET", f"/collection/{_name(collection)}/capture/session/{_name(session)}")

    async def export(self, collection: str, session: str, connection_id: str) -> dict[str, Any]:
        """Return how far the export of a session is. On a session that was never exported this starts it."""
        return await self._service.call(
            "POST",
            f"/collection/{_name(collection)}/capture/session/{_name(session)}/export",
            {"connection_id": connection_id},
        )

    async def _pages(self, path: str, query: dict[str, str], member: str) -> list[Any]:
        found: list[Any] = []
        before: list[Any] = []
        for page in range(1, _MAX_PAGES + 1):
            numbered = urlencode({**query, "page": page, "page_size": _PAGE_SIZE})
            data = await self._service.call("GET", f"{path}?{numbered}")
            items = _list(data.get(member))
            # A page without items, or the same one again, ends it too: a service that always says "next", or that does
            # not know of pages, must not be asked thousands of times in each pass.
            if not items or items == before:
                break
            found += items
            before = items
            if not data.get("next_page"):
                break
        return found


def _name(value: str) -> str:
    return quote(value, safe="")


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
