"""Scene indexes of a stream (v1): create, list, start, stop, and what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import ServiceError, success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.state.jobs import SceneIndex
from videodb_cli.local.state.pages import select_records

if TYPE_CHECKING:
    from videodb_cli.local.service import Service
    from videodb_cli.local.state.records import RTStream

# As the Python SDK, the Node SDK and their documents call the kinds.
_KINDS = {
    "time": "time",
    "time_based": "time",
    "shot": "time",
    "shot_based": "time",
    "transcript": "transcript",
}
_PROMPTS = {"time": "Describe the scene", "transcript": "Summarize what is heard"}


async def create_index(request: Request) -> Response:
    """An index that describes the picture (``time``) or the sound (``transcript``) from now on.

    ``extraction_config`` says how findings are gathered into records: seconds of picture or sound, words, sentences.
    The prompt is for the model of ``local start --describe``, which sees as many states of a window as ``frame_count``
    says. Without one, prompt and model are kept and shown, and
    have no effect: the analysers on this machine read the text on the screen and tell speech with its words from
    silence and other sound. Each record says who made it (``"model"``).

    An audio index needs a transcription that runs, as at the service; ``auto_start_transcript`` starts it.
    """
    service = service_of(request)
    stream = service.state.stream(request.path_params["rid"])
    body = await read_object(request)
    extraction_type = _KINDS[fields.choice(body, "extraction_type", tuple(_KINDS), "time")]
    if extraction_type == "transcript":
        await _require_transcription(service, stream, body)
    index = service.state.jobs.add_index(
        stream,
        extraction_type=extraction_type,
        extraction_config=fields.mapping(body, "extraction_config"),
        prompt=fields.optional_text(body, "prompt", limit=256 * 1024) or _PROMPTS[extraction_type],
        name=fields.optional_text(body, "name"),
        model_name=fields.optional_text(body, "model_name"),
        ws_connection_id=fields.optional_text(body, "ws_connection_id"),
    )
    try:
        await service.streams.start_job(stream, index)
    except BaseException:
        del stream.indexes[index.id]
        raise
    return success(index.as_json(playing=stream.is_playing))


async def list_indexes(request: Request) -> Response:
    """All indexes of a stream."""
    stream = service_of(request).state.stream(request.path_params["rid"])
    return success({"scene_indexes": [index.as_json(playing=stream.is_playing) for index in stream.indexes.values()]})


async def get_index(request: Request) -> Response:
    """One index."""
    index = _index(request)
    stream = service_of(request).state.stream(index.rtstream_id)
    return success(index.as_json(playing=stream.is_playing))


async def get_records(request: Request) -> Response:
    """What was seen, by page; ``start`` and ``end`` for a span (unix seconds)."""
    query = request.query_params
    page = select_records(
        _index(request).records,
        start=fields.query_number(query, "start"),
        end=fields.query_number(query, "end"),
        page=fields.query_integer(query, "page", 1, low=1, high=2**31),
        page_size=fields.query_integer(query, "page_size", 100, low=1, high=1000),
    )
    return success(
        {
            "scene_index_records": [record.as_json() for record in page.items],
            "next_page": page.has_next,
            "total_count": page.total,
            "page": page.page,
        }
    )


async def update_prompt(request: Request) -> Response:
    """Another prompt, kept and shown."""
    index = _index(request)
    index.prompt = fields.text(await read_object(request), "prompt", limit=256 * 1024)
    return success(message="Scene index prompt updated")


async def set_status(request: Request) -> Response:
    """Start or stop an index."""
    service = service_of(request)
    index = _index(request)
    stream = service.state.stream(index.rtstream_id)
    if fields.choice(await read_object(request), "action", ("start", "stop")) == "start":
        await service.streams.start_job(stream, index)
    else:
        await service.streams.stop_job(stream, index)
    return success({"status": index.status}, message=f"Scene index is {index.status}")


async def _require_transcription(service: Service, stream: RTStream, body: dict[str, Any]) -> None:
    if stream.transcription.status == "running":
        return
    if not fields.flag(body, "auto_start_transcript", default=False):
        raise ServiceError(400, "Could not create audio index. Start transcript first", "TRANSCRIPT_NOT_STARTED")
    await service.streams.start_transcription(stream, fields.optional_text(body, "ws_connection_id"))


def _index(request: Request) -> SceneIndex:
    return service_of(request).state.jobs.index(request.path_params["rid"], request.path_params["iid"])


routes = [
    Route("/rtstream/{rid}/index/scene", create_index, methods=["POST"]),
    Route("/rtstream/{rid}/index/scene", list_indexes, methods=["GET"]),
    Route("/rtstream/{rid}/index/{iid}", get_index, methods=["GET"]),
    Route("/rtstream/{rid}/index/scene/{iid}", get_records, methods=["GET"]),
    Route("/rtstream/{rid}/index/scene/{iid}", update_prompt, methods=["PATCH"]),
    Route("/rtstream/{rid}/index/scene/{iid}/status", set_status, methods=["PATCH"]),
]
