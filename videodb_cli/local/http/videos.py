"""Assets: exported videos, and the sound of channels that have no picture. Look up, rename, play, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import ServiceError, invalid, not_found, success
from videodb_cli.local.http.security import read_json, read_object
from videodb_cli.local.state.transcripts import SEGMENTERS, segments

if TYPE_CHECKING:
    from videodb_cli.local.service import Service
    from videodb_cli.local.state.assets import Asset, Kind

MAX_SPANS = 1000
MAX_PAGE = 5000


async def list_videos(request: Request) -> Response:
    """The videos of a collection, newest first."""
    return _listed(request, "video")


async def list_audios(request: Request) -> Response:
    """The audios of a collection, newest first."""
    return _listed(request, "audio")


async def get_asset(request: Request) -> Response:
    """One asset."""
    return success(asset_json(service_of(request), _asset(request)))


async def rename_asset(request: Request) -> Response:
    """Another name."""
    asset = _asset(request)
    body = await read_object(request)
    unknown = body.keys() - {"name"}
    if unknown:
        raise invalid(f"Only name can be changed, not {', '.join(sorted(unknown))}")
    asset.name = fields.optional_text(body, "name", limit=1024) or asset.name
    return success(asset_json(service_of(request), asset))


async def delete_asset(request: Request) -> Response:
    """Remove an asset and its media. The recordings of which it was made stay."""
    asset = _asset(request)
    await service_of(request).drop_media(asset.media_id)
    return success(message=f"{asset.kind.capitalize()} {asset.id} is deleted")


async def get_stream(request: Request) -> Response:
    """Where an asset plays: all of it, or the spans of ``timeline`` one after the other (seconds)."""
    asset = _asset(request)
    body = await read_object(request)
    listed = body.get("timeline") or []
    if not isinstance(listed, list) or len(listed) > MAX_SPANS:
        raise invalid(f"timeline must be a list of at most {MAX_SPANS} spans")
    stream_url, player_url = service_of(request).library.play(asset, [_span(item) for item in listed])
    return success({"stream_url": stream_url, "player_url": player_url})


async def get_thumbnail(request: Request) -> Response:
    """Where a picture of the video is, from its beginning or from ``timestamp`` (seconds)."""
    service = service_of(request)
    asset = _asset(request)
    name = await service.library.thumbnail(asset, fields.query_number(request.query_params, "timestamp") or 0.0)
    return success({"thumbnail_url": service.media_url(asset.media_id, name)})


async def create_thumbnail(request: Request) -> Response:
    """A picture of the video; the SDKs call its second ``time``, the public description ``timestamp``."""
    service = service_of(request)
    asset = _asset(request)
    body = await read_object(request)
    second = fields.number(body, "timestamp" if body.get("time") is None else "time", 0.0)
    name = await service.library.thumbnail(asset, second)
    url = service.media_url(asset.media_id, name)
    image_id = f"img-{asset.id.removeprefix('m-')}-{name.removeprefix('thumbnail').removesuffix('.jpg')}"
    return success({"id": image_id, "collection_id": asset.collection_id, "name": name, "url": url})


async def compile_shots(request: Request) -> Response:
    """Where spans of several videos play one after the other.

    The SDKs send a list of ``{video_id, collection_id, shots}``, the public description shows ``inputs`` of
    ``{media_id, start_time, end_time}``: both are read.
    """
    service = service_of(request)
    body = await read_json(request)
    listed = body.get("inputs") if isinstance(body, dict) else body
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_SPANS:
        raise invalid(f"The request body must be a list of 1 to {MAX_SPANS} videos with their shots")
    shots = [shot for item in listed for shot in _shots(service, item)]
    if not 1 <= len(shots) <= MAX_SPANS:
        raise invalid(f"There must be 1 to {MAX_SPANS} shots")
    stream_url, player_url = service.library.compile(shots)
    return success({"stream_url": stream_url, "player_url": player_url})


async def generate_url(request: Request) -> Response:
    """The address of the sound as a file (MP4 with AAC)."""
    await read_object(request)
    asset = _asset(request)
    service = service_of(request)
    url = service.media_url(asset.media_id, service.library.file_of(asset.media_id))
    return success({"signed_url": url, "stream_url": service.library.play(asset)[0]})


async def get_transcript(request: Request) -> Response:
    """What was recognised while the streams of an asset ran, in seconds of the asset."""
    service = service_of(request)
    asset = _asset(request)
    query = request.query_params
    segmenter = query.get("segmenter") or "word"
    if segmenter not in SEGMENTERS:
        raise invalid(f"segmenter must be one of: {', '.join(SEGMENTERS)}")
    length = fields.query_integer(query, "length", 1, low=1, high=86400)
    start, end = fields.query_number(query, "start"), fields.query_number(query, "end")
    return success(_transcript(service, asset, segmenter, length=length, start=start, end=end))


async def create_transcript(request: Request) -> Response:
    """What was recognised, again: the sound of an asset is not recognised a second time."""
    service = service_of(request)
    asset = _asset(request)
    body = await read_object(request)
    fields.flag(body, "force", default=False)
    fields.optional_text(body, "language_code")
    return success(_transcript(service, asset, "word"), message="Transcript already exists")


async def create_index(request: Request) -> Response:
    """Let the search find what was said. Idempotent; 400 if nothing was recognised while the streams ran."""
    service = service_of(request)
    asset = _asset(request)
    body = await read_object(request)
    fields.choice(body, "index_type", ("spoken_word",), "spoken_word")
    _require_speech(service, asset)
    asset.spoken_words_indexed = True
    return success({}, message="Index is available")


async def get_index(request: Request) -> Response:
    """Whether the search finds what was said."""
    asset = _asset(request)
    if fields.choice(request.query_params, "index_type", ("spoken_word", "scene"), "spoken_word") == "scene":
        raise not_found(f"A scene index of {asset.id}")
    if not asset.spoken_words_indexed:
        raise not_indexed(asset)
    return success({}, message="Index is available")


def asset_json(service: Service, asset: Asset) -> dict[str, object]:
    """The public shape of an asset."""
    stream_url, player_url = service.library.play(asset)
    addresses = {"stream_url": stream_url, "player_url": player_url} if asset.kind == "video" else {}
    return {**asset.as_json(), **addresses}


def not_indexed(asset: Asset) -> ServiceError:
    """400: what was said in an asset cannot be searched yet."""
    message = f"{asset.id} is not indexed for spoken words: call index_spoken_words() first"
    return ServiceError(400, message, "NOT_INDEXED")


def _listed(request: Request, kind: Kind) -> Response:
    service = service_of(request)
    query = request.query_params
    collection = service.state.collection(query.get("collection_id") or "default")
    count = fields.query_integer(query, "count", MAX_PAGE, low=1, high=MAX_PAGE)
    first = fields.query_integer(query, "page_index", 0, low=0, high=2**31) * count
    found = service.state.assets.listed(kind, collection.id)[first : first + count]
    return success({f"{kind}s": [asset_json(service, asset) for asset in found]})


def _asset(request: Request) -> Asset:
    """The asset that the path names."""
    kind: Kind = "audio" if request.url.path.startswith("/audio/") else "video"
    collection_id = request.query_params.get("collection_id") or None
    return service_of(request).state.assets.find(kind, request.path_params["vid"], collection_id)


def _transcript(
    service: Service,
    asset: Asset,
    segmenter: str,
    *,
    length: int = 1,
    start: float | None = None,
    end: float | None = None,
) -> dict[str, object]:
    """The SDKs read ``word_timestamps``, the public description has ``transcript``."""
    records = _require_speech(service, asset)
    found = segments(records, segmenter, length=length, start=start, end=end)
    pieces = [piece.as_json() for piece in found]
    return {"word_timestamps": pieces, "transcript": pieces, "text": " ".join(piece.text for piece in found)}


def _require_speech(service: Service, asset: Asset) -> Any:
    records = service.state.assets.spoken(asset)
    if not records:
        message = (
            f"{asset.id} has no transcript: no speech was recognised while its streams ran. "
            "Call start_transcript() on a stream before it is spoken on"
        )
        raise ServiceError(400, message, "NO_TRANSCRIPT")
    return records


def _shots(service: Service, item: Any) -> list[tuple[Asset, tuple[float, float]]]:
    if not isinstance(item, dict):
        raise invalid("Each video must be an object with video_id and shots")
    if "media_id" in item:
        spans = [_span([item.get("start_time"), item.get("end_time")])]
    else:
        listed = item.get("shots")
        if not isinstance(listed, list) or len(listed) > MAX_SPANS:
            raise invalid("shots must be a list of spans")
        spans = [_span(one) for one in listed]
    asset = service.state.assets.find("video", fields.text(item, "media_id" if "media_id" in item else "video_id"))
    return [(asset, span) for span in spans]


def _span(item: Any) -> tuple[float, float]:
    if not isinstance(item, list) or len(item) != 2:
        raise invalid("Each span must be a list of its start and its end")
    span = {"start": item[0], "end": item[1]}
    return fields.number(span, "start"), fields.number(span, "end")


def _both(path: str, endpoint: Any, method: str) -> list[Route]:
    return [Route(f"/{kind}/{{vid}}{path}", endpoint, methods=[method]) for kind in ("video", "audio")]


routes = [
    Route("/video", list_videos, methods=["GET"]),
    Route("/audio", list_audios, methods=["GET"]),
    *_both("", get_asset, "GET"),
    *_both("", rename_asset, "PATCH"),
    *_both("", delete_asset, "DELETE"),
    *_both("/transcription", get_transcript, "GET"),
    *_both("/transcription", create_transcript, "POST"),
    Route("/audio/{vid}/generate_url", generate_url, methods=["POST"]),
    Route("/video/{vid}/stream", get_stream, methods=["POST"]),
    Route("/video/{vid}/thumbnail", get_thumbnail, methods=["GET"]),
    Route("/video/{vid}/thumbnail", create_thumbnail, methods=["POST"]),
    Route("/video/{vid}/index", create_index, methods=["POST"]),
    Route("/video/{vid}/index", get_index, methods=["GET"]),
    Route("/compile", compile_shots, methods=["POST"]),
]
