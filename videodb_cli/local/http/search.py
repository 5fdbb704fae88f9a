"""Search in the records of indexes: of one stream, or of all streams of a collection."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import invalid, not_found, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.matching import SearchQuery

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from videodb_cli.local.state.jobs import Index
    from videodb_cli.local.state.records import RTStream


async def search_stream(request: Request) -> Response:
    """The records of one index, or of all of a stream, that say what is asked for; the best first.

    Words stand in for the meaning: a record is found by any of them, and ranked by how many of them it has (see
    `matching`). ``filter``, ``stitch``, ``rerank`` and ``dynamic_score_percentage`` have no effect.
    """
    service = service_of(request)
    stream = service.state.stream(request.path_params["rid"])
    body = await read_object(request)
    wanted = _wanted_index(body)
    if wanted is not None:
        service.state.jobs.any_index(stream.id, wanted)
    return await _search([stream], body, wanted)


async def search_collection(request: Request) -> Response:
    """The same in all streams of a collection."""
    service = service_of(request)
    collection = service.state.collection(request.path_params["cid"])
    streams = [stream for stream in service.state.streams.values() if stream.collection_id == collection.id]
    body = await read_object(request)
    wanted = _wanted_index(body)
    if wanted is not None and not any(index.id == wanted for stream in streams for index in _indexes(stream)):
        raise not_found(f"Index {wanted}")
    return await _search(streams, body, wanted)


async def _search(streams: Sequence[RTStream], body: dict[str, Any], wanted: str | None) -> Response:
    query = SearchQuery(fields.text(body, "query"))
    limit = fields.integer(body, "result_threshold", 10, high=1000)
    least = body.get("score_threshold")
    if least is None:
        least = 0.0
    if isinstance(least, bool) or not isinstance(least, int | float):
        raise invalid("score_threshold must be a number")
    records = [
        (stream, index, record)
        for stream in streams
        for index in _indexes(stream)
        if wanted is None or index.id == wanted
        for record in tuple(index.records)
    ]
    results = await asyncio.to_thread(_results, query, records, least)
    return success({"results": results[:limit]})


def _results(query: SearchQuery, records: list[Any], least: float) -> list[dict[str, object]]:
    found = []
    for stream, index, record in records:
        score = query.score(record.text)
        if score > 0 and score >= least:
            found.append((score, stream, index, record))
    found.sort(key=lambda item: (-item[0], -item[3].start))
    return [
        {
            "id": stream.id,
            "rtstream_id": stream.id,
            "rtstream_name": stream.name,
            "start": record.start,
            "end": record.end,
            "text": record.text,
            "score": score,
            "scene_index_id": index.id,
            "scene_index_name": index.name,
            "metadata": {},
        }
        for score, stream, index, record in found
    ]


def _wanted_index(body: dict[str, Any]) -> str | None:
    return fields.optional_text(body, "scene_index_id") or fields.optional_text(body, "index_id")


def _indexes(stream: RTStream) -> Iterator[Index]:
    yield from stream.indexes.values()
    yield from stream.materialized.values()


routes = [
    Route("/rtstream/collection/{cid}/search", search_collection, methods=["POST"]),
    Route("/rtstream/{rid}/search", search_stream, methods=["POST"]),
]
