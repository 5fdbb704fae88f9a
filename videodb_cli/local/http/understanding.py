"""Understanding of a stream, window by window, and the indexes of its output (rtstream v2 of the SDKs since 0.5).

What describes the picture here is what describes it for scene indexes: the text on the screen, or the model of
``local start --describe``, with the analyzer's prompt, which sees so many states of a window as ``frame_count`` of its
``sampling`` says. Its name of a model is kept and shown. A record says who made it (``"model"``).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import alerts, fields, service_of
from videodb_cli.local.http.answers import invalid, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.state.pages import select_records

if TYPE_CHECKING:
    from collections.abc import Sequence

    from videodb_cli.local.state.jobs import MaterializedIndex, SceneRecord, Understanding

_CAPABILITIES = {"semantic", "query", "aggregate"}


async def create_understanding(request: Request) -> Response:
    """Describe the picture from now on. One ``vlm`` analyzer and windows of time are taken, as by the service."""
    service = service_of(request)
    stream = service.state.stream(request.path_params["rid"])
    body = await read_object(request)
    analyzers = _analyzers(body)
    understanding = service.state.jobs.add_understanding(
        stream,
        output=fields.optional_text(analyzers[0], "name", limit=256) or "scene",
        segmentation=fields.mapping(body, "segmentation") or {"type": "time", "window": "10s"},
        analyzers=analyzers,
        store=fields.flag(body, "store", default=True),
        ws_connection_id=fields.optional_text(body, "ws_connection_id"),
    )
    try:
        await service.streams.start_job(stream, understanding)
    except BaseException:
        del stream.understandings[understanding.id]
        raise
    return success(understanding.as_json(playing=stream.is_playing))


async def list_understandings(request: Request) -> Response:
    """All understandings of a stream."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    found = stream.understandings.values()
    return success({"understandings": [one.as_json(playing=stream.is_playing) for one in found]})


async def get_understanding(request: Request) -> Response:
    """One understanding."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    return success(_understanding(request).as_json(playing=stream.is_playing))


async def set_understanding_status(request: Request) -> Response:
    """Stop an understanding, or let it go on."""
    service = service_of(request)
    understanding = _understanding(request)
    stream = service.state.stream(understanding.rtstream_id)
    if _wants_start(await read_object(request)):
        await service.streams.start_job(stream, understanding)
    else:
        await service.streams.stop_job(stream, understanding)
    return success({"status": understanding.status}, message=f"Understanding is {understanding.status}")


async def get_understanding_records(request: Request) -> Response:
    """What an output said, by page; ``start`` and ``end`` for a span (unix seconds)."""
    understanding = _understanding(request)
    output = request.query_params.get("output") or understanding.output
    if output != understanding.output:
        raise invalid(f"output must be one of: {understanding.output}")
    return _records(request, understanding.records)


async def create_index(request: Request) -> Response:
    """Make an index of an output: of what was stored, and of what is stored from now on."""
    service = service_of(request)
    stream = service.state.stream(request.path_params["rid"])
    body = await read_object(request)
    source = fields.mapping(body, "source")
    understanding = service.state.jobs.understanding(stream.id, fields.text(source, "understanding_id"))
    output = fields.optional_text(source, "output") or understanding.output
    if output != understanding.output:
        raise invalid(f"source.output must be one of: {understanding.output}")
    index = service.state.jobs.materialize(
        understanding, name=fields.optional_text(body, "name"), use_for=_capabilities(body)
    )
    return success(index.as_json(playing=stream.is_playing))


async def list_indexes(request: Request) -> Response:
    """All indexes of outputs on a stream."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    return success({"indexes": [one.as_json(playing=stream.is_playing) for one in stream.materialized.values()]})


async def get_index(request: Request) -> Response:
    """One index."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    return success(_index(request).as_json(playing=stream.is_playing))


async def set_index_status(request: Request) -> Response:
    """Stop an index, or let it go on with what comes then. What is in it can be searched all the time."""
    index = _index(request)
    index.status = "running" if _wants_start(await read_object(request)) else "stopped"
    return success({"status": index.status}, message=f"Index is {index.status}")


async def get_index_records(request: Request) -> Response:
    """What is in an index, by page; ``start`` and ``end`` for a span (unix seconds)."""
    return _records(request, _index(request).records)


def _records(request: Request, records: Sequence[SceneRecord]) -> Response:
    query = request.query_params
    page = select_records(
        records,
        start=fields.query_number(query, "start"),
        end=fields.query_number(query, "end"),
        page=fields.query_integer(query, "page", 1, low=1, high=2**31),
        page_size=fields.query_integer(query, "page_size", 100, low=1, high=1000),
    )
    shown = [record.as_json() for record in page.items]
    return success({"records": shown, "next_page": page.has_next, "total_count": page.total, "page": page.page})


def _wants_start(body: dict[str, Any]) -> bool:
    return fields.choice(body, "action", ("start", "stop")) == "start"


def _analyzers(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The one analyzer that is asked for; a description of the scene if none is."""
    listed = body.get("analyzers") or [{"type": "vlm", "name": "scene"}]
    if not isinstance(listed, list) or len(listed) != 1 or not isinstance(listed[0], dict):
        raise invalid("analyzers must be a list of one analyzer")
    if listed[0].get("type") != "vlm":
        raise invalid("analyzers must hold one analyzer of type vlm")
    fields.mapping(listed[0], "sampling")
    fields.mapping(listed[0], "config")
    return listed


def _capabilities(body: dict[str, Any]) -> list[str]:
    listed = body.get("use_for")
    if listed is None:
        return ["semantic"]
    if not isinstance(listed, list) or not listed or not all(isinstance(one, str) for one in listed):
        raise invalid("use_for must be a list of capabilities")
    unknown = [one for one in listed if one not in _CAPABILITIES]
    if unknown:
        raise invalid(f"use_for may hold {', '.join(sorted(_CAPABILITIES))}, not {', '.join(unknown)}")
    return listed


def _understanding(request: Request) -> Understanding:
    return service_of(request).state.jobs.understanding(request.path_params["rid"], request.path_params["uid"])


def _index(request: Request) -> MaterializedIndex:
    return service_of(request).state.jobs.materialized(request.path_params["rid"], request.path_params["iid"])


routes = [
    Route("/rtstream/{rid}/understand", create_understanding, methods=["POST"]),
    Route("/rtstream/{rid}/understand", list_understandings, methods=["GET"]),
    Route("/rtstream/{rid}/understand/{uid}", get_understanding, methods=["GET"]),
    Route("/rtstream/{rid}/understand/{uid}/status", set_understanding_status, methods=["PATCH"]),
    Route("/rtstream/{rid}/understand/{uid}/records", get_understanding_records, methods=["GET"]),
    Route("/rtstream/{rid}/indexes", create_index, methods=["POST"]),
    Route("/rtstream/{rid}/indexes", list_indexes, methods=["GET"]),
    Route("/rtstream/{rid}/indexes/{iid}", get_index, methods=["GET"]),
    Route("/rtstream/{rid}/indexes/{iid}/status", set_index_status, methods=["PATCH"]),
    Route("/rtstream/{rid}/indexes/{iid}/records", get_index_records, methods=["GET"]),
    Route("/rtstream/{rid}/indexes/{iid}/alert", alerts.create_alert, methods=["POST"]),
    Route("/rtstream/{rid}/indexes/{iid}/alert", alerts.list_alerts, methods=["GET"]),
    Route("/rtstream/{rid}/indexes/{iid}/alert/{aid}/status", alerts.set_status, methods=["PATCH"]),
]
