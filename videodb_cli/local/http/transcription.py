"""Speech of a stream: start, stop, status, and what was said."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.state.moments import iso
from videodb_cli.local.state.pages import select_records


async def set_transcription(request: Request) -> Response:
    """Start or stop. A start while it runs sends the transcripts to the new connection id from now on."""
    service = service_of(request)
    stream = service.state.stream(request.path_params["rid"])
    body = await read_object(request)
    engine = fields.optional_text(body, "engine") or "default"
    if fields.choice(body, "action", ("start", "stop")) == "start":
        await service.streams.start_transcription(stream, fields.optional_text(body, "ws_connection_id"))
    else:
        await service.streams.stop_transcription(stream)
    transcription = stream.transcription
    status = "running" if transcription.status == "running" else "stopped"
    updated_at = transcription.updated_at or service.state.clock()
    return success({"status": status, "engine": engine, "updated_at": iso(updated_at)})


async def get_records(request: Request) -> Response:
    """What was said, by page; ``since`` for pollers, ``start`` and ``end`` for a span (unix seconds)."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    query = request.query_params
    page = select_records(
        stream.transcription.records,
        start=fields.query_number(query, "start"),
        end=fields.query_number(query, "end"),
        since=fields.query_number(query, "since"),
        page=fields.query_integer(query, "page", 1, low=1, high=2**31),
        page_size=fields.query_integer(query, "page_size", 100, low=1, high=1000),
    )
    return success(
        {
            "transcription_records": [record.as_json() for record in page.items],
            "next_page": page.has_next,
            "total_count": page.total,
            "page": page.page,
            "page_size": page.page_size,
        }
    )


async def get_status(request: Request) -> Response:
    """``running``, ``stopped``, or ``not_configured`` before the first start."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    return success(stream.transcription.as_json(playing=stream.is_playing))


routes = [
    Route("/rtstream/{rid}/transcription", set_transcription, methods=["POST"]),
    Route("/rtstream/{rid}/transcription", get_records, methods=["GET"]),
    Route("/rtstream/{rid}/transcription/status", get_status, methods=["GET"]),
]
