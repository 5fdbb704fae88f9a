"""Live streams: create from an address, list, start, stop, play and export."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlencode, urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import invalid, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.media.store import PLAYLIST
from videodb_cli.local.media.streams import no_recordings
from videodb_cli.local.state.records import RTStream

NETWORK_SCHEMES = ("http", "https", "rtsp", "rtsps", "rtmp", "rtmps", "srt")
DEFAULT_SAMPLE_RATE = 30


def checked_source(url: str, *, loopback: bool) -> str:
    """The address that the source is opened with: a network address as it is, or the path of a regular file.

    Files only while the service is bound to loopback: on a network it would read them for strangers. Everything else
    that a media library would open (pipes, devices, lists of files) is refused with 400.
    """
    parts = urlsplit(url)
    if parts.scheme in NETWORK_SCHEMES:
        if not parts.hostname:
            raise invalid("url names no host")
        return url
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"}:
            raise invalid("url names a file of another machine")
        path = Path(unquote(parts.path))
    elif url.startswith("/"):
        path = Path(url)
    else:
        raise invalid(f"url must be an absolute path, or one of file, {', '.join(NETWORK_SCHEMES)}")
    if not loopback:
        raise invalid("url may name a file only while the service is bound to loopback")
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        raise invalid(f"url names a file that does not exist or cannot be read: {path}") from None
    if not path.is_absolute() or not regular:
        raise invalid(f"url must name a regular file by its absolute path: {path}")
    return str(path)


async def create_stream(request: Request) -> Response:
    """Open the address and play it at once; 201 once it is open.

    Speech is recognised from the first word on if ``enable_transcript`` is true and there is sound, and not unless it
    is asked for (the public description calls true its default, the SDK's own documents call it an option; recognising
    speech that nobody asked for would cost a core).
    """
    service = service_of(request)
    body = await read_object(request)
    connection_id = fields.optional_text(body, "ws_connection_id")
    url = checked_source(fields.text(body, "url"), loopback=service.options.loopback)
    transcribe = fields.flag(body, "enable_transcript", default=False)
    service.require_credits()
    stream = service.state.add_stream(
        url=url,
        name=fields.optional_text(body, "name"),
        collection_id=fields.optional_text(body, "collection_id") or "default",
        media_types=_media_types(body),
        sample_rate=fields.integer(body, "sample_rate", DEFAULT_SAMPLE_RATE, high=1000),
        store=fields.flag(body, "store", default=False),
        ws_connection_id=connection_id,
    )
    try:
        await service.streams.start(stream)
        if transcribe and "audio" in stream.media_types:
            await service.streams.start_transcription(stream, connection_id)
    except BaseException:
        # A stream that could not be had as asked does not exist.
        await service.streams.forget(stream)
        del service.state.streams[stream.id]
        raise
    return success(stream.as_json(), status=201)


async def list_streams(request: Request) -> Response:
    """A page of streams, newest first unless ``ordering`` says otherwise."""
    query = request.query_params
    limit = fields.query_integer(query, "limit", 10, low=1, high=1000)
    offset = fields.query_integer(query, "offset", 0, low=0, high=2**31)
    chosen = service_of(request).state.list_streams(
        status=query.get("status") or None, name=query.get("name") or None, ordering=query.get("ordering") or None
    )
    page = chosen[offset : offset + limit]

    def link(to: int) -> str:
        kept = {name: value for name, value in query.items() if name not in {"limit", "offset"}}
        return f"/rtstream/?{urlencode({**kept, 'limit': limit, 'offset': to})}"

    return success(
        {
            "results": [stream.as_json() for stream in page],
            "count": len(chosen),
            "next": link(offset + limit) if offset + limit < len(chosen) else None,
            "previous": link(max(0, offset - limit)) if offset > 0 else None,
        }
    )


async def get_stream(request: Request) -> Response:
    """One stream."""
    return success(_stream(request).as_json())


async def update_stream(request: Request) -> Response:
    """Another name or sample rate."""
    stream = _stream(request)
    body = await read_object(request)
    unknown = body.keys() - {"name", "sample_rate"}
    if unknown:
        raise invalid(f"Only name and sample_rate can be changed, not {', '.join(sorted(unknown))}")
    stream.name = fields.optional_text(body, "name") or stream.name
    stream.sample_rate = fields.integer(body, "sample_rate", stream.sample_rate, high=1000)
    return success(stream.as_json())


async def set_status(request: Request) -> Response:
    """Start or stop playing the source. A start plays it from its beginning, into a new recording."""
    service = service_of(request)
    stream = _stream(request)
    if fields.choice(await read_object(request), "action", ("start", "stop")) == "start":
        await service.streams.start(stream)
    else:
        await service.streams.stop(stream)
    return success({"id": stream.id, "status": stream.status}, message=f"RTStream is {stream.status}")


async def export_stream(request: Request) -> Response:
    """What was recorded as a video, made once. The recordings of a stream that was started again follow each other."""
    service = service_of(request)
    stream = _stream(request)
    name = fields.optional_text(await read_object(request), "name")
    export = await service.streams.export(stream, name)
    return success(
        {
            "video_id": export.video_id,
            "name": export.name,
            "stream_url": service.media_url(export.media_id, PLAYLIST),
            "player_url": service.player_url(export.media_id),
            "duration": export.duration,
        }
    )


async def get_playback(request: Request) -> Response:
    """Where the recording plays: all of it, or from ``start`` to ``end`` (unix seconds).

    The SDKs cut both to whole seconds, so that a short moment begins and ends in the same second: that second plays.
    """
    service = service_of(request)
    stream = _stream(request)
    start = fields.query_number(request.query_params, "start")
    end = fields.query_number(request.query_params, "end")
    addresses = service.playback(stream, start, end)
    if addresses is None:
        raise no_recordings(stream)
    return success({"stream_url": addresses[0], "player_url": addresses[1]})


def _stream(request: Request) -> RTStream:
    return service_of(request).state.stream(request.path_params["rid"])


def _media_types(body: dict[str, Any]) -> list[str]:
    """The wanted kinds of media; empty for all that the source has."""
    listed = body.get("media_types")
    if listed is None:
        return []
    if not isinstance(listed, list) or not listed or not all(kind in ("video", "audio") for kind in listed):
        raise invalid("media_types must be a list of video, audio or both")
    return [kind for kind in ("video", "audio") if kind in listed]


routes = [
    Route("/rtstream", create_stream, methods=["POST"]),
    Route("/rtstream", list_streams, methods=["GET"]),
    Route("/rtstream/{rid}", get_stream, methods=["GET"]),
    Route("/rtstream/{rid}", update_stream, methods=["PATCH"]),
    Route("/rtstream/{rid}/status", set_status, methods=["PATCH"]),
    Route("/rtstream/{rid}/export", export_stream, methods=["POST"]),
    Route("/rtstream/{rid}/stream", get_playback, methods=["GET"]),
]
