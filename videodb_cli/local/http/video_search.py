"""Search within videos: in what was said and shown while their streams ran. One video, or all of a collection."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from videodb_cli.local.http import fields, service_of
from videodb_cli.local.http.answers import success
from videodb_cli.local.http.security import read_object
from videodb_cli.local.http.videos import not_indexed
from videodb_cli.local.matching import SearchQuery

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from videodb_cli.local.service import Service
    from videodb_cli.local.state.assets import Asset

_SEARCH_TYPES = ("semantic", "keyword", "scene", "custom")
_INDEX_TYPES = ("spoken_word", "scene")


@dataclass(frozen=True, slots=True)
class _Moment:
    """Something said or shown in a video."""

    asset: Asset
    start: float
    end: float
    text: str
    index_id: str | None = None
    index_name: str | None = None


async def search_video(request: Request) -> Response:
    """The moments of one video that say or show what is asked for; the best first.

    Words stand in for the meaning (see `matching`). ``index_type`` chooses speech, which has to be indexed first, or
    ``scene``: what indexes of the picture read while the stream ran. ``filter`` and what re-ranks have no effect.
    """
    service = service_of(request)
    asset = service.state.assets.find("video", request.path_params["vid"])
    body = await read_object(request)
    if _wants_speech(body) and not asset.spoken_words_indexed:
        raise not_indexed(asset)
    return await _search(service, [asset], body)


async def search_collection(request: Request) -> Response:
    """The same in all videos of a collection; those whose speech is not indexed are left out."""
    service = service_of(request)
    collection = service.state.collection(request.path_params["cid"])
    return await _search(service, service.state.assets.listed("video", collection.id), await read_object(request))


async def search_video_v2(request: Request) -> Response:
    """The moments of one video, in all its indexes, in the envelope of the second version."""
    service = service_of(request)
    asset = service.state.assets.find("video", request.path_params["vid"])
    return await _search_v2(service, [asset], await read_object(request))


async def search_collection_v2(request: Request) -> Response:
    """The same in all videos of a collection."""
    service = service_of(request)
    collection = service.state.collection(request.path_params["cid"])
    return await _search_v2(service, service.state.assets.listed("video", collection.id), await read_object(request))


async def _search(service: Service, assets: Sequence[Asset], body: dict[str, Any]) -> Response:
    query = SearchQuery(fields.text(body, "query"))
    wants_speech = _wants_speech(body)
    wanted = fields.optional_text(body, "scene_index_id") or fields.optional_text(body, "index_id")
    moments = _spoken(service, assets) if wants_speech else _seen(service, assets)
    limit = fields.integer(body, "result_threshold", 10, high=1000)
    chosen = [moment for moment in moments if wants_speech or wanted is None or moment.index_id == wanted]
    ranked = await asyncio.to_thread(_rank, query, chosen, _least(body))
    return success({"query": body["query"], "results": _by_video(ranked[:limit])})


async def _search_v2(service: Service, assets: Sequence[Asset], body: dict[str, Any]) -> Response:
    query = SearchQuery(fields.text(body, "query"))
    limit = fields.integer(body, "top_k", 10, high=1000)
    moments = [*_spoken(service, assets), *_seen(service, assets)]
    ranked = (await asyncio.to_thread(_rank, query, moments, _least(body)))[:limit]
    results = _by_video(ranked, service if fields.flag(body, "include_clip", default=False) else None)
    warnings = []
    if not moments:
        message = "Nothing is indexed: call index_spoken_words() on a video, or index what streams show while they run"
        warnings.append({"code": "nothing_indexed", "message": message})
    return success(
        {
            "response_type": "shots",
            "session_id": fields.optional_text(body, "session_id"),
            "waiting_for": "none",
            "results": results,
            "warnings": warnings,
        }
    )


def _wants_speech(body: dict[str, Any]) -> bool:
    search_type = fields.choice(body, "search_type", _SEARCH_TYPES, "semantic")
    return fields.choice(body, "index_type", _INDEX_TYPES, "spoken_word") == "spoken_word" and search_type != "scene"


def _least(body: dict[str, Any]) -> float:
    return fields.number(body, "score_threshold", 0.0)


def _spoken(service: Service, assets: Iterable[Asset]) -> list[_Moment]:
    return [
        _Moment(asset, record.start, record.end, record.text)
        for asset in assets
        if asset.spoken_words_indexed
        for record in service.state.assets.spoken(asset)
    ]


def _seen(service: Service, assets: Iterable[Asset]) -> list[_Moment]:
    return [
        _Moment(asset, record.start, record.end, record.text, index.id, index.name)
        for asset in assets
        for index, record in service.state.assets.seen(asset)
    ]


def _rank(query: SearchQuery, moments: Sequence[_Moment], least: float) -> list[tuple[float, _Moment]]:
    scored = [(query.score(moment.text), moment) for moment in moments]
    found = [item for item in scored if item[0] > 0 and item[0] >= least]
    return sorted(found, key=lambda item: (-item[0], item[1].start))


def _by_video(ranked: Sequence[tuple[float, _Moment]], clips: Service | None = None) -> list[dict[str, object]]:
    """One result a video, with its moments as ``docs``.

    The public description has ``start``, ``end``, ``text`` and ``score`` in the result itself: those of its best one.
    """
    by_video: dict[str, list[tuple[float, _Moment]]] = {}
    for score, moment in ranked:
        by_video.setdefault(moment.asset.id, []).append((score, moment))
    results = []
    for found in by_video.values():
        score, best = found[0]
        results.append(
            {
                "video_id": best.asset.id,
                "collection_id": best.asset.collection_id,
                "title": best.asset.name,
                "length": best.asset.length,
                "start": best.start,
                "end": best.end,
                "text": best.text,
                "score": score,
                "docs": [_doc(score, moment, clips) for score, moment in found],
            }
        )
    return results


def _doc(score: float, moment: _Moment, clips: Service | None) -> dict[str, object]:
    doc: dict[str, object] = {
        "start": moment.start,
        "end": moment.end,
        "text": moment.text,
        "score": score,
        "metadata": {},
    }
    if moment.index_id is not None:
        doc |= {"scene_index_id": moment.index_id, "scene_index_name": moment.index_name}
    if clips is not None:
        stream_url, player_url = clips.library.play(moment.asset, [(moment.start, moment.end)])
        doc |= {"stream_url": stream_url, "player_url": player_url}
    return doc


routes = [
    Route("/video/{vid}/search", search_video, methods=["POST"]),
    Route("/video/{vid}/search/v2", search_video_v2, methods=["POST"]),
    Route("/collection/{cid}/search", search_collection, methods=["POST"]),
    Route("/collection/{cid}/search/v2", search_collection_v2, methods=["POST"]),
]
